"""Which addresses may be told who we are: https, or this very machine."""

import re

from adapter.http.urls import Base

_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_QUERY = re.compile(r"[!$-;=?-Z_a-z~]*")


def endpoint_of(url: str) -> Base:
    """The place of an address. Raises ValueError when no secret may go there, or parsers could read it differently."""
    plain, _, query = url.partition("?")
    place = Base.parse(plain)
    if not _QUERY.fullmatch(query):
        raise ValueError("token_url cannot be read")
    if place.scheme != "https" and not is_loopback(place):
        raise ValueError("token_url is not https")
    return place


def is_loopback(place: Base) -> bool:
    """Whether an address is this machine's own."""
    return place.host in _LOOPBACK
