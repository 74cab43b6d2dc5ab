"""Search answers: a Bundle with its self link, and a next link that carries the search and the place to go on from."""

import base64
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

import msgspec

from adapter.core.fhir_face.elements import Element, instant
from adapter.core.fhir_face.search import Search
from adapter.web.fhir.answers import Refused

_LONGEST = 8 * 1024


class Place(msgspec.Struct, frozen=True):
    """What a next link holds."""

    type: str
    search: tuple[tuple[str, str], ...]
    after: tuple[str | int, ...]


def searchset(
    base: str,
    kind: str,
    search: Search,
    resources: Iterable[Element],
    after: tuple[str | int, ...] | None,
    now: datetime,
) -> Element:
    """One page of matches."""
    links = [{"relation": "self", "url": _self(base, kind, search)}]
    if after is not None:
        links.append({"relation": "next", "url": f"{base}/{kind}?_page={_written(Place(kind, search.kept, after))}"})
    entries = [
        {"fullUrl": f"{base}/{kind}/{one['id']}", "resource": one, "search": {"mode": "match"}} for one in resources
    ]
    return _bundle(links, now, {"entry": entries} if entries else {})


def count_only(base: str, kind: str, search: Search, total: int, now: datetime) -> Element:
    """How many there are, and nothing else."""
    kept = tuple(pair for pair in search.kept if pair[0] != "_count")
    asked = msgspec.structs.replace(search, kept=(*kept, ("_summary", "count")))
    return _bundle([{"relation": "self", "url": _self(base, kind, asked)}], now, {"total": total})


def place(text: str, kind: str) -> Place:
    """Reads a next link's place. Raises Refused for one that is not ours."""
    try:
        data = base64.urlsafe_b64decode(text[:_LONGEST] + "=" * (-len(text) % 4))
        found = msgspec.json.decode(data, type=Place)
    except (ValueError, msgspec.DecodeError):
        found = None
    if found is None or found.type != kind:
        raise Refused(400, "invalid", "This is not a next link of this search. Begin again without _page.")
    return found


def _written(where: Place) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(where)).rstrip(b"=").decode()


def _self(base: str, kind: str, search: Search) -> str:
    asked = urlencode(search.kept, safe=",|:/")
    return f"{base}/{kind}?{asked}" if asked else f"{base}/{kind}"


def _bundle(links: Sequence[dict[str, str]], now: datetime, more: dict[str, Any]) -> Element:
    meta = {"lastUpdated": instant(now)}
    return {"resourceType": "Bundle", "meta": meta, "type": "searchset", "link": list(links)} | more
