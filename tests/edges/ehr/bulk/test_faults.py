"""An export that goes wrong: the read is incomplete, nothing leaves for elsewhere, one sentence says why."""

from datetime import UTC, datetime, timedelta

import orjson
import pytest

from adapter.ehr import Broken
from tests.edges.ehr.bulk.conftest import TOKEN, Bench
from tests.edges.ehr.bulk.faults import FAULTS, Named, body, edited, header, huge, remarks, status
from tests.edges.ehr.bulk.server import BulkServer, Reply, deletion
from tests.edges.ehr.families import CANARY, families, refs_of

DAY_OLD = datetime.now(UTC) - timedelta(days=1)
MARKS = {"Patient": DAY_OLD, "RelatedPerson": DAY_OLD}


@pytest.mark.parametrize("named", FAULTS, ids=lambda named: named.name)
def test_a_fault_is_borne_or_makes_the_read_incomplete(named: Named, bench: Bench, server: BulkServer) -> None:
    server.fault(named.place, named.fault, times=named.times)
    hours = 0.0001 if named.name == "status-never-ready" else 6
    read = bench.read(bulk_hours=hours)
    if named.told is None:
        assert (read.result.problems, read.result.complete) == ([], True)
        assert read.refs == refs_of(families())
        assert max(read.result.marks.values()) <= datetime.now(UTC)
    else:
        assert not read.result.complete
        assert any(named.told in problem for problem in read.result.problems), read.result.problems
        assert read.result.marks == {} and read.result.gone == []
        assert bool(read.rows) == named.rows
    assert max(bench.slept, default=0) <= 60
    for problem in read.result.problems:
        assert CANARY not in problem and TOKEN not in problem and "\n" not in problem


BEFORE_READING = ["kickoff-refused", "kickoff-busy-for-ever", "status-elsewhere", "status-422", "status-never-ready"]
PARTIAL = ["manifest-without-a-time", "manifest-of-yesterday", "manifest-in-parts", "manifest-without-contacts"]


@pytest.mark.parametrize("name", BEFORE_READING + PARTIAL)
def test_the_ehr_is_searched_where_an_export_is_refused_or_known_to_be_partial(
    name: str, bench: Bench, server: BulkServer
) -> None:
    (named,) = [fault for fault in FAULTS if fault.name == name]
    server.fault(named.place, named.fault, times=named.times)
    read = bench.read(alone=False, bulk_hours=0.0001 if name == "status-never-ready" else 6)
    assert (read.result.problems, read.result.complete, read.refs) == ([], True, refs_of(families()))
    assert "instead of a Bulk Data export" in read.result.strategy and str(named.told) in read.result.strategy
    assert not server.asked("GET", "/files/")


@pytest.mark.parametrize("place", ["kickoff", "file", "kickoff-redirect", "status-redirect", "file-redirect"])
def test_nothing_is_asked_of_another_origin(place: str, bench: Bench, server: BulkServer) -> None:
    with BulkServer(families()) as other:
        where, _, redirected = place.partition("-")
        if redirected:
            fault = status(307, Location=f"{other.base_url}/files/1/Patient.1")
            server.fault("Patient" if where == "file" else where, fault)
        elif where == "kickoff":
            server.fault("kickoff", header("Content-Location", f"{other.base_url}/status/1"))
        else:
            server.file_origin = other.base_url
        read = bench.read()
        assert not read.result.complete
        assert "bulk_hosts" in read.result.problems[0] and "another address" in read.result.problems[0]
        assert other.seen == []


@pytest.mark.parametrize("severity", ["fatal", "error", "warning"])
def test_errors_beside_the_files_make_the_read_incomplete(severity: str, bench: Bench, server: BulkServer) -> None:
    remarks(server, severity)
    read = bench.read()
    assert read.problem == f"The export is not complete: the EHR reports {severity}: incomplete."
    assert read.refs == refs_of(families())
    searched = bench.read(alone=False)
    assert searched.result.complete and "instead of a Bulk Data export" in searched.result.strategy
    assert server.jobs == {}


def test_only_the_output_is_counted(bench: Bench, server: BulkServer) -> None:
    server.delete("RelatedPerson/c2")
    remarks(server, "information")

    def other_counts(reply: Reply) -> None:
        for entry in [*(reply.json or {}).get("deleted", []), *(reply.json or {}).get("error", [])]:
            entry["count"] = 7

    server.fault("status", other_counts)
    read = bench.read(marks=MARKS)
    assert read.result.complete and read.result.gone == ["RelatedPerson/c2"]


def test_an_error_file_that_cannot_be_read_counts_as_an_error(bench: Bench, server: BulkServer) -> None:
    remarks(server, "information")
    server.fault("error", body(b'{"resourceType":"Patient","id":"p1"}\n'))
    assert "is not an OperationOutcome" in bench.read().problem


def test_a_line_that_is_too_long_is_broken_and_the_others_are_read(bench: Bench, server: BulkServer) -> None:
    server.counts = False
    server.fault("Patient", edited(huge))
    read = bench.read()
    (broken,) = [row for row in read.rows if isinstance(row, Broken)]
    assert (broken.origin, broken.problem) == ("export file 1 (Patient) line 1", "is longer than 16 MB")
    assert refs_of(families()) < read.refs


def test_a_line_that_is_no_json_is_broken_and_the_others_are_read(bench: Bench, server: BulkServer) -> None:
    server.counts = False
    server.fault("Patient", edited(lambda data: b'{"resourceType":"Patient","id":"p0",}\n' + data))
    read = bench.read()
    assert read.result.complete
    assert [row.origin for row in read.rows if isinstance(row, Broken)] == ["export file 1 (Patient) line 1"]


@pytest.mark.parametrize(
    "entry",
    [
        {"request": {"method": "PUT", "url": "RelatedPerson/c1"}},
        {"request": {"method": "DELETE", "url": "https://else.example/fhir/RelatedPerson/c1"}},
        {"request": {"method": "DELETE", "url": "RelatedPerson?patient=p1"}},
        {"request": {"method": "DELETE", "url": "RelatedPerson/../Patient/p1"}},
        {"request": {"method": "DELETE"}},
        {"resource": {"resourceType": "RelatedPerson", "id": "c1"}},
        "RelatedPerson/c1",
    ],
    ids=["put", "elsewhere", "conditional", "path-trick", "no-url", "no-request", "text"],
)
def test_a_deletion_that_is_not_certain_deletes_nobody(entry: object, bench: Bench, server: BulkServer) -> None:
    server.delete("RelatedPerson/c2")
    bundle = deletion("RelatedPerson/c2")
    bundle["entry"].append(entry)
    server.fault("deleted", body(orjson.dumps(bundle) + b"\n"))
    read = bench.read(marks=MARKS)
    assert "does not say what was deleted" in read.problem
    assert read.result.gone == []


def test_nobody_is_gone_by_an_export_whose_files_were_not_all_read(bench: Bench, server: BulkServer) -> None:
    server.delete("RelatedPerson/c2")
    server.fault("Patient", status(410))
    read = bench.read(marks=MARKS)
    assert (read.result.complete, read.result.gone) == (False, [])


def test_an_ehr_without_since_is_read_incompletely_rather_than_wrongly(bench: Bench, server: BulkServer) -> None:
    server.fault("kickoff", status(400))
    read = bench.read(marks=MARKS)
    assert "answered 400" in read.problem
    instead = bench.read(marks=MARKS, alone=False)
    assert (instead.result.complete, instead.result.full) == (True, True)


def only_exports(server: BulkServer) -> None:
    """The EHR offers no search at all, as the SMART reference server does not."""

    def unsearchable(reply: Reply) -> None:
        for entry in reply.json["rest"][0]["resource"]:
            entry["interaction"] = [{"code": "read"}]

    server.fault("metadata", unsearchable)


def test_a_partial_export_is_read_as_one_where_there_is_no_search(bench: Bench, server: BulkServer) -> None:
    only_exports(server)
    remarks(server, "error")
    read = bench.read(alone=False)
    assert read.problem == "The export is not complete: the EHR reports error: incomplete."
    assert read.refs == refs_of(families()) and read.result.marks == {}
