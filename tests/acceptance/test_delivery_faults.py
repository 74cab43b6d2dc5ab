"""Every fault at every request of a delivery to a portal: nothing is lost, nothing doubled, nothing claimed."""

import multiprocessing
import os
import shutil
import signal
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from adapter.store import outbox
from adapter.store.engine import begin, make_engine
from adapter.store.outbox import LEASE
from tests.acceptance.delivery_line import Line, line_to
from tests.edges.portal.faulty import FAULTS

ELSEWHERE = {"killed", "closed", "elsewhere", "forbidden", "unknown-token"}
"""The first has a test of its own; the others are put off exactly as "broken" and "too-many" are."""
STRIDE = {"scim": 3, "http": 4, "fhir": 11}
"""Every which request has the fault here; the faults begin at different ones, so together they try all."""
HERE = sorted(FAULTS.keys() - ELSEWHERE)
WHOLE = bool(os.environ.get("WHOLE_MATRIX"))


def some(kind: str, number: int, requests: int) -> range:
    """The requests to try with the fault of this number; all of them with WHOLE_MATRIX=1."""
    stride = 1 if WHOLE else STRIDE[kind]
    return range(1 + number % stride, requests + 1, stride)


@pytest.fixture(scope="module", params=["scim", "http", "fhir"])
def line(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, _sqlite_template: Path
) -> Iterator[tuple[str, Line]]:
    folder = tmp_path_factory.mktemp("faults")
    shutil.copyfile(_sqlite_template, folder / "adapter.db")
    engine = make_engine(f"sqlite:///{folder}/adapter.db")
    with line_to(request.param, engine, folder) as made:
        yield request.param, made
    engine.dispose()


@pytest.mark.parametrize("fault", HERE)
def test_a_fault_at_any_request_loses_nothing_doubles_nothing_and_hides_nothing(
    line: tuple[str, Line], fault: str
) -> None:
    kind, way = line
    requests = way.requests()
    assert requests > 8
    for at in some(kind, HERE.index(fault), requests):
        way.start_over()
        way.change_everything()
        way.between.again(fault, at)
        way.deliver_until_done(f"{fault} at {at}")


@pytest.mark.parametrize("kind", ["scim", "http", "fhir"])
def test_a_worker_killed_at_any_request_loses_nothing_and_doubles_nothing(
    kind: str, engine: sa.Engine, tmp_path: Path
) -> None:
    fork = multiprocessing.get_context("fork")
    with line_to(kind, engine, tmp_path) as way:
        for at in range(1, way.requests() + 1, 1 if WHOLE else STRIDE[kind] * 2):
            way.start_over()
            way.change_everything()
            way.between.again("killed", at)
            way.engine.dispose()
            worker = fork.Process(target=way.deliver)
            worker.start()
            assert worker.pid is not None
            way.between.victim = worker.pid
            worker.join(20)
            assert worker.exitcode == -signal.SIGKILL, at
            way.between.again()
            assert way.waiting(), at  # what was under way is not called done
            way.at += LEASE + timedelta(minutes=1)
            with begin(way.engine) as connection:
                outbox.recover(connection, now=way.at)
            way.deliver_until_done(f"killed at {at}")
