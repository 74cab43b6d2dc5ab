"""Who read what: every read of a vendor in the practice's audit trail, written by a thread of its own.

A sync may hold the database for longer than a contact screen can wait, so the answer does not wait for the entry.
Equal reads of one second are one entry with their number. When more waits to be written than there is room for,
nothing more is read: an answer without a trace is worse than none.
"""

import atexit
import threading
from collections import Counter
from collections.abc import Callable
from typing import NamedTuple

import msgspec

from adapter.bootstrap import App
from adapter.core.audit import AuditEntry
from adapter.errors import AdapterError
from adapter.logs import Event, get_logger
from adapter.store import audit
from adapter.store.turns import turn
from adapter.web.fhir.answers import Refused

MOST_WAITING = 10_000
PAUSE = 1.0
"""Seconds between two rounds of writing."""
REASON = "vendor-access"


class _Read(NamedTuple):
    practice: str
    client: str
    did: str
    kind: str
    about: str


class ReadTrail:
    """Collects reads and writes them down; ``flush`` writes at once."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._waiting: Counter[_Read] = Counter()
        self._lock, self._writing, self._wake = threading.Lock(), threading.Lock(), threading.Event()
        self._thread: threading.Thread | None = None

    def note(self, practice: str, client: str, did: str, kind: str, about: str) -> None:
        """Takes note of one read: ``about`` is the id that was read, or whom the search names. Raises Refused."""
        with self._lock:
            if len(self._waiting) >= MOST_WAITING:
                raise Refused(503, "transient", "Reads cannot be written down now.", {"Retry-After": "30"})
            self._waiting[_Read(practice, client, did, kind, about)] += 1
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="fhir reads", daemon=True)
                self._thread.start()
                atexit.register(self._last)
        self._wake.set()

    def flush(self) -> None:
        """Writes what waits. Raises what the database says; what was not written waits again."""
        with self._writing:
            with self._lock:
                taken, self._waiting = self._waiting, Counter()
            for practice in sorted({one.practice for one in taken}):
                mine = {one: count for one, count in taken.items() if one.practice == practice}
                try:
                    self._write(practice, mine)
                except BaseException:
                    with self._lock:
                        self._waiting.update(mine)
                    raise

    def _write(self, practice: str, reads: dict[_Read, int]) -> None:
        entries = [_entry(one, count) for one, count in sorted(reads.items())]
        with turn(self._app.engine, practice) as connection:
            audit.append(connection, practice, entries, self._app.clock())
        get_logger().info(Event.VENDOR_READ, practice=practice, count=sum(reads.values()))

    def _work(self) -> None:
        while True:
            self._wake.wait()
            self._wake.clear()
            _quietly(self.flush)
            threading.Event().wait(PAUSE)
            if self._waiting:
                self._wake.set()

    def _last(self) -> None:
        _quietly(self.flush)


def _quietly(flush: Callable[[], None]) -> None:
    try:
        flush()
    except AdapterError as error:
        get_logger().error(Event.VENDOR_READ, error=error)


def _entry(one: _Read, count: int) -> AuditEntry:
    patient = one.about if one.about.startswith("Patient/") else None
    source = f"{one.kind}/{one.about}" if one.did == "read" else one.kind
    detail: dict[str, str | int] = {"count": count}
    if one.about and one.did == "search" and patient is None:
        detail["about"] = one.about
    return AuditEntry(
        action=f"fhir-{one.did}",
        patient=patient,
        reason=REASON,
        source=source,
        detail=msgspec.json.encode(detail).decode(),
        actor=f"vendor:{one.client}",
    )
