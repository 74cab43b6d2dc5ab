"""Runs the scheduled jobs of every practice, one at a time per practice, until the service is asked to stop."""

import signal
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from types import FrameType
from typing import NamedTuple
from zoneinfo import ZoneInfo

from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.base import BaseTrigger
from apscheduler.triggers.interval import IntervalTrigger

from adapter.jobs.scheduled import ScheduledJob
from adapter.logs import Event, get_logger
from adapter.schedule_files import Entry, JobName

RunJob = Callable[[str, JobName], None]
"""``run_job(practice, job)`` does one job of one practice; what it raises is logged by its class."""

_GRID = datetime(2000, 1, 1, tzinfo=UTC)  # intervals count from here, so that a restart does not shift them


class NextTime(NamedTuple):
    """When a job comes due next, in its own time zone."""

    practice: str
    job: JobName
    at: datetime


def next_times(jobs: Iterable[ScheduledJob], now: datetime) -> list[NextTime]:
    """When each job comes due next after ``now``, soonest first."""
    times = []
    for job in jobs:
        due: datetime = _trigger(job).get_next_fire_time(None, now)
        times.append(NextTime(job.practice, job.entry.job, due.astimezone(job.zone)))
    return sorted(times, key=lambda entry: (entry.at.astimezone(UTC), entry.practice, entry.job))


class JobScheduler:
    """The clock of the service.

    When a job comes due it is handed to its practice's lane. A lane does one job after the other and keeps at most one
    of each name waiting, so a slow run delays the next one instead of overlapping it, and missed ones become one.
    At most ``parallel`` practices work at the same moment.
    """

    def __init__(self, jobs: Sequence[ScheduledJob], run_job: RunJob, *, parallel: int = 4) -> None:
        slots = threading.BoundedSemaphore(parallel)
        self._jobs = jobs
        self._lanes = {practice: _Lane(practice, run_job, slots) for practice in {job.practice for job in jobs}}
        self._clock = BackgroundScheduler(
            timezone=UTC, job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None}
        )
        self._stopping = False

    def run(self, *, stop_seconds: float = 60) -> bool:
        """Works until SIGTERM or SIGINT, then stops as ``stop`` does. To be called from the main thread."""
        before = {number: signal.signal(number, self._on_signal) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            self.start()
            while not self._stopping:  # a flag and naps: taking a lock in a signal handler could wait for itself
                time.sleep(0.2)
            return self.stop(stop_seconds)
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def start(self) -> None:
        """Starts the clock; what runs at an interval is also done at once, to catch up."""
        for job in self._jobs:
            lane = self._lanes[job.practice]
            self._clock.add_job(lane.ask, _trigger(job), args=[job.entry.job], id=f"{job.practice}/{job.entry.job}")
        self._clock.start()
        get_logger().info(Event.SERVICE_STARTED, count=len(self._jobs))
        for job in self._jobs:
            if job.entry.every:
                self._lanes[job.practice].ask(job.entry.job)

    def ask(self, practice: str, job: JobName) -> None:
        """Has a job done beside the schedule, as soon as the practice's lane is free."""
        self._lanes[practice].ask(job)

    def request_stop(self) -> None:
        """Makes ``run`` return soon; may be called from any thread."""
        self._stopping = True

    def stop(self, seconds: float) -> bool:
        """Starts nothing more and waits for running jobs, so long at most; False when one was still running then.

        The threads do not keep the process alive: a job that is cut off leaves its transaction undone.
        """
        get_logger().info(Event.SERVICE_STOPPING)
        limit = time.monotonic() + seconds
        self._clock.shutdown(wait=False)
        for lane in self._lanes.values():
            lane.close()
        finished = all([lane.wait(limit - time.monotonic()) for lane in self._lanes.values()])
        get_logger().info(Event.SERVICE_STOPPED, status="complete" if finished else "incomplete")
        return finished

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self.request_stop()


class _Lane:
    """The jobs of one practice, one after the other."""

    def __init__(self, practice: str, run_job: RunJob, slots: threading.BoundedSemaphore) -> None:
        self._practice, self._run_job, self._slots = practice, run_job, slots
        self._waiting: list[JobName] = []
        self._closed = False
        self._idle = True
        self._changed = threading.Condition()

    def ask(self, job: JobName) -> None:
        """Has the job done as soon as the lane is free; asking twice before that counts once."""
        with self._changed:
            if self._closed:
                return
            if job not in self._waiting:
                self._waiting.append(job)
            if self._idle:
                self._idle = False
                threading.Thread(target=self._work, name=f"jobs of {self._practice}", daemon=True).start()

    def close(self) -> None:
        """Forgets what waits; what runs goes on."""
        with self._changed:
            self._closed = True
            self._waiting.clear()

    def wait(self, seconds: float) -> bool:
        """Waits until nothing runs; False when the time is up first."""
        with self._changed:
            return self._changed.wait_for(lambda: self._idle, timeout=max(0.0, seconds))

    def _work(self) -> None:
        with self._slots:
            while True:
                with self._changed:
                    if not self._waiting:
                        self._idle = True
                        self._changed.notify_all()
                        return
                    job = self._waiting.pop(0)
                self._do(job)

    def _do(self, job: JobName) -> None:
        began = time.monotonic()
        try:
            self._run_job(self._practice, job)
        except Exception as error:  # one failed job must never end the service
            get_logger().error(Event.JOB_FAILED, practice=self._practice, job=job, error=error)
        else:
            seconds = round(time.monotonic() - began, 3)
            get_logger().info(Event.JOB_FINISHED, practice=self._practice, job=job, seconds=seconds)


class _Daily(BaseTrigger):  # type: ignore[misc]  # APScheduler carries no types
    """Once on every local day. APScheduler's cron trigger fires twice in the hour that the clocks repeat."""

    def __init__(self, entry: Entry, zone: ZoneInfo) -> None:
        self._at, self._zone = entry.at or datetime.min.time(), zone

    def get_next_fire_time(self, previous: datetime | None, now: datetime) -> datetime:
        """A time that the clocks skip is made up for as much later; one that they repeat is its first one."""
        earliest = now.astimezone(UTC)
        today = now.astimezone(self._zone).date()
        for day in range(3):
            local = datetime.combine(today + timedelta(days=day), self._at, self._zone)
            due = local.astimezone(UTC)  # compared in UTC: within one zone Python compares the clock face
            if due >= earliest and (previous is None or due > previous.astimezone(UTC)):
                return due
        raise AssertionError("a time of day comes round within two days")


def _trigger(job: ScheduledJob) -> BaseTrigger:
    if job.entry.every is None:
        return _Daily(job.entry, job.zone)
    return IntervalTrigger(seconds=int(job.entry.every.total_seconds()), start_date=_GRID, timezone=UTC)
