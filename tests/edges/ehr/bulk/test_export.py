"""An export that goes well: what is asked for, what is read, what the EHR is told at the end."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from adapter.ehr.fhir.bulk.strategy import levels
from tests.edges.ehr.bulk.conftest import TOKEN, Bench
from tests.edges.ehr.bulk.faults import status
from tests.edges.ehr.bulk.server import BulkServer, Json, Reply, stamp
from tests.edges.ehr.families import contact, families, refs_of


def test_everybody_is_read_from_one_export(bench: Bench, server: BulkServer) -> None:
    before = datetime.now(UTC)
    read = bench.read()
    assert (read.result.complete, read.result.full, read.result.problems) == (True, True, [])
    assert read.refs == refs_of(families())
    (kickoff,) = server.asked("GET", "$export")
    assert kickoff.path == "/fhir/Patient/$export"
    assert kickoff.query == {"_type": "Patient,RelatedPerson"}
    assert kickoff.headers["prefer"] == "respond-async"
    assert (
        before - timedelta(seconds=1)
        <= read.result.marks["Patient"]
        == read.result.marks["RelatedPerson"]
        <= datetime.now(UTC)
    )


def test_the_ehr_may_delete_the_export_once_it_was_read(bench: Bench, server: BulkServer) -> None:
    bench.read()
    assert [seen.token for seen in server.asked("DELETE", "/status/")] == [f"Bearer {TOKEN}"]
    assert server.jobs == {}
    assert not bench.notes.exists()


def test_every_line_of_many_packed_files_is_read_once(bench: Bench, server: BulkServer) -> None:
    rows = families(400)
    for row in rows:
        server.put(row)
    server.per_file, server.packed = 37, True
    read = bench.read(concurrency=3)
    assert read.result.complete
    assert len(read.rows) == len(rows) and read.refs == refs_of(rows)
    assert max(done for what, done, _ in read.shown if what == "export files") > 5


def test_a_record_says_in_which_line_of_which_file_it_stood(bench: Bench, server: BulkServer) -> None:
    places = {row.origin for row in bench.read().rows}
    assert {"export file 1 (Patient) line 5", "export file 2 (RelatedPerson) line 1"} <= places


def test_a_group_is_exported_where_the_practice_names_one(bench: Bench, server: BulkServer) -> None:
    assert bench.read(group="main.street-1").result.complete
    assert [seen.path for seen in server.asked("GET", "$export")] == ["/fhir/Group/main.street-1/$export"]


def test_the_whole_system_is_exported_where_patients_cannot_be(bench: Bench, server: BulkServer) -> None:
    server.levels = ("system",)
    assert bench.read().result.complete
    assert [seen.path for seen in server.asked("GET", "$export")] == ["/fhir/$export"]


def test_changes_are_asked_for_from_a_little_before_the_mark(bench: Bench, server: BulkServer) -> None:
    for row in families():
        server.put(row, at=datetime.now(UTC) - timedelta(days=2))
    server.put(contact("c1", "p1"))
    mark = datetime.now(UTC) - timedelta(hours=1)
    read = bench.read(marks={"Patient": mark, "RelatedPerson": mark + timedelta(minutes=5)})
    assert (read.result.complete, read.result.full, read.refs) == (True, False, {"RelatedPerson/c1"})
    (kickoff,) = server.asked("GET", "$export")
    assert kickoff.query["_since"] == stamp(mark - timedelta(minutes=10))[:19] + "Z"
    assert read.result.marks["Patient"] > mark


def test_what_was_deleted_is_gone_unless_it_came_back(bench: Bench, server: BulkServer) -> None:
    for ref in ("RelatedPerson/c1", "RelatedPerson/c2", "Patient/p3"):
        server.delete(ref)
    server.put(contact("c2", "p2"))
    server.deletions["RelatedPerson/c2"] = datetime.now(UTC)
    mark = datetime.now(UTC) - timedelta(hours=1)
    read = bench.read(marks={"Patient": mark, "RelatedPerson": mark})
    assert read.result.complete
    assert read.result.gone == ["Patient/p3", "RelatedPerson/c1"]


def test_types_that_were_not_asked_for_are_not_downloaded(bench: Bench, server: BulkServer) -> None:
    observation: Json = {"resourceType": "Observation", "id": "o1"}
    server.put(observation)

    def all_types(reply: object) -> None:
        for job in server.jobs.values():
            job.types = ["Patient", "RelatedPerson", "Observation"]

    server.fault("kickoff", all_types)
    read = bench.read()
    assert read.result.complete and "Observation/o1" not in read.refs
    assert not server.asked("GET", "/Observation.1")


def test_the_token_goes_along_only_where_the_export_needs_it(bench: Bench, server: BulkServer) -> None:
    assert bench.read().result.complete
    assert {seen.token for seen in server.asked("GET", "/files/")} == {f"Bearer {TOKEN}"}
    server.seen.clear()
    server.needs_token = False
    assert bench.read().result.complete
    assert {seen.token for seen in server.asked("GET", "/files/")} == {None}
    assert {seen.token for seen in server.asked("GET", "/status/")} == {f"Bearer {TOKEN}"}


def test_files_on_a_listed_host_are_read_without_the_token(bench: Bench, server: BulkServer) -> None:
    with BulkServer() as storage:
        storage.jobs = server.jobs
        storage.resources = server.resources
        server.file_origin = storage.base_url
        read = bench.read(bulk_hosts=[storage.origin.removeprefix("http://")])
        assert read.result.complete and read.refs == refs_of(families())
        assert {seen.token for seen in storage.seen} == {None}


def test_a_listed_host_gets_the_token_only_if_the_practice_and_the_export_say_so(
    bench: Bench, server: BulkServer
) -> None:
    with BulkServer() as storage:
        storage.jobs = server.jobs
        storage.resources = server.resources
        server.file_origin = storage.base_url
        hosts: dict[str, Any] = {"bulk_hosts": [storage.origin.removeprefix("http://")], "bulk_hosts_get_token": True}
        assert bench.read(**hosts).result.complete
        assert {seen.token for seen in storage.seen} == {f"Bearer {TOKEN}"}
        storage.seen.clear()
        server.needs_token = False
        assert bench.read(**hosts).result.complete
        assert {seen.token for seen in storage.seen} == {None}


def test_information_beside_the_files_leaves_the_export_whole(bench: Bench, server: BulkServer) -> None:
    server.remarks = [
        {"resourceType": "OperationOutcome", "issue": [{"severity": "information", "code": "informational"}]}
    ]
    assert bench.read().result.complete


def test_progress_shows_a_percentage_and_nothing_else_of_what_the_ehr_says(bench: Bench, server: BulkServer) -> None:
    server.polls = 3
    read = bench.read()
    assert ("export, % ready", 40, 100) in read.shown
    assert not any("Canary" in what for what, _, _ in read.shown)


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        ({}, set()),
        ({"rest": [{"operation": [{"name": "export"}]}]}, {"system"}),
        ({"rest": [{"resource": [{"type": "Patient", "operation": [{"name": "$export"}]}]}]}, {"Patient"}),
        ({"rest": [{"resource": [{"type": "Observation", "operation": [{"name": "export"}]}]}]}, set()),
        (
            {
                "rest": [
                    {"operation": [{"name": "x", "definition": "http://a.example/OperationDefinition/group-export"}]}
                ]
            },
            {"system", "Group"},
        ),
        (
            {"instantiates": ["http://hl7.org/fhir/uv/bulkdata/CapabilityStatement/bulk-data|2.0.0"]},
            {"Patient", "Group"},
        ),
        ({"rest": "damaged", "instantiates": {"a": 1}}, set()),
    ],
)
def test_exports_are_found_where_an_ehr_declares_them(statement: Json, found: set[str]) -> None:
    assert levels(statement) == found


def test_an_ehr_that_exports_is_not_searched_first(bench: Bench, server: BulkServer) -> None:
    read = bench.read(alone=False)
    assert read.result.complete and "Bulk Data export" in read.result.strategy
    assert not [seen for seen in server.seen if seen.path in ("/fhir/Patient", "/fhir/RelatedPerson")]


def test_an_ehr_that_can_only_export_is_read_and_checked(bench: Bench, server: BulkServer) -> None:
    def nothing_else(reply: Reply) -> None:
        (rest,) = reply.json["rest"]
        rest["resource"] = [entry for entry in rest["resource"] if entry["type"] != "RelatedPerson"]
        for entry in rest["resource"]:
            entry["interaction"] = [{"code": "read"}]

    server.fault("metadata", nothing_else)
    server.fault("search", status(404))
    for alone in (True, False):
        read = bench.read(alone=alone)
        assert read.result.complete and read.refs == refs_of(families())
        lines = bench.reader(alone=alone).check()
        assert all(line.ok for line in lines)
        assert "read incrementally, by exports of what changed (_since)" in {line.detail for line in lines}


def test_an_ehr_that_can_only_export_and_refuses_says_so(bench: Bench, server: BulkServer) -> None:
    server.fault("metadata", lambda reply: reply.json["rest"][0].update(resource=[]))
    server.levels = ("system",)
    server.fault("kickoff", status(403))
    problem = bench.read(alone=False).problem
    assert problem.startswith("GET $export: answered 403") and "Bulk Data access" in problem
