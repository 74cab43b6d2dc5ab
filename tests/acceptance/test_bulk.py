"""A practice that reads its EHR by Bulk Data exports: the accounts of the files; what changes and goes arrives."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from adapter.sandbox.charts import Resource, authority_extension
from tests.acceptance.adapter_cli import GRACE, Adapter, comparable, opens
from tests.acceptance.sekmet import Sekmet, running_sekmet
from tests.edges.ehr.bulk.faults import status
from tests.edges.ehr.bulk.server import BulkServer, waiting_until

DONE = ("complete", "held")
GRACES = {"okafor-ada": "active", "okafor-ben": "active"}


@pytest.fixture
def server(families: list[Resource]) -> Iterator[BulkServer]:
    with BulkServer(families) as running:
        yield running


@pytest.fixture
def exported(server: BulkServer, tmp_path: Path) -> Adapter:
    """An installation that reads that server by exports alone."""
    return reading(server.base_url, tmp_path / "bulk")


@pytest.fixture
def sekmet(tmp_path: Path) -> Iterator[Sekmet]:
    with running_sekmet(tmp_path / "sekmet") as running:
        yield running


def reading(base_url: str, folder: Path, strategy: str = "bulk", more: str = "") -> Adapter:
    ehr = f'kind = "fhir"\nbase_url = "{base_url}"\nstrategy = "{strategy}"\n{more}\n'
    return Adapter(folder, policy="hold_first_welcome = false", ehr=ehr)


def test_exports_give_the_accounts_of_the_files(
    exported: Adapter, story_adapter: Adapter, families: list[Resource]
) -> None:
    report = exported.sync()
    assert (report["kind"], report["read"]["resources"]) == ("full", len(families))
    assert report["strategy"] == "everything by Bulk Data export of Patient and RelatedPerson (Patient/$export)"
    assert comparable(exported.accounts()) == comparable(story_adapter.accounts())
    quiet = exported.sync()
    assert (quiet["kind"], quiet["changes"], quiet["read"]["changed"]) == ("incremental", {}, 0)
    assert "_since" in quiet["strategy"]


def test_an_edit_and_a_deletion_arrive_with_the_next_export_of_changes(exported: Adapter, server: BulkServer) -> None:
    exported.sync()
    assert opens(exported.account(GRACE)) == GRACES
    father = server.resources["RelatedPerson/lindgren-elsa-father"]
    server.put(father | {"extension": [authority_extension("none")]})
    server.delete("RelatedPerson/okafor-ben-mother")
    report = exported.sync()
    assert (report["kind"], report["status"]) == ("incremental", "complete")
    assert (report["read"]["gone"], report["changes"]["end-grant"]) == (1, 2)
    assert opens(exported.account(GRACE)) == GRACES | {"okafor-ben": "ended contact-gone"}
    assert opens(exported.account("mats.lindgren@post.example")) == {"lindgren-elsa": "ended authority-none"}
    again = exported.sync()  # the overlap tells of the same deletion once more
    assert (again["read"]["gone"], again["changes"]) == (0, {})


def test_a_chart_that_was_deleted_is_closed(exported: Adapter, server: BulkServer) -> None:
    exported.sync()
    server.delete("Patient/okafor-ben")
    exported.sync()
    assert opens(exported.account(GRACE))["okafor-ben"] != "active"
    server.put(server.resources["Patient/okafor-ada"] | {"id": "okafor-ben"})
    exported.sync()
    assert opens(exported.account(GRACE)) == GRACES


def test_an_ehr_that_says_everybody_was_deleted_is_not_believed(exported: Adapter, server: BulkServer) -> None:
    for number in range(60):
        server.put({"resourceType": "Patient", "id": f"extra-{number}", "birthDate": "2020-01-01"})
    exported.sync()
    for ref in list(server.resources):
        server.delete(ref)
    done = exported.run("sync", "--json")
    assert (done.code, done.document["status"], done.document["changes"]) == (1, "incomplete", {})
    assert "known records were deleted. Nothing was revoked" in done.document["problems"][0]
    assert opens(exported.account(GRACE)) == GRACES


def test_a_partial_export_takes_away_at_once_and_gives_nobody_anything(exported: Adapter, server: BulkServer) -> None:
    father = server.resources.pop("RelatedPerson/lindgren-elsa-father")
    exported.sync()
    server.put(father)
    mother = server.resources["RelatedPerson/okafor-ben-mother"]
    server.put(mother | {"extension": [authority_extension("none")]})
    server.fault("Patient", status(410))
    done = exported.run("sync", "--json")
    assert (done.code, done.document["status"]) == (1, "incomplete")
    assert done.document["problems"] == [
        "export file 1 (Patient): answered 410, so the EHR no longer has it. Sync again."
    ]
    assert opens(exported.account(GRACE)) == GRACES | {"okafor-ben": "ended authority-none"}
    assert exported.json("accounts", "mats.lindgren@post.example") == []
    server.heal()
    exported.sync()
    assert opens(exported.account("mats.lindgren@post.example")) == {"lindgren-elsa": "active"}


def test_files_on_a_host_that_is_not_listed_are_refused_until_it_is(exported: Adapter, server: BulkServer) -> None:
    with BulkServer() as storage:
        storage.jobs, storage.resources = server.jobs, server.resources
        server.file_origin = storage.base_url
        done = exported.run("sync", "--json")
        assert done.code == 1 and "bulk_hosts" in done.document["problems"][0]
        assert storage.seen == []
        host = storage.origin.removeprefix("http://")
        listed = reading(server.base_url, exported.folder, more=f'bulk_hosts = ["{host}"]')
        assert listed.sync()["status"] in DONE
        assert {seen.token for seen in storage.seen} == {None}


def test_a_full_read_is_an_export_and_the_next_one_a_search_where_the_ehr_does_both(
    server: BulkServer, tmp_path: Path, story_adapter: Adapter
) -> None:
    adapter = reading(server.base_url, tmp_path / "auto", "auto")
    assert "Bulk Data export" in adapter.sync()["strategy"]
    assert comparable(adapter.accounts()) == comparable(story_adapter.accounts())


@pytest.mark.parametrize("moment", ["waiting", "downloading"])
def test_a_sync_that_is_killed_goes_on_with_the_same_export(
    moment: str, exported: Adapter, server: BulkServer, story_adapter: Adapter
) -> None:
    if moment == "waiting":
        server.polls = 1000
        begun = "/status/"
    else:
        server.fault("RelatedPerson", status(503))
        begun = "/RelatedPerson.1"
    process = exported.start("sync")
    with process, waiting_until(lambda: len(server.asked("GET", begun)) > 1):
        process.kill()
    assert len(server.asked("GET", "$export")) == 1 and len(server.jobs) == 1
    server.heal()
    for job in server.jobs.values():
        job.polls = 0
    assert exported.sync()["status"] in DONE, "the lease of a killed run keeps nobody out on its own machine"
    assert len(server.asked("GET", "$export")) == 1 and server.jobs == {}
    assert comparable(exported.accounts()) == comparable(story_adapter.accounts())


def test_an_export_is_not_picked_up_once_a_family_was_read_by_itself(exported: Adapter, server: BulkServer) -> None:
    server.polls = 1000
    process = exported.start("sync")
    with process, waiting_until(lambda: len(server.asked("GET", "/status/")) > 1):
        process.kill()
    server.polls = 0
    exported.sync("--person", "Patient/okafor-ada")
    assert exported.sync()["status"] in DONE
    assert len(server.asked("GET", "$export")) == 2 and server.jobs == {}


def test_ctrl_c_calls_the_export_off(exported: Adapter, server: BulkServer) -> None:
    server.polls = 1000
    process = exported.start("sync")
    with process, waiting_until(lambda: len(server.asked("GET", "/status/")) > 1):
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=20)
    assert process.returncode == 1 and "Traceback" not in err
    assert server.jobs == {} and len(server.asked("DELETE", "/status/")) == 1


def test_a_plan_reads_an_export_and_changes_nothing(exported: Adapter, server: BulkServer) -> None:
    planned = exported.run("plan", "--json")
    assert planned.code == 0 and planned.document["complete"]
    assert exported.accounts() == [] and server.jobs == {}


def test_a_server_that_nobody_here_wrote_exports_the_same_accounts_and_edits(
    sekmet: Sekmet, tmp_path: Path, story_adapter: Adapter, families: list[Resource]
) -> None:
    assert all(sekmet.put(resource) for resource in families)
    adapter = reading(sekmet.base_url, tmp_path / "http")
    first = adapter.sync()
    assert (first["kind"], first["read"]["resources"]) == ("full", len(families)) and first["status"] in DONE
    assert comparable(adapter.accounts()) == comparable(story_adapter.accounts())
    father = next(each for each in families if each["id"] == "lindgren-elsa-father")
    assert sekmet.put(father | {"extension": [authority_extension("none")]})
    changed = adapter.sync()
    assert (changed["kind"], changed["read"]["changed"], changed["changes"]["end-grant"]) == ("incremental", 1, 1)
    sekmet.delete("RelatedPerson/okafor-ben-mother")
    assert adapter.sync()["changes"] == {}  # its exports do not tell of deletions
    assert adapter.sync("--full")["changes"] == {"end-grant": 1}
    assert opens(adapter.account(GRACE)) == GRACES | {"okafor-ben": "ended contact-gone"}
