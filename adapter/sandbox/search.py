"""FHIR search on the demo EHR: parameters in, one page of matches out (https://hl7.org/fhir/R4/search.html)."""

import base64
import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice

import orjson

from adapter.sandbox.ehr_store import Store, Version

Params = list[tuple[str, str]]
DEFAULT_COUNT = 50
MAX_COUNT = 1000
REVINCLUDE = "RelatedPerson:patient"
SEARCH_PARAMETERS = {
    "Patient": {"_id": "token", "_lastUpdated": "date"},
    "RelatedPerson": {"_id": "token", "_lastUpdated": "date", "patient": "reference"},
}
"""What can be searched by, and its FHIR type. ``_count``, ``_format`` and ``_revinclude`` shape the answer."""

_EARLIEST = datetime.min.replace(tzinfo=UTC)
_LATEST = datetime.max.replace(tzinfo=UTC)
_DATE = re.compile(
    r"(?P<prefix>eq|gt|ge|lt|le|sa|eb)?(?P<year>\d{4})(-(?P<month>\d\d)(-(?P<day>\d\d)"
    r"(T(?P<minute>\d\d:\d\d)(:(?P<second>\d\d)(\.(?P<fraction>\d{1,6})\d*)?)?(?P<zone>Z|[+-]\d\d:\d\d)?)?)?)?",
    re.ASCII,
)


class BadSearch(ValueError):
    """A search this server will not run; the message says which parameter and why. ``code`` is a FHIR issue code."""

    def __init__(self, message: str, *, code: str = "invalid") -> None:
        self.code = code
        super().__init__(message)


@dataclass(frozen=True, kw_only=True)
class Search:
    """One search, understood. ``since`` is inclusive, ``before`` is not; None among the sets means no restriction."""

    kind: str
    ids: frozenset[str] | None = None
    patients: frozenset[str] | None = None
    since: datetime = _EARLIEST
    before: datetime = _LATEST
    revinclude: bool = False
    count: int = DEFAULT_COUNT

    @property
    def everything(self) -> bool:
        return self.ids is None and self.patients is None and self.since == _EARLIEST and self.before == _LATEST


@dataclass(frozen=True, kw_only=True)
class Page:
    """One page. ``next_after`` is the position to go on from; None on the last page."""

    matches: list[Version]
    included: list[Version]
    total: int
    next_after: int | None


@dataclass(frozen=True, kw_only=True)
class Cursor:
    """What a ``next`` link stands for: the same search, from a position on, with the total of the first page."""

    params: Params
    after: int
    total: int

    def encode(self) -> str:
        return base64.urlsafe_b64encode(orjson.dumps([self.params, self.after, self.total])).decode().rstrip("=")

    @staticmethod
    def decode(token: str) -> "Cursor":
        """Raises BadSearch when this server never gave out such a link."""
        try:
            raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
            params, after, total = orjson.loads(raw)
            return Cursor(
                params=[(str(name), str(value)) for name, value in params], after=int(after), total=int(total)
            )
        except (binascii.Error, TypeError, ValueError):
            raise BadSearch("_page is not a link of this server") from None


def parse(kind: str, params: Params, *, base_url: str, revinclude: bool) -> Search:
    """Reads search parameters strictly: one that is unknown, or unknown to this type, raises BadSearch."""
    ids: frozenset[str] | None = None
    patients: frozenset[str] | None = None
    since, before, count, included = _EARLIEST, _LATEST, DEFAULT_COUNT, False
    for name, value in params:
        if name == "_id":
            ids = _both(ids, frozenset(f"{kind}/{id}" for id in value.split(",")))
        elif name == "_lastUpdated":
            low, high = _period(value)
            since, before = max(since, low), min(before, high)
        elif name == "patient" and name in SEARCH_PARAMETERS[kind]:
            patients = _both(patients, frozenset(_chart(part, base_url=base_url) for part in value.split(",")))
        elif name == "_count":
            count = _count(value)
        elif name == "_revinclude" and revinclude and kind == "Patient":
            if value != REVINCLUDE:
                raise BadSearch(f"_revinclude: only {REVINCLUDE} is supported", code="not-supported")
            included = True
        elif name == "_format":
            if value not in ("json", "application/json", "application/fhir+json"):
                raise BadSearch("_format: only json is supported", code="not-supported")
        else:
            raise BadSearch(f"search parameter {name[:40]!r} is not supported on {kind}", code="not-supported")
    return Search(kind=kind, ids=ids, patients=patients, since=since, before=before, revinclude=included, count=count)


def find(store: Store, search: Search, *, after: int = -1, total: int | None = None) -> Page:
    """One page of a search. ``after`` and ``total`` come from the cursor of the page before."""
    if total is None:
        total = store.count(search.kind) if search.everything else sum(1 for _ in _matches(store, search, after=-1))
    if search.count == 0:
        return Page(matches=[], included=[], total=total, next_after=None)
    found = list(islice(_matches(store, search, after=after), search.count + 1))
    page = found[: search.count]
    matches = [version for _, version in page]
    included = [contact for match in matches for contact in store.contacts(match.ref)] if search.revinclude else []
    more = len(found) > len(page)
    return Page(matches=matches, included=included, total=total, next_after=page[-1][0] if more else None)


def _matches(store: Store, search: Search, *, after: int) -> Iterator[tuple[int, Version]]:
    if search.patients is not None:
        contacts = {contact.ref for patient in search.patients for contact in store.contacts(patient)}
        wanted = contacts if search.ids is None else contacts & search.ids
        candidates = store.pick(search.kind, wanted, after=after)
    elif search.ids is not None:
        candidates = store.pick(search.kind, set(search.ids), after=after)
    else:
        candidates = store.walk(search.kind, after=after, since=search.since)
    return (found for found in candidates if search.since <= found[1].at < search.before)


def _period(value: str) -> tuple[datetime, datetime]:
    """The instants a date parameter lets through: from the first on, up to but not including the second."""
    match = _DATE.fullmatch(value)
    if match is None:
        raise BadSearch(
            "_lastUpdated must be a date or instant, optionally with eq, gt, ge, lt, le, sa or eb before it"
        )
    try:
        low, high = _range(match)
    except (ValueError, OverflowError):
        raise BadSearch("_lastUpdated is not a date that exists") from None
    prefix = match["prefix"] or "eq"
    since = {"ge": low, "eq": low, "gt": high, "sa": high}.get(prefix, _EARLIEST)
    before = {"le": high, "eq": high, "lt": low, "eb": low}.get(prefix, _LATEST)
    return since, before


def _range(match: re.Match[str]) -> tuple[datetime, datetime]:
    """A date of any precision as the range it stands for; without a zone it is UTC, this server's own."""
    year, month = int(match["year"]), int(match["month"] or 1)
    if match["minute"] is None:
        low = datetime(year, month, int(match["day"] or 1), tzinfo=UTC)
        if match["day"]:
            return low, low + timedelta(days=1)
        if match["month"]:
            return low, datetime(year + month // 12, month % 12 + 1, 1, tzinfo=UTC)
        return low, datetime(year + 1, 1, 1, tzinfo=UTC)
    fraction = match["fraction"] or ""
    zone = (match["zone"] or "Z").replace("Z", "+00:00")
    clock = f"{match['minute']}:{match['second'] or '00'}.{fraction:0<6}{zone}"
    low = datetime.fromisoformat(f"{match['year']}-{match['month']}-{match['day']}T{clock}").astimezone(UTC)
    if fraction:
        return low, low + timedelta(microseconds=10 ** (6 - len(fraction)))
    return low, low + (timedelta(seconds=1) if match["second"] else timedelta(minutes=1))


def _count(value: str) -> int:
    if not value.isascii() or not value.isdigit():
        raise BadSearch("_count must be a whole number")
    return min(int(value[:9]), MAX_COUNT)


def _chart(value: str, *, base_url: str) -> str:
    """``12``, ``Patient/12`` and the full address of this server are the same chart."""
    relative = value.removeprefix(base_url + "/")
    return relative if "/" in relative else f"Patient/{relative}"


def _both(known: frozenset[str] | None, more: frozenset[str]) -> frozenset[str]:
    return more if known is None else known & more
