"""Intake by processes of their own gives what intake in this process gives, and none outlives the other."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from datetime import date
from itertools import islice
from pathlib import Path

import psutil
import pytest

from adapter.core.facts import Quarantined
from adapter.core.mapping import Mapper
from adapter.ehr import ReadResult, folder
from adapter.ehr.files import FilesReader
from adapter.ehr.folder import Source, shares
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


def in_this_process(place: Path, mapper: Mapper) -> tuple[list[Batch], ReadResult]:
    result = ReadResult(full=False)
    records = FilesReader(place).read(result, marks={}, progress=lambda *_: None)
    return list(intake(records, mapper, result)), result


def together(batches: list[Batch]) -> tuple[list[str], list[Quarantined], Counter[str], int]:
    """What came, in whatever batches and order."""
    ignored: Counter[str] = Counter()
    for batch in batches:
        ignored.update(batch.ignored)
    return (
        sorted(f"{item.ref} {item.hash} {item.facts} {item.origin}" for batch in batches for item in batch.incoming),
        sorted((record for batch in batches for record in batch.damaged), key=lambda record: record.origin),
        ignored,
        sum(batch.resources for batch in batches),
    )


def by_another(place: Path, mapper: Mapper) -> tuple[list[Batch], ReadResult]:
    result = ReadResult(full=False)
    return list(intake_beside(FilesReader(place), mapper, result)), result


def test_other_processes_read_the_same(tmp_path: Path, mapper: Mapper) -> None:
    write_ndjson(tmp_path, (resource for family in story(TODAY) for resource in family.resources))
    (tmp_path / "more.ndjson").write_text(
        '{"resourceType": "Observation", "id": "1"}\n{"resourceType": "Patient"}\n{"a":'
    )
    (tmp_path / "late.ndjson.gz").write_bytes(b"not gzip")
    (here, of_here), (there, of_there) = in_this_process(tmp_path, mapper), by_another(tmp_path, mapper)
    assert of_here.full and of_there.full and not of_here.complete and not of_there.complete
    assert sorted(of_here.problems) == sorted(of_there.problems) and len(of_there.problems) == 2
    assert of_here.strategy == of_there.strategy
    assert together(here) == together(there)
    incoming, damaged, ignored, resources = together(there)
    assert incoming and len(damaged) == 2 and ignored.total() == 1
    assert resources == len(incoming) + len(damaged) + ignored.total()


def test_the_order_of_batches_is_always_the_same(large: Path, mapper: Mapper) -> None:
    first, second = ([batch.incoming[0].ref for batch in by_another(large, mapper)[0]] for _ in range(2))
    assert first == second and len(first) > 3


def test_every_file_belongs_to_exactly_one_share(tmp_path: Path) -> None:
    files = []
    for number, size in enumerate((5, 900, 30, 800, 31, 0)):
        path = tmp_path / f"{number}.ndjson"
        path.write_text("x" * size)
        files.append(Source(path, path.name))
    gone = Source(tmp_path / "gone.ndjson", "gone.ndjson")
    for number in (1, 2, 3, 7, 12):
        parts = shares([*files, gone], number)
        assert len(parts) == min(number, 7) and all(parts)
        assert sorted(source.name for part in parts for source in part) == sorted(s.name for s in [*files, gone])
    large, other = shares(files, 2)
    assert [source.name for source in large] == ["1.ndjson"] and other == [s for s in files if s not in large]
    assert shares([], 2) == []


def test_a_large_file_is_cut_into_pieces_that_hold_each_line_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever the cuts fall: at a line's start, inside one, inside one that spans several pieces, or at the end."""
    monkeypatch.setattr(folder, "PIECE_FROM", 1)
    path = tmp_path / "a.ndjson"
    for text in (b"1\n22\n\n4444444444444444\n5\n", b"1\n22\n333", b"\n\n\n", b"1", b""):
        path.write_bytes(text)
        for max_line in (4, 100):
            wanted = lines_of(Source(path, path.name), max_line)
            for number in range(2, 9):
                parts = shares([Source(path, path.name)], number)
                assert sorted(line for part in parts for piece in part for line in lines_of(piece, max_line)) == wanted


def test_a_file_that_changed_since_it_was_cut_makes_the_read_incomplete(tmp_path: Path, mapper: Mapper) -> None:
    write_ndjson(tmp_path, population(5_000, today=TODAY))
    reader, result = FilesReader(tmp_path), ReadResult(full=True)
    (first, *_), _ = shares(reader.listing(result), 2)
    assert first.piece is not None
    os.utime(first.path, ns=(0, 0))
    assert list(reader.read_files([first], result)) == []
    assert not result.complete and "changed while it was read" in result.problems[0]


def lines_of(source: Source, max_line: int) -> list[tuple[int, bytes, bool]]:
    with folder.opened(source) as stream:
        return list(folder.lines(source, stream, max_line=max_line))


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
    for child in children_of(os.getpid()):
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
        children = children_of(sync.pid)
        assert children
        sync.kill()
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and any(map(is_running, children)):
        time.sleep(0.05)
    assert not any(map(is_running, children))


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Several batches."""
    place = tmp_path_factory.mktemp("large")
    write_ndjson(place, population(20_000, today=TODAY))
    yield place


def children_of(process: int) -> list[int]:
    """The running child processes."""
    return [child.pid for child in psutil.Process(process).children() if child.status() != psutil.STATUS_ZOMBIE]


def is_running(process: int) -> bool:
    try:
        return psutil.Process(process).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
