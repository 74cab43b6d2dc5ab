"""Damaged exports: what is quarantined alone, and what makes the run incomplete."""

import gzip
import random
from collections.abc import Callable
from pathlib import Path

import orjson
import pytest

from adapter.ehr import Broken, ReadResult, Record
from adapter.ehr.files import FilesReader
from tests.edges.ehr.families import CANARY, Json, contact, families, patient, quiet, refs
from tests.edges.ehr.folders import bundle, ndjson, read

MEGABYTE = 1024 * 1024


def outcome(severity: str) -> Json:
    return {
        "resourceType": "OperationOutcome",
        "issue": [{"severity": severity, "code": "throttled", "details": CANARY}],
    }


@pytest.mark.parametrize("bad", [b"Canary", b'{"id":NaN}', b"7", b'"Canary"', b'{"id":"\xff"}'])
@pytest.mark.parametrize("at", [0, 2, 4])
def test_a_line_that_is_no_record_is_quarantined_and_nothing_else_stops(tmp_path: Path, bad: bytes, at: int) -> None:
    lines = ndjson(families(3)[:4]).splitlines()
    lines.insert(at, bad)
    (tmp_path / "a.ndjson").write_bytes(b"\n".join(lines) + b"\n")
    rows, result = read(tmp_path)
    broken = [row for row in rows if isinstance(row, Broken)]
    assert [(row.origin, row.ref) for row in broken] == [(f"a.ndjson:{at + 1}", "")]
    assert len(rows) == 5
    assert result.complete


def test_a_line_with_a_duplicate_key_is_quarantined_under_its_own_name(tmp_path: Path) -> None:
    line = orjson.dumps(contact("c1", "p1")).replace(b'"reference":', b'"reference":"Patient/p9","reference":')
    (tmp_path / "a.ndjson").write_bytes(line + b"\n")
    rows, result = read(tmp_path)
    problem = "has a key twice, so what was meant cannot be known"
    assert rows == [Broken("a.ndjson:1", problem, path="patient.reference", ref="RelatedPerson/c1")]
    assert result.complete


def test_a_record_whose_id_is_there_twice_has_no_name(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(b'{"resourceType":"Patient","id":"p1","id":"p2"}')
    rows, _ = read(tmp_path)
    assert [(row.ref, row.path) for row in rows if isinstance(row, Broken)] == [("", "id")]


def test_a_duplicate_key_in_one_entry_spoils_that_entry_only(tmp_path: Path) -> None:
    data = bundle([{"resource": patient(key)} for key in ("p1", "p2", "p3")])
    (tmp_path / "a.json").write_bytes(data.replace(b'"id":"p2"', b'"id":"p2","active":true,"active":false'))
    rows, result = read(tmp_path)
    assert [type(row) for row in rows] == [Record, Broken, Record]
    assert refs(rows) == {"Patient/p1", "Patient/p2", "Patient/p3"}
    assert result.complete


def test_a_bundle_with_its_entries_given_twice_is_incomplete(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(b'{"resourceType":"Bundle","entry":[],"entry":[]}')
    rows, result = read(tmp_path)
    assert (rows, result.complete) == ([], False)


@pytest.mark.parametrize("cut", [1, 10, 60])
def test_an_export_cut_off_in_its_last_line_is_incomplete(tmp_path: Path, cut: int) -> None:
    (tmp_path / "a.ndjson").write_bytes(ndjson(families())[: -cut - 1])
    rows, result = read(tmp_path)
    assert not result.complete
    assert isinstance(rows[-1], Broken)
    assert len(rows) == len(families())


def test_a_last_line_without_its_end_is_fine_when_it_is_whole(tmp_path: Path) -> None:
    (tmp_path / "a.ndjson").write_bytes(ndjson(families())[:-1])
    rows, result = read(tmp_path)
    assert (len(rows), result.complete) == (len(families()), True)


@pytest.mark.parametrize(
    ("name", "data", "complete"),
    [
        ("one.json", orjson.dumps(patient("p1")).replace(b'"p1"', b"p1"), True),
        ("one.json", orjson.dumps(patient("p1"))[:-3], False),
        ("one.json", b"", False),
        ("many.json", bundle([{"resource": patient("p1")}]).replace(b'"p1"', b"NaN"), False),
        ("list.json", b"[" + orjson.dumps(patient("p1")) + b",nope]", False),
    ],
)
def test_an_unreadable_file_is_incomplete_unless_it_held_one_record(
    tmp_path: Path, name: str, data: bytes, complete: bool
) -> None:
    (tmp_path / name).write_bytes(data)
    rows, result = read(tmp_path)
    assert [type(row) for row in rows] == [Broken]
    assert result.complete is complete


@pytest.mark.parametrize("ending", [".ndjson.gz", ".json.gz"])
@pytest.mark.parametrize(
    "damage", [lambda data: data[:-30], lambda data: b"\x00" + data, lambda data: data[:40] + b"!!" + data[42:]]
)
def test_a_damaged_gzip_file_is_incomplete(tmp_path: Path, ending: str, damage: Callable[[bytes], bytes]) -> None:
    noise = random.Random(1).randbytes(3000).hex()
    data = gzip.compress(orjson.dumps(patient("p1") | {"text": noise}) + b"\n")
    (tmp_path / f"a{ending}").write_bytes(damage(data))
    _, result = read(tmp_path)
    assert not result.complete
    assert "gzip" in result.problems[0]


def test_a_gzip_bomb_is_not_unpacked_to_its_end(tmp_path: Path) -> None:
    (tmp_path / "a.ndjson.gz").write_bytes(gzip.compress((b"[" + b" " * 1000 + b"]\n") * (70 * 1024)))
    (tmp_path / "b.json.gz").write_bytes(gzip.compress(b" " * (70 * MEGABYTE)))
    rows, result = read(tmp_path)
    assert rows == []
    assert [problem.split(" was")[0] for problem in result.problems] == [
        "a.ndjson.gz unpacks to more than 64 MB and",
        "b.json.gz is larger than 64 MB and",
    ]


def test_a_line_of_many_megabytes_is_quarantined_and_the_next_one_is_read(tmp_path: Path) -> None:
    long = b'{"id":"' + b"x" * 3 * MEGABYTE + b'"}\n'
    (tmp_path / "a.ndjson").write_bytes(long + ndjson([patient("p1")]) + long[:-1])
    result = ReadResult(full=True)
    rows = list(FilesReader(tmp_path, max_line=MEGABYTE).read(result, marks={}, progress=quiet))
    assert [row.problem if isinstance(row, Broken) else row.origin for row in rows] == [
        "is longer than 1 MB",
        "a.ndjson:2",
        "is longer than 1 MB",
    ]


def test_a_bundle_file_over_the_cap_is_incomplete(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(bundle([{"resource": patient("p1") | {"text": "x" * 2 * MEGABYTE}}]))
    result = ReadResult(full=True)
    assert list(FilesReader(tmp_path, max_file=MEGABYTE).read(result, marks={}, progress=quiet)) == []
    assert not result.complete
    assert ".ndjson" in result.problems[0]


@pytest.mark.parametrize(
    ("kind", "severity", "complete"),
    [
        ("collection", "fatal", False),
        ("collection", "error", False),
        ("collection", "warning", True),
        ("searchset", "warning", False),
        ("searchset", "information", True),
        ("collection", "Canary", False),
    ],
)
def test_an_operation_outcome_of_error_says_that_the_export_is_not_complete(
    tmp_path: Path, kind: str, severity: str, complete: bool
) -> None:
    (tmp_path / "a.json").write_bytes(bundle([{"resource": patient("p1")}, {"resource": outcome(severity)}], kind))
    rows, result = read(tmp_path)
    assert refs(rows) == {"Patient/p1"}
    assert result.complete is complete
    assert all("throttled" in problem for problem in result.problems)


def test_a_failed_part_of_a_batch_response_is_incomplete(tmp_path: Path) -> None:
    good = {"response": {"status": "200 OK"}, "resource": patient("p1")}
    (tmp_path / "a.json").write_bytes(bundle([good, {"response": {"status": "404"}}], "batch-response"))
    rows, result = read(tmp_path)
    assert (refs(rows), result.complete) == ({"Patient/p1"}, False)


def test_a_file_that_changes_while_it_is_read_is_incomplete(tmp_path: Path) -> None:
    (tmp_path / "a.ndjson").write_bytes(ndjson(families()))
    result = ReadResult(full=True)
    rows = FilesReader(tmp_path).read(result, marks={}, progress=quiet)
    next(rows)
    (tmp_path / "a.ndjson").write_bytes(ndjson(families(9)))
    list(rows)
    assert not result.complete
    assert "changed" in result.problems[0]
