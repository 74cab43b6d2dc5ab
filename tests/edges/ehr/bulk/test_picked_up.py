"""An export that a read could not finish: picked up by the next one, or called off."""

import json
import stat
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from adapter.ehr import ReadResult
from adapter.ehr.fhir.bulk.notes import FileNotes, NoNotes, Note
from tests.edges.ehr.bulk.conftest import TOKEN, Bench
from tests.edges.ehr.bulk.faults import status
from tests.edges.ehr.bulk.server import BulkServer, hours_ago
from tests.edges.ehr.families import CANARY, families, quiet, refs_of


@pytest.fixture
def unfinished(bench: Bench, server: BulkServer) -> Iterator[BulkServer]:
    """The server, whose export was not ready before it stopped answering for a while."""
    server.fault("status", status(500))
    assert not bench.read().result.complete
    server.heal()
    server.seen.clear()
    yield server


def test_an_export_of_an_ehr_that_is_not_well_is_picked_up_later(bench: Bench, unfinished: BulkServer) -> None:
    read = bench.read()
    assert read.result.complete and read.refs == refs_of(families())
    assert not unfinished.asked("GET", "$export")
    assert not bench.notes.exists() and unfinished.jobs == {}


def test_the_note_holds_no_resource_and_no_token_and_is_for_its_owner_alone(
    bench: Bench, unfinished: BulkServer
) -> None:
    text = bench.notes.read_text()
    assert json.loads(text).keys() == {"request", "status_url", "began", "at"}
    assert TOKEN not in text and CANARY not in text
    assert stat.S_IMODE(bench.notes.stat().st_mode) == 0o600


def test_an_export_is_not_picked_up_when_something_was_read_since(bench: Bench, unfinished: BulkServer) -> None:
    bench.untouched = False
    assert bench.read().result.complete
    assert len(unfinished.asked("DELETE", "/status/")) == 2
    assert len(unfinished.asked("GET", "$export")) == 1


def test_an_export_of_another_request_is_called_off(bench: Bench, unfinished: BulkServer) -> None:
    assert bench.read(group="g1").result.complete
    assert [seen.path for seen in unfinished.asked("GET", "$export")] == ["/fhir/Group/g1/$export"]
    assert unfinished.jobs == {}


def test_an_export_that_is_too_old_is_called_off(bench: Bench, unfinished: BulkServer) -> None:
    notes = FileNotes(bench.notes)
    note = notes.get()
    assert note is not None
    began = note.began - timedelta(hours=7)
    notes.set(Note(request=note.request, status_url=note.status_url, began=began, at=note.at))
    assert bench.read().result.complete
    assert len(unfinished.asked("GET", "$export")) == 1
    assert unfinished.jobs == {}


def test_an_export_that_the_ehr_has_dropped_is_asked_for_again(bench: Bench, unfinished: BulkServer) -> None:
    unfinished.jobs.clear()
    read = bench.read()
    assert read.result.complete and read.refs == refs_of(families())
    assert len(unfinished.asked("GET", "$export")) == 1


@pytest.mark.parametrize("damage", [b"", b"{", b'{"request":1}', b"\xff"])
def test_a_damaged_note_is_as_good_as_none(damage: bytes, bench: Bench, unfinished: BulkServer) -> None:
    bench.notes.write_bytes(damage)
    assert bench.read().result.complete
    assert len(unfinished.asked("GET", "$export")) == 1


def test_a_note_that_names_another_host_sends_nothing_there(bench: Bench, unfinished: BulkServer) -> None:
    with BulkServer(families()) as other:
        note = json.loads(bench.notes.read_text())
        bench.notes.write_text(json.dumps(note | {"status_url": f"{other.base_url}/status/1"}))
        assert bench.read().result.complete
        assert other.seen == []


def test_an_export_of_changes_is_not_remembered(bench: Bench, server: BulkServer) -> None:
    server.fault("status", status(500))
    read = bench.read(marks={"Patient": hours_ago(1), "RelatedPerson": hours_ago(1)})
    assert not read.result.complete and not bench.notes.exists()


def test_files_that_broke_off_are_fetched_again_from_the_same_export(bench: Bench, server: BulkServer) -> None:
    server.fault("RelatedPerson", status(503))
    assert not bench.read().result.complete
    server.heal()
    assert bench.read().result.complete
    assert len(server.asked("GET", "$export")) == 1


@pytest.mark.parametrize("stop", [KeyboardInterrupt, RuntimeError])
def test_an_export_is_called_off_when_somebody_stops_the_wait(
    stop: type[BaseException], bench: Bench, server: BulkServer
) -> None:
    def progress(what: str, done: int, total: int | None) -> None:
        raise stop

    with pytest.raises(stop):
        list(bench.reader().read(ReadResult(full=True), marks={}, progress=progress))
    assert server.jobs == {} and not bench.notes.exists()


def test_an_export_is_called_off_when_nobody_reads_on(bench: Bench, server: BulkServer) -> None:
    rows = bench.reader().read(ReadResult(full=True), marks={}, progress=quiet)
    next(rows)
    rows.close()  # type: ignore[attr-defined]
    assert server.jobs == {} and not bench.notes.exists()


def test_one_of_two_readers_at_once_has_the_notes(tmp_path: Path) -> None:
    path = tmp_path / "exports" / "a.json"
    with FileNotes(path).held() as first, FileNotes(path).held() as second:
        assert isinstance(first, FileNotes) and isinstance(second, NoNotes)
    with FileNotes(path).held() as third:
        assert isinstance(third, FileNotes)


def test_where_nothing_can_be_written_an_export_is_read_all_the_same(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "exports").write_text("not a folder")
    assert bench.read().result.complete
