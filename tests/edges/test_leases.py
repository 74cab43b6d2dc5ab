"""One run at a time: a lease is kept from everybody else, unless the process that holds it is certainly dead."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from adapter.errors import RetriableError
from adapter.store import runs
from adapter.store import tables as t
from adapter.store.engine import begin
from adapter.store.holder import is_dead, this_process
from adapter.store.leases import LEASE, lease, renew

NOW = datetime(2026, 11, 24, 10, tzinfo=UTC)
NAME = "run:main-street"
TELL_AND_WAIT = "from adapter.store.holder import this_process; print(this_process(), flush=True); input()"


@contextmanager
def another_process() -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A process and its name; it waits until it is killed or told to go."""
    with subprocess.Popen(
        [sys.executable, "-c", TELL_AND_WAIT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        yield process, process.stdout.readline().strip()
        process.kill()


def hold(engine: sa.Engine, owner: str) -> None:
    with begin(engine) as connection:
        connection.execute(sa.insert(t.lease).values(name=NAME, owner=f"{owner}/1", until=NOW + LEASE))


def refused(engine: sa.Engine, at: datetime) -> bool:
    try:
        with lease(engine, NAME, at):
            return False
    except RetriableError:
        return True


def test_a_lease_is_held_by_one_and_given_back(engine: sa.Engine) -> None:
    with lease(engine, NAME, NOW) as owner:
        assert refused(engine, NOW)
        with begin(engine) as connection:
            renew(connection, NAME, owner, NOW + timedelta(minutes=9))
        assert refused(engine, NOW + timedelta(minutes=18)), "it was renewed"
    assert not refused(engine, NOW)


def test_a_killed_process_keeps_nobody_out_and_a_living_one_does(engine: sa.Engine) -> None:
    with another_process() as (process, name):
        hold(engine, name)
        assert refused(engine, NOW)
        os.kill(process.pid, signal.SIGKILL)
        process.wait(timeout=30)
        assert not refused(engine, NOW)


@pytest.mark.parametrize(
    "owner",
    ["", "unknown", "0a1b2c3d", "another-boot-4026531836:1:99", "::", "no number"],
)
def test_nobody_is_dead_for_all_that_is_known_of_another_machine(engine: sa.Engine, owner: str) -> None:
    if owner == "no number":  # this machine, but no process: pytest wants names that are the same in every process
        owner = f"{this_process().partition(':')[0]}:x:1"
    assert not is_dead(owner)
    hold(engine, owner)
    assert refused(engine, NOW + LEASE)
    assert not refused(engine, NOW + LEASE + timedelta(seconds=1))


def test_a_later_process_with_the_same_number_is_somebody_else() -> None:
    here = this_process()
    assert not is_dead(here)
    before, _, started = here.rpartition(":")
    assert is_dead(f"{before}:{int(started) - 1}")


def test_who_lost_the_lease_is_told(engine: sa.Engine) -> None:
    with lease(engine, NAME, NOW) as owner:
        with begin(engine) as connection:
            connection.execute(sa.update(t.lease).values(owner="somebody else"))
        with begin(engine) as connection, pytest.raises(RetriableError, match="lost its lease"):
            renew(connection, NAME, owner, NOW)
    assert refused(engine, NOW), "it is not ours to give back"


def test_a_run_that_was_killed_is_said_to_have_failed(engine: sa.Engine) -> None:
    with begin(engine) as connection:
        killed = runs.start(connection, "main-street", "full", NOW)
        other = runs.start(connection, "hillside", "full", NOW)
    with begin(engine) as connection:
        runs.close_killed(connection, "main-street", NOW + timedelta(hours=1))
        shown = {row["run"]: row for row in runs.listing(connection, ["main-street", "hillside"])}
    assert shown[killed]["status"] == "failed" and shown[killed]["problems"] == [runs.KILLED]
    assert shown[other]["status"] == "running"
