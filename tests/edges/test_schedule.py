"""The clock of the service: jobs come due on time, never overlap within a practice, and stop cleanly."""

import io
import json
import os
import signal
import threading
import time as clock
from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from adapter.jobs.schedule import JobScheduler, next_times
from adapter.jobs.scheduled import ScheduledJob, jobs_of
from adapter.schedule_files import Entry, JobName, Schedule, load_schedule, schedule_folders

NEW_YORK = ZoneInfo("America/New_York")
SECOND = timedelta(seconds=1)


def _every(job: JobName, every: timedelta = SECOND, practice: str = "main-street") -> ScheduledJob:
    return ScheduledJob(practice=practice, entry=Entry(job=job, every=every), zone=NEW_YORK)


def _at(at: time) -> ScheduledJob:
    return ScheduledJob(practice="main-street", entry=Entry(job=JobName.RECONCILE, at=at), zone=NEW_YORK)


def _wait_until(true: Callable[[], bool], seconds: float = 8) -> None:
    limit = clock.monotonic() + seconds
    while not true():
        assert clock.monotonic() < limit, "it did not happen in time"
        clock.sleep(0.02)


class Diary:
    """A job that writes down when it ran, and can be made slow or faulty."""

    def __init__(self, *, takes: float = 0.0, fails: bool = False) -> None:
        self.takes, self.fails = takes, fails
        self.ran: list[tuple[str, JobName]] = []
        self.inside: dict[str, int] = {}
        self.overlaps = 0
        self.lock = threading.Lock()

    def __call__(self, practice: str, job: JobName) -> None:
        with self.lock:
            self.inside[practice] = self.inside.get(practice, 0) + 1
            self.overlaps += self.inside[practice] > 1
        clock.sleep(self.takes)
        with self.lock:
            self.inside[practice] -= 1
            self.ran.append((practice, job))
        if self.fails:
            raise ValueError("quillfeather@example.org")

    def count(self, job: JobName) -> int:
        return sum(1 for _, name in self.ran if name == job)


def test_interval_jobs_run_at_once() -> None:
    diary = Diary()
    scheduler = JobScheduler([_every(JobName.DELIVER, timedelta(hours=12))], diary)
    scheduler.start()
    _wait_until(lambda: diary.count(JobName.DELIVER) == 1)
    assert scheduler.stop(5)


def test_interval_jobs_run_again_and_again() -> None:
    diary = Diary()
    scheduler = JobScheduler([_every(JobName.DELIVER)], diary)
    scheduler.start()
    _wait_until(lambda: diary.count(JobName.DELIVER) >= 3)
    assert scheduler.stop(5)


def test_jobs_of_one_practice_never_overlap_and_missed_ones_become_one() -> None:
    diary = Diary(takes=1.3)
    scheduler = JobScheduler([_every(JobName.SYNC), _every(JobName.DELIVER)], diary)
    began = clock.monotonic()
    scheduler.start()
    _wait_until(lambda: len(diary.ran) >= 3)
    assert scheduler.stop(5)
    assert diary.overlaps == 0
    assert len(diary.ran) <= (clock.monotonic() - began) / 1.3
    assert {job for _, job in diary.ran} == {JobName.SYNC, JobName.DELIVER}


def test_practices_do_not_wait_for_each_other() -> None:
    both = threading.Barrier(2, timeout=5)
    met = threading.Event()

    def meet(_practice: str, _job: JobName) -> None:
        both.wait()
        met.set()

    scheduler = JobScheduler([_every(JobName.SYNC, practice=name) for name in ("a", "b")], meet)
    scheduler.start()
    assert met.wait(5)
    both.abort()
    assert scheduler.stop(5)


def test_no_more_practices_work_at_once_than_allowed() -> None:
    working, most, lock, done = 0, 0, threading.Lock(), 0

    def work(_practice: str, _job: JobName) -> None:
        nonlocal working, most, done
        with lock:
            working += 1
            most = max(most, working)
        clock.sleep(0.05)
        with lock:
            working -= 1
            done += 1

    hour = timedelta(hours=1)
    scheduler = JobScheduler([_every(JobName.SYNC, hour, practice=f"p{n}") for n in range(6)], work, parallel=2)
    scheduler.start()
    _wait_until(lambda: done == 6)
    assert scheduler.stop(5)
    assert most == 2


def test_a_failing_job_is_logged_by_class_and_tried_again(log_lines: io.StringIO) -> None:
    diary = Diary(fails=True)
    scheduler = JobScheduler([_every(JobName.SYNC)], diary)
    scheduler.start()
    _wait_until(lambda: diary.count(JobName.SYNC) >= 2)
    assert scheduler.stop(5)
    said = [json.loads(line) for line in log_lines.getvalue().splitlines()]
    failed = [(line["practice"], line["job"], line["error"]) for line in said if line["event"] == "job-failed"]
    assert failed[0] == ("main-street", "sync", "ValueError")
    assert len(failed) >= 2
    assert "quillfeather" not in log_lines.getvalue()


def test_stopping_waits_for_the_running_job() -> None:
    diary = Diary(takes=2)
    scheduler = JobScheduler([_every(JobName.SYNC), _every(JobName.DELIVER)], diary)
    scheduler.start()
    _wait_until(lambda: diary.inside.get("main-street") == 1)
    assert scheduler.stop(5)
    assert diary.ran == [("main-street", JobName.SYNC)]
    clock.sleep(1.2)
    assert len(diary.ran) == 1


def test_stopping_does_not_wait_for_ever() -> None:
    busy, free = threading.Event(), threading.Event()

    def hang(_practice: str, _job: JobName) -> None:
        busy.set()
        free.wait(20)

    scheduler = JobScheduler([_every(JobName.SYNC)], hang)
    scheduler.start()
    assert busy.wait(10)
    began = clock.monotonic()
    assert not scheduler.stop(0.3)
    assert clock.monotonic() - began < 5
    free.set()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_service_cleanly(number: signal.Signals) -> None:
    diary = Diary()
    scheduler = JobScheduler([_every(JobName.SYNC)], diary)
    before = signal.getsignal(number)
    threading.Timer(0.5, os.kill, [os.getpid(), number]).start()
    assert scheduler.run(stop_seconds=5)
    assert diary.count(JobName.SYNC) >= 1
    assert signal.getsignal(number) is before


def _days_of(job: ScheduledJob, now: datetime, days: int) -> list[datetime]:
    found = []
    for _ in range(days):
        due = next_times([job], now)[0].at
        found.append(due)
        now = due.astimezone(UTC) + timedelta(microseconds=1)
    return found


def test_the_nightly_job_runs_once_on_the_night_the_clocks_go_forward() -> None:
    due = _days_of(_at(time(2, 30)), datetime(2025, 3, 8, 1, tzinfo=NEW_YORK), 3)
    assert [at.isoformat() for at in due] == [
        "2025-03-08T02:30:00-05:00",
        "2025-03-09T03:30:00-04:00",  # half past two does not exist on that night
        "2025-03-10T02:30:00-04:00",
    ]


def test_the_nightly_job_runs_once_on_the_night_the_clocks_go_back() -> None:
    due = _days_of(_at(time(1, 30)), datetime(2025, 11, 1, 1, tzinfo=NEW_YORK), 3)
    assert [at.isoformat() for at in due] == [
        "2025-11-01T01:30:00-04:00",
        "2025-11-02T01:30:00-04:00",  # and not again an hour later, when it is half past one once more
        "2025-11-03T01:30:00-05:00",
    ]


def test_next_times_are_in_the_zone_of_the_schedule_or_else_of_the_practice() -> None:
    entries = (Entry(job=JobName.REVIEW, at=time(0, 10)), Entry(job=JobName.SYNC, every=timedelta(minutes=10)))
    now = datetime(2025, 6, 1, 12, 3, tzinfo=UTC)
    own = next_times(jobs_of("p", Schedule(name="s", entries=entries), time_zone="America/New_York"), now)
    named = next_times(jobs_of("p", Schedule(name="s", entries=entries, time_zone="UTC"), time_zone="Asia/Tokyo"), now)
    assert [(job, at.isoformat()) for _, job, at in own] == [
        (JobName.SYNC, "2025-06-01T08:10:00-04:00"),
        (JobName.REVIEW, "2025-06-02T00:10:00-04:00"),
    ]
    assert [at.isoformat() for _, _, at in named] == ["2025-06-01T12:10:00+00:00", "2025-06-02T00:10:00+00:00"]


def test_the_default_schedule_has_a_next_time_for_every_job(tmp_path: Path) -> None:
    schedule = load_schedule("default", schedule_folders(tmp_path))
    times = next_times(jobs_of("p", schedule, time_zone="UTC"), datetime(2025, 6, 1, tzinfo=UTC))
    assert {entry.job for entry in times} == set(JobName) - {JobName.PUSH}  # that one comes with a notification
