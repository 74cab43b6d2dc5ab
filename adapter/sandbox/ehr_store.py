"""What the demo EHR keeps: every version of every resource, in memory, in the order they came."""

import bisect
import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import orjson

from adapter.sandbox.charts import Resource

TYPES = ("Patient", "RelatedPerson")
_ID = re.compile(r"[A-Za-z0-9\-.]{1,64}", re.ASCII)
_FEW = 1000
"""Up to so many changes the journal is quicker than a walk over everything."""


class Unacceptable(ValueError):
    """Not a resource this EHR can store; the message says why, without quoting it."""


@dataclass(frozen=True, slots=True)
class Version:
    """One version of one resource. ``body`` is its JSON; None says that this version is the deletion."""

    ref: str
    number: int
    at: datetime
    body: bytes | None


class Store:
    """Resources by reference. One lock guards each call, so edits may come from any thread.

    A resource keeps its position when it changes, so a walk by position meets each resource exactly once however
    much is edited meanwhile.
    """

    def __init__(self, *, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._lock = threading.RLock()
        self._versions: dict[str, list[Version]] = {}
        self._tables = {kind: _Table() for kind in TYPES}
        self._contacts: dict[str, dict[str, None]] = {}
        self._latest = datetime.min.replace(tzinfo=UTC)

    def put(self, resource: Resource) -> Version:
        """Stores a new version and sets its ``meta``. Raises Unacceptable without a known type and a proper id."""
        kind, id = resource.get("resourceType"), resource.get("id")
        if kind not in TYPES:
            raise Unacceptable("resourceType must be one of: " + ", ".join(TYPES))
        if not isinstance(id, str) or not _ID.fullmatch(id):
            raise Unacceptable("id must be 1 to 64 letters, digits, dots or hyphens")
        meta = resource.get("meta")
        if meta is not None and not isinstance(meta, dict):
            raise Unacceptable("meta must be an object")
        with self._lock:
            ref, at = f"{kind}/{id}", self._now()
            number = len(self._versions.get(ref, ())) + 1
            own_meta = {**(meta or {}), "versionId": str(number), "lastUpdated": instant(at)}
            version = Version(ref, number, at, orjson.dumps({**resource, "meta": own_meta}))
            self._add(version, chart=_chart(resource))
            return version

    def delete(self, ref: str) -> None:
        """Marks the resource as deleted; nothing happens when it already is. Raises KeyError when it never was."""
        with self._lock:
            current = self._versions[ref][-1]
            if current.body is not None:
                self._add(Version(ref, current.number + 1, self._now(), None), chart=None)

    def versions(self, ref: str) -> list[Version]:
        """Every version, oldest first; none when the resource never existed."""
        with self._lock:
            return list(self._versions.get(ref, ()))

    def count(self, kind: str) -> int:
        """How many resources of this type exist now."""
        return self._tables[kind].live

    def contacts(self, patient: str) -> list[Version]:
        """The Family Contacts on one chart now."""
        with self._lock:
            return [self._versions[ref][-1] for ref in self._contacts.get(patient, ())]

    def walk(self, kind: str, *, after: int, since: datetime | None = None) -> Iterator[tuple[int, Version]]:
        """Current versions beyond a position (-1: all), by position, deleted ones left out.

        ``since`` skips most of what was not changed since then; the caller still has to look at ``Version.at``.
        """
        with self._lock:
            table = self._tables[kind]
            positions = table.positions_since(since) if since else None
            order = range(after + 1, len(table.refs)) if positions is None else positions
        for position in order:
            version = self._versions[table.refs[position]][-1]
            if position > after and version.body is not None:
                yield position, version

    def pick(self, kind: str, refs: set[str], *, after: int) -> Iterator[tuple[int, Version]]:
        """Like ``walk``, among these references only."""
        with self._lock:
            places = self._tables[kind].places
            positions = sorted((places[ref], ref) for ref in refs if ref in places)
        for position, ref in positions:
            version = self._versions[ref][-1]
            if position > after and version.body is not None:
                yield position, version

    def _add(self, version: Version, *, chart: str | None) -> None:
        ref = version.ref
        history = self._versions.setdefault(ref, [])
        was_live = bool(history) and history[-1].body is not None
        if history and was_live:
            self._contacts.get(_chart(orjson.loads(history[-1].body or b"{}")) or "", {}).pop(ref, None)
        history.append(version)
        if chart:
            self._contacts.setdefault(chart, {})[ref] = None
        self._tables[ref.partition("/")[0]].note(version, was_live=was_live)

    def _now(self) -> datetime:
        """The clock in whole milliseconds, never running backwards: the journal relies on its order."""
        now = self._clock().astimezone(UTC)
        self._latest = max(self._latest, now.replace(microsecond=now.microsecond // 1000 * 1000))
        return self._latest


class _Table:
    """The resources of one type: their order, and a journal of when each changed."""

    def __init__(self) -> None:
        self.refs: list[str] = []
        self.places: dict[str, int] = {}
        self.live = 0
        self._times: list[datetime] = []
        self._changed: list[int] = []

    def note(self, version: Version, *, was_live: bool) -> None:
        place = self.places.get(version.ref)
        if place is None:
            place = self.places[version.ref] = len(self.refs)
            self.refs.append(version.ref)
        self._times.append(version.at)
        self._changed.append(place)
        self.live += (version.body is not None) - was_live

    def positions_since(self, since: datetime) -> list[int] | None:
        """Where something changed since then, in order; None when that is too much to be worth it."""
        start = bisect.bisect_left(self._times, since)
        if len(self._times) - start > _FEW:
            return None
        return sorted(set(self._changed[start:]))


def instant(at: datetime) -> str:
    """A FHIR instant with milliseconds."""
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _chart(resource: Resource) -> str | None:
    """The chart a RelatedPerson is on, as a relative reference; None when it names none on this server."""
    patient = resource.get("patient") if resource.get("resourceType") == "RelatedPerson" else None
    reference = patient.get("reference") if isinstance(patient, dict) else None
    return reference if isinstance(reference, str) and reference.startswith("Patient/") else None
