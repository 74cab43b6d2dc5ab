"""Works off what an EHR's notifications named: each chart is read again from the EHR, alone, as soon as may be."""

import threading
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from secrets import token_hex
from types import TracebackType
from typing import Self

import sqlalchemy as sa

from adapter.ehr import quietly
from adapter.errors import AdapterError, RetriableError, SourceError
from adapter.jobs.practice import Clock, Practice
from adapter.jobs.run import Request
from adapter.jobs.sync import sync
from adapter.logs import Event, get_logger
from adapter.store import facts, nudges
from adapter.store import tables as t
from adapter.store.engine import begin, read
from adapter.store.nudges import EVERYTHING, MOST, Nudge

ACTOR = "ehr"
MANY = 20
"""When more charts than this wait, one read of whatever changed is quicker than reading each."""
MANY_DELETED = 50
"""When more than this are said to be gone, everything is read: a search for what changed would not miss them."""
APART = timedelta(seconds=2)
"""Between two reads of whatever changed, at least: an EHR that notifies all the time does not keep us reading."""
BUSY = timedelta(seconds=5)
FIRST_WAIT, LONGEST_WAIT = timedelta(seconds=15), timedelta(minutes=15)
ATTEMPTS = 10
"""Then the scheduled syncs have to find it."""
FAILURES = 3
"""After so many in a row the EHR is not well, and the rest waits."""
LOOK_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class _Step:
    """One sync, and the nudges that it answers."""

    request: Request
    nudges: tuple[Nudge, ...]


@dataclass
class _Turn:
    """One turn at one practice's nudges. ``changed`` tells whether any account did."""

    engine: sa.Engine
    practice: Practice
    clock: Clock
    owner: str = field(default_factory=lambda: token_hex(8))
    changed: bool = False
    _failures: int = 0
    """In a row."""

    def work(self) -> None:
        with begin(self.engine) as connection:
            claimed = nudges.claim(connection, self.practice.id, owner=self.owner, now=self.clock(), limit=MOST + 1)
        steps = _steps(claimed)
        for number, step in enumerate(steps):
            if self._failures >= FAILURES:
                self._put_off(steps[number:], until=self.clock() + FIRST_WAIT)
                return
            try:
                self._do(step)
            except RetriableError:  # another run has the practice, or the database is busy
                self._put_off(steps[number:], until=self.clock() + BUSY)
                return
            except BaseException:
                self._put_off(steps[number:], until=self.clock() + FIRST_WAIT, failed=True)
                raise

    def _do(self, step: _Step) -> None:
        if step.request.person is None and (early := self._too_early()):
            self._put_off([step], until=early)
        elif self._is_settled(step) or self._sync(step.request):
            self._failures = 0
            self._done(step)
        else:
            self._failures += 1
            self._try_again(step)

    def _too_early(self) -> datetime | None:
        """Until when to wait, when all that changed was read just now: as long as that took, APART at least."""
        whole = (t.run.c.practice == self.practice.id, t.run.c.kind.in_(("incremental", "full")))
        query = sa.select(t.run.c.started_at, t.run.c.finished_at).where(*whole).order_by(t.run.c.id.desc()).limit(1)
        with read(self.engine) as connection:
            last = connection.execute(query).first()
        if last is None or last.finished_at is None:
            return None
        rested = last.finished_at + max(APART, last.finished_at - last.started_at)
        return rested if last.finished_at <= self.clock() < rested else None

    def _is_settled(self, step: _Step) -> bool:
        """Whether a chart needs no run: nobody has it, or it cannot be read by the name that the EHR gave it.

        The latter are contacts whose ids are not their own (the profile's ``contact_ids`` and ``contacts``); whatever
        changed is then read instead.
        """
        ref = step.request.person
        if ref is None or self._is_known(ref):
            return False
        try:
            return self.practice.reader.read_one(ref) is None
        except SourceError:
            if ref.startswith("Patient/"):
                return False
        with begin(self.engine) as connection:
            gone = any(one.deleted for one in step.nudges)
            nudges.ask_for_everything(connection, self.practice.id, deleted=gone, now=self.clock())
        return True

    def _is_known(self, ref: str) -> bool:
        with begin(self.engine) as connection:
            if ref.startswith("Patient/"):
                return bool(facts.known_patients(connection, self.practice.id, [ref]))
            return bool(facts.members_by_ref(connection, self.practice.id, [ref]))

    def _sync(self, request: Request) -> bool:
        report = sync(self.engine, self.practice, request, clock=self.clock, progress=quietly)
        self.changed = self.changed or bool(report["changes"])
        get_logger().info(
            Event.RUN_FINISHED,
            practice=self.practice.id,
            run=report["run"],
            kind=report["kind"],
            status=report["status"],
        )
        return report["status"] in ("complete", "held")

    def _done(self, step: _Step) -> None:
        with begin(self.engine) as connection:
            nudges.done(connection, self.practice.id, [one.ref for one in step.nudges], owner=self.owner)

    def _try_again(self, step: _Step) -> None:
        attempts = max(one.attempts for one in step.nudges) + 1
        if attempts >= ATTEMPTS:
            get_logger().warning(Event.PUSH_GIVEN_UP, practice=self.practice.id, count=len(step.nudges))
            self._done(step)
            return
        wait = min(FIRST_WAIT * 2 ** (attempts - 1), LONGEST_WAIT)
        self._put_off([step], until=self.clock() + wait, failed=True)

    def _put_off(self, steps: Sequence[_Step], *, until: datetime, failed: bool = False) -> None:
        with begin(self.engine) as connection:
            for step in steps:
                for one in step.nudges:
                    nudges.put_off(connection, self.practice.id, one.ref, owner=self.owner, until=until, failed=failed)


def work_off(engine: sa.Engine, practice: Practice, *, clock: Clock) -> bool:
    """Reads again what was named, each as a run of its own; True when an account changed.

    What cannot be read now is tried again later, then left to the schedule. Raises what ``sync`` raises, except when
    another run has the practice: then the nudges wait for it.
    """
    turn = _Turn(engine, practice, clock)
    turn.work()
    return turn.changed


def _steps(claimed: Sequence[Nudge]) -> list[_Step]:
    """Single charts first, for they are quick; then, if need be, one read of whatever changed."""
    whatever = [one for one in claimed if one.ref == EVERYTHING]
    named = [one for one in claimed if one.ref != EVERYTHING]
    if len(named) > MANY:
        whatever += [one for one in named if not one.deleted]
        named = [one for one in named if one.deleted]
    if len(named) > MANY_DELETED:
        whatever, named = whatever + named, []
    steps = [_Step(Request(person=one.ref, actor=ACTOR), (one,)) for one in named]
    if whatever:
        steps.append(_Step(Request(full=any(one.deleted for one in whatever), actor=ACTOR), tuple(whatever)))
    return steps


class NudgeWatch:
    """Looks twice a second whether any of these practices has a nudge that is due, and says so.

    It asks the store and not the receiver of notifications: that may be another process, and what was received before a
    crash, or waits to be tried again, comes due here as well.
    """

    def __init__(
        self, engine: sa.Engine, practices: Collection[str], *, clock: Clock, ask: Callable[[str], None]
    ) -> None:
        self._engine, self._practices, self._clock, self._ask = engine, frozenset(practices), clock, ask
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, name="nudges", daemon=True)

    def __enter__(self) -> Self:
        if self._practices:
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        if self._practices:
            self._thread.join(5)

    def _work(self) -> None:
        while not self._stop.wait(LOOK_SECONDS):
            try:
                with read(self._engine) as connection:
                    found = nudges.due(connection, self._clock())
            except AdapterError as error:  # the database is busy or away; the next look tells
                get_logger().warning(Event.JOB_FAILED, job="push", error=error)
                self._stop.wait(10)
                continue
            for practice in self._practices.intersection(found):
                self._ask(practice)
