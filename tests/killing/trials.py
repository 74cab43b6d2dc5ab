"""Trials: a run is killed, another one completes it, and every row is as if nothing had happened."""

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from random import Random

import sqlalchemy as sa

from adapter.store.engine import make_engine
from adapter.store.migrations import migrate
from tests import postgres
from tests.edges.small_practice import SmallPractice
from tests.killing.site import do, killed_after, prepare, rows

JOBS = ("sync", "apply")
Copy = Callable[[], str]
"""Makes a copy of the prepared database and gives its address."""


@dataclass
class Tally:
    """What happened: trials, those in which the process was killed, and those that had done everything already."""

    trials: int = 0
    killed: int = 0
    complete: int = 0
    seconds: dict[str, float] = field(default_factory=dict)


@contextmanager
def sqlite_copies(folder: Path) -> Iterator[tuple[SmallPractice, Copy]]:
    """A prepared practice on SQLite."""
    template = folder / "template.db"
    engine = make_engine(f"sqlite:///{template}")
    migrate(engine)
    practice = prepare(engine, folder / "site")
    engine.dispose()
    numbers = count()

    def copy() -> str:
        for old in folder.glob("copy-*"):
            old.unlink()
        target = folder / f"copy-{next(numbers)}.db"
        shutil.copyfile(template, target)
        return f"sqlite:///{target}"

    yield practice, copy


@contextmanager
def postgres_copies(folder: Path, sockets: Path) -> Iterator[tuple[SmallPractice, Copy]]:
    """A prepared practice on the PostgreSQL server whose sockets are there."""

    def statement(text: str) -> None:
        url = postgres.url(sockets, "postgres")
        engine = sa.create_engine(url, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
        with engine.connect() as connection:
            connection.exec_driver_sql(text)

    statement("CREATE DATABASE prepared")
    engine = make_engine(postgres.url(sockets, "prepared"))
    migrate(engine)
    practice = prepare(engine, folder / "site")
    engine.dispose()
    numbers = count()

    def copy() -> str:
        name = f"copy{next(numbers)}"
        statement(f"CREATE DATABASE {name} TEMPLATE prepared")
        return postgres.url(sockets, name)

    yield practice, copy
    statement("DROP DATABASE prepared")


def run_trials(practice: SmallPractice, copy: Copy, random: Random, times: int, jobs: tuple[str, ...] = JOBS) -> Tally:
    """So many trials of each job. Raises AssertionError where a row is another one than without the kill."""
    tally = Tally()
    for job in jobs:
        began = time.monotonic()
        whole = copy()
        _in_a_process(practice, whole, job, None)
        tally.seconds[job] = time.monotonic() - began
        expected = rows(whole)
        assert rows(copy()) != expected, "the job changes nothing, so nothing could differ"
        for _ in range(times):
            url = copy()
            killed = _in_a_process(practice, url, job, random.uniform(0, tally.seconds[job]))
            ended = _complete(practice, url, job)
            assert ended in ("held", "stale"), (job, ended)
            compare(rows(url), expected, job)
            tally.trials += 1
            tally.killed += killed
            tally.complete += ended == "stale"
    return tally


def compare(found: dict[str, list[str]], expected: dict[str, list[str]], job: str) -> None:
    """Row for row. Raises AssertionError naming the table and the rows that differ."""
    for table, wanted in expected.items():
        only = sorted(set(found[table]) ^ set(wanted))
        assert found[table] == wanted, f"{job}: {table} differs: {only[:6]}"


def _in_a_process(practice: SmallPractice, url: str, job: str, seconds: float | None) -> bool:
    def work() -> None:
        engine = make_engine(url)
        do(practice, engine, job)
        engine.dispose()

    return killed_after(60 if seconds is None else seconds, work)


def _complete(practice: SmallPractice, url: str, job: str) -> str:
    engine = make_engine(url)
    try:
        return do(practice, engine, job)
    finally:
        engine.dispose()
