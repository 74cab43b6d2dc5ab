"""Intake by a process of its own gives what intake in this process gives, and neither outlives the other."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import date
from itertools import islice
from pathlib import Path

import psutil
import pytest

from adapter.core.mapping import Mapper
from adapter.ehr import ReadResult
from adapter.ehr.files import FilesReader
from adapter.errors import SourceError
from adapter.jobs import beside
from adapter.jobs.beside import intake_beside, is_worthwhile
from adapter.jobs.intake import Batch, intake
from adapter.profiles import load_profile
from adapter.sandbox.families import population, story, write_ndjson

TODAY = date(2026, 3, 2)
ROOT = Path(__file__).parents[2]
PARENT = """
import sys, time
from pathlib import Path
from adapter.core.mapping import Mapper
from adapter.ehr import ReadResult
from adapter.ehr.files import FilesReader
from adapter.jobs.beside import intake_beside
from adapter.profiles import load_profile
mapper = Mapper(load_profile("family-contacts", []))
batches = intake_beside(FilesReader(Path(sys.argv[1])), mapper, ReadResult(full=True))
next(batches)
print("reading", flush=True)
time.sleep(60)
"""


@pytest.fixture(scope="module")
def mapper() -> Mapper:
    return Mapper(load_profile("family-contacts", []))


def in_this_process(folder: Path, mapper: Mapper) -> tuple[list[Batch], ReadResult]:
    result = ReadResult(full=False)
    records = FilesReader(folder).read(result, marks={}, progress=lambda *_: None)
    return list(intake(records, mapper, result)), result


def by_another(folder: Path, mapper: Mapper) -> tuple[list[Batch], ReadResult]:
    result = ReadResult(full=False)
    return list(intake_beside(FilesReader(folder), mapper, result)), result


def test_another_process_reads_the_same(tmp_path: Path, mapper: Mapper) -> None:
    write_ndjson(tmp_path, (resource for family in story(TODAY) for resource in family.resources))
    (tmp_path / "more.ndjson").write_text(
        '{"resourceType": "Observation", "id": "1"}\n{"resourceType": "Patient"}\n{"a":'
    )
    here, there = in_this_process(tmp_path, mapper), by_another(tmp_path, mapper)
    assert here == there
    (batch,), result = there
    assert batch.incoming and len(batch.damaged) == 2 and sum(batch.ignored.values()) == 1
    assert result.full and not result.complete and len(result.problems) == 1


def test_a_folder_that_is_not_there_is_an_incomplete_read(tmp_path: Path, mapper: Mapper) -> None:
    here, there = in_this_process(tmp_path / "none", mapper), by_another(tmp_path / "none", mapper)
    assert here == there and there[1].problems


def test_only_a_large_folder_of_files_is_worth_another_process(
    tmp_path: Path, mapper: Mapper, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_ndjson(tmp_path, population(10, today=TODAY))
    reader = FilesReader(tmp_path)
    assert not is_worthwhile(reader, mapper)
    monkeypatch.setattr(beside, "WORTHWHILE", reader.size())
    assert is_worthwhile(reader, mapper) is ((os.cpu_count() or 1) > 1)


def test_a_reading_process_that_is_killed_makes_the_read_fail(large: Path, mapper: Mapper) -> None:
    batches = intake_beside(FilesReader(large), mapper, ReadResult(full=True))
    next(batches)
    (child,) = children_of(os.getpid())
    os.kill(child, signal.SIGKILL)
    with pytest.raises(SourceError, match="stopped early"):
        list(batches)


def test_a_sync_that_stops_early_ends_the_reading_process(large: Path, mapper: Mapper) -> None:
    batches = intake_beside(FilesReader(large), mapper, ReadResult(full=True))
    assert len(list(islice(batches, 1))) == 1
    assert children_of(os.getpid())
    batches.close()  # type: ignore[attr-defined]
    assert not children_of(os.getpid())


def test_no_reading_process_outlives_a_sync_that_was_killed(large: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, str(large)], env=os.environ | {"PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE
    ) as sync:
        assert sync.stdout is not None and sync.stdout.readline() == b"reading\n"
        (child,) = children_of(sync.pid)
        sync.kill()
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and is_running(child):
        time.sleep(0.05)
    assert not is_running(child)


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Several batches."""
    folder = tmp_path_factory.mktemp("large")
    write_ndjson(folder, population(20_000, today=TODAY))
    yield folder


def children_of(process: int) -> list[int]:
    """The running child processes."""
    return [child.pid for child in psutil.Process(process).children() if child.status() != psutil.STATUS_ZOMBIE]


def is_running(process: int) -> bool:
    try:
        return psutil.Process(process).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
