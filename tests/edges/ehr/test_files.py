"""The ``files`` reader over real folders: what is read, from where, and what is followed."""

import gzip
import os
from pathlib import Path

import orjson
import pytest

from adapter.ehr import ReadResult, Record
from adapter.ehr.files import FilesReader
from adapter.errors import SourceError
from tests.edges.ehr.families import contact, families, patient, refs, refs_of
from tests.edges.ehr.folders import bundle, ndjson, read

MEGABYTE = 1024 * 1024


def test_a_folder_of_every_shape_is_read_in_order_and_says_where_each_record_was(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "patients.ndjson").write_bytes(b"\n" + ndjson([patient("p1"), patient("p2")]))
    (tmp_path / "b.json").write_bytes(bundle([{"resource": patient("p3")}, {"resource": contact("c3", "p3")}]))
    (tmp_path / "a.json").write_bytes(orjson.dumps(patient("p4")))
    (tmp_path / "list.json").write_bytes(orjson.dumps([patient("p5"), patient("p6")]))
    (tmp_path / "z.ndjson.gz").write_bytes(gzip.compress(ndjson([patient("p7")])))
    (tmp_path / "z.json.gz").write_bytes(gzip.compress(orjson.dumps(patient("p8"))))
    rows, result = read(tmp_path)
    origins = ["a.json", "b.json entry 1", "b.json entry 2", "list.json item 1", "list.json item 2"]
    assert [row.origin for row in rows] == [
        *origins,
        "sub/patients.ndjson:2",
        "sub/patients.ndjson:3",
        "z.json.gz",
        "z.ndjson.gz:1",
    ]
    assert result == ReadResult(full=True, complete=True, strategy="folder")


def test_windows_line_ends_a_byte_order_mark_and_blank_lines_are_fine(tmp_path: Path) -> None:
    lines = b"\xef\xbb\xbf" + ndjson(families()).replace(b"\n", b"\r\n\r\n   \r\n")
    (tmp_path / "a.ndjson").write_bytes(lines)
    rows, result = read(tmp_path)
    assert refs(rows) == refs_of(families())
    assert result.complete


def test_an_empty_folder_is_a_complete_read_of_nothing(tmp_path: Path) -> None:
    assert read(tmp_path) == ([], ReadResult(full=True, complete=True, strategy="folder"))


def test_other_endings_and_hidden_files_are_passed_over(tmp_path: Path) -> None:
    for name in ("notes.txt", ".hidden.json", "a.json.bak", "b.xml"):
        (tmp_path / name).write_bytes(b"not JSON")
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "a.json").write_bytes(b"not JSON")
    assert read(tmp_path) == ([], ReadResult(full=True, complete=True, strategy="folder"))


@pytest.mark.parametrize("name", ["missing", "file.json"])
def test_a_path_that_is_no_folder_makes_the_run_incomplete(tmp_path: Path, name: str) -> None:
    (tmp_path / "file.json").write_bytes(b"{}")
    rows, result = read(tmp_path / name)
    assert (rows, result.complete) == ([], False)
    assert "check `path`" in result.problems[0]
    assert [check.ok for check in FilesReader(tmp_path / name).check()] == [False]
    with pytest.raises(SourceError):
        FilesReader(tmp_path / name).read_one("Patient/p1")


def test_a_history_gives_the_newest_version_and_nothing_of_what_was_deleted(tmp_path: Path) -> None:
    gone = {"request": {"method": "DELETE", "url": "RelatedPerson/c1/_history/2"}}
    entries = [gone, {"resource": contact("c1", "p1")}, {"resource": patient("p1", "2026-02-02T00:00:00Z")}]
    (tmp_path / "a.json").write_bytes(bundle([*entries, {"resource": patient("p1")}], "history"))
    rows, result = read(tmp_path)
    assert [row.origin for row in rows] == ["a.json entry 3"]
    assert result.complete


def test_links_are_followed_inside_the_folder_only(tmp_path: Path) -> None:
    export = tmp_path / "export"
    (export / "a").mkdir(parents=True)
    (tmp_path / "out.json").write_bytes(orjson.dumps(patient("p1")))
    (export / "a" / "in.json").write_bytes(orjson.dumps(patient("p2")))
    (export / "again.json").symlink_to(export / "a" / "in.json")
    (export / "loop").symlink_to(export)
    (export / "out.json").symlink_to(tmp_path / "out.json")
    rows, result = read(export)
    assert refs(rows) == {"Patient/p2"}
    assert len(rows) == 1
    assert [problem.split()[0] for problem in result.problems] == ["out.json"]


def test_a_link_to_nothing_and_a_pipe_are_incomplete_and_do_not_hang(tmp_path: Path) -> None:
    (tmp_path / "gone.json").symlink_to(tmp_path / "nowhere.json")
    os.mkfifo(tmp_path / "pipe.ndjson")
    (tmp_path / "self.json").symlink_to(tmp_path / "self.json")
    rows, result = read(tmp_path)
    assert rows == []
    assert [problem.split()[0] for problem in result.problems] == ["gone.json", "pipe.ndjson", "self.json"]


def test_a_family_is_its_charts_and_every_contact_on_them_however_they_point_there(tmp_path: Path) -> None:
    absolute = contact("c8", "p1")
    absolute["patient"]["reference"] = "https://ehr.example/fhir/Patient/p1/_history/3"
    strangers = [patient("p2"), contact("c2", "p2"), {"resourceType": "RelatedPerson", "id": "c3", "patient": "p1"}]
    (tmp_path / "a.ndjson").write_bytes(ndjson([patient("p1"), contact("c1", "p1"), absolute, *strangers]) + b"nope\n")
    rows = list(FilesReader(tmp_path).read_family(ReadResult(full=False), patients=["Patient/p1"]))
    assert refs(rows) == {"Patient/p1", "RelatedPerson/c1", "RelatedPerson/c8", ""}


def test_one_record_is_found_in_its_newest_version_and_missed_when_it_is_gone(tmp_path: Path) -> None:
    newest = patient("p1", "2026-02-02T00:00:00+02:00")
    (tmp_path / "a.ndjson").write_bytes(ndjson([patient("p1"), newest, patient("p1", "2026-02-01T21:00:00Z")]))
    reader = FilesReader(tmp_path)
    found = reader.read_one("Patient/p1")
    assert isinstance(found, Record)
    assert found.resource == newest
    assert reader.read_one("Patient/p2") is None
    (tmp_path / "b.ndjson").write_bytes(ndjson([patient("p2")]))
    assert isinstance(reader.read_one("Patient/p2"), Record)


@pytest.mark.parametrize("trouble", [b"nope\n", b'{"resourceType":"Pat'])
def test_a_record_is_not_called_gone_while_something_could_not_be_read(tmp_path: Path, trouble: bytes) -> None:
    (tmp_path / "a.ndjson").write_bytes(ndjson([patient("p1")]) + trouble)
    reader = FilesReader(tmp_path)
    assert isinstance(reader.read_one("Patient/p1"), Record)
    for _ in range(2):
        with pytest.raises(SourceError, match="cannot be told"):
            reader.read_one("Patient/p2")


def test_the_check_says_how_much_there_is(tmp_path: Path) -> None:
    (tmp_path / "a.ndjson").write_bytes(ndjson(families()))
    [check] = FilesReader(tmp_path).check()
    assert (check.ok, check.detail) == (True, "1 files to read, 0.0 MB")
