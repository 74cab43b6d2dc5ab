"""The URL guard: the one place that decides whether an address may be fetched, and whether the token goes along.

Nothing else is ever asked, so neither the token nor a patient's id can leave (RFC 3986; FHIR search §3.1.3: next
links are the server's own words and may say anything).
"""

import re
from dataclasses import dataclass
from enum import Enum
from urllib.parse import SplitResult, unquote, urljoin, urlsplit

_PORTS = {"http": 80, "https": 443}
_LONGEST = 16 * 1024
"""Characters in an address; some servers keep the whole search in their next links, but none needs more."""
_PLAIN = re.compile(r"[!#-\[\]_a-~]+")
"""Printable ASCII without blanks, quotes, backslash and caret, on which parsers of addresses disagree."""


@dataclass(frozen=True, slots=True)
class Base:
    """The configured base URL, taken apart. ``path`` has no slash at its end."""

    scheme: str
    host: str
    port: int
    path: str

    @classmethod
    def parse(cls, url: str) -> "Base":
        """Raises ValueError when ``url`` is not a plain http(s) address."""
        parts = _split(url)
        if parts is None or parts.query or parts.fragment:
            raise ValueError("base_url must be a plain http(s) address without a query")
        return cls(parts.scheme, parts.hostname or "", _port(parts), parts.path.rstrip("/"))

    @property
    def origin(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port == _PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{host}{port}"

    @property
    def root(self) -> str:
        """The base URL itself, where batches are sent."""
        return f"{self.origin}{self.path}"

    def join(self, path: str) -> str:
        """The address of a path below the base, such as ``Patient/12``."""
        return f"{self.origin}{self.path}/{path}"

    def resolve(self, link: str, *, seen_at: str) -> str:
        """A link as an absolute address: a bare query counts from where it was seen, any other from the base."""
        return urljoin(seen_at if link.startswith("?") else self.join(""), link)

    def allows(self, url: str) -> bool:
        """Whether ``url`` may be fetched: same scheme, host and port, and not above the base path."""
        parts = _split(url)
        if parts is None or (parts.scheme, parts.hostname, _port(parts)) != (self.scheme, self.host, self.port):
            return False
        path = parts.path
        while (plain := unquote(path)) != path:  # %252e%252e is still a way up for some servers
            path = plain
        if "\\" in path or any(step.split(";")[0] in (".", "..") for step in path.split("/")):
            return False
        return parts.path == self.path or parts.path.startswith(f"{self.path}/")


class Verdict(Enum):
    """What may be done with an address."""

    REFUSED = "not fetched"
    OPEN = "fetched without the token"
    TRUSTED = "fetched with the token"


@dataclass(frozen=True, slots=True)
class Guard:
    """The configured server, and further places of Bulk Data files (``files``: host, or host and folder).

    A file elsewhere is fetched only when its place is listed, and the token goes along only to the own origin:
    a listed storage host gets none (https://hl7.org/fhir/uv/bulkdata/export.html, requiresAccessToken), unless
    ``files_get_token`` says that the practice wants it so.
    """

    base: Base
    files: tuple[Base, ...] = ()
    files_get_token: bool = False

    def judge(self, url: str, *, file: bool = False) -> Verdict:
        """The one decision. ``file``: the address comes from an export's manifest, not from a search."""
        if self.base.allows(url):
            return Verdict.TRUSTED
        place = next((place for place in self.files if place.allows(url)), None) if file else None
        if place is None:
            return Verdict.REFUSED
        trusted = place.origin == self.base.origin or self.files_get_token
        return Verdict.TRUSTED if trusted else Verdict.OPEN

    def may_fetch(self, url: str, *, file: bool = False) -> bool:
        """Whether ``url`` may be asked at all."""
        return self.judge(url, file=file) is not Verdict.REFUSED

    def gets_token(self, url: str, *, file: bool = False) -> bool:
        """Whether the token may go to ``url``."""
        return self.judge(url, file=file) is Verdict.TRUSTED


def shown_origin(url: str) -> str:
    """Scheme, host and port of any address for a message; nothing else of it."""
    parts = _split(url)
    return f"{parts.scheme}://{parts.hostname}:{_port(parts)}"[:100] if parts else "an address that cannot be read"


def _split(url: str) -> SplitResult | None:
    """The parts of an http(s) address; None for anything that two parsers could understand differently."""
    if len(url) > _LONGEST or not _PLAIN.fullmatch(url):
        return None
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in _PORTS or not parts.hostname or port == 0 or "@" in parts.netloc:
        return None
    return parts


def _port(parts: SplitResult) -> int:
    return parts.port or _PORTS[parts.scheme]
