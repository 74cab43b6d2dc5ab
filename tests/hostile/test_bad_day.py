"""A practice whose EHR has a bad day: the run is incomplete, says so in one line, and changes nothing."""

import json
import socket
import sqlite3
from collections.abc import Iterator
from dataclasses import replace

import pytest

from adapter.sandbox.charts import Resource
from adapter.sandbox.ehr import SandboxEhr
from tests.acceptance.adapter_cli import Adapter, adds_up, opens
from tests.hostile.proxy import FHIR, FaultyEhr, Reply, faulty

OUTCOME = {
    "resourceType": "OperationOutcome",
    "issue": [{"severity": "error", "code": "exception", "diagnostics": "x"}],
}
MATS = "mats.lindgren@post.example"


def _is_page_two(address: str) -> bool:
    return "_page=" in address


def _is_search(address: str) -> bool:
    return "?" in address


def _html(_: Reply) -> Reply:
    return Reply(200, b"<html><body>Please log in</body></html>", "text/html; charset=utf-8")


def _error(_: Reply) -> Reply:
    return Reply(500, json.dumps(OUTCOME).encode())


def _warning_inside(good: Reply) -> Reply:
    bundle = json.loads(good.body)
    issue = {"severity": "warning", "code": "incomplete"}
    entry = {"resource": {"resourceType": "OperationOutcome", "issue": [issue]}, "search": {"mode": "outcome"}}
    return replace(good, body=json.dumps(bundle | {"entry": [*bundle.get("entry", []), entry]}).encode())


def _nothing_there(good: Reply) -> Reply:
    bundle = json.loads(good.body)
    return replace(good, body=json.dumps(bundle | {"entry": [], "link": [], "total": 0}).encode())


def _without(chart: str, good: Reply) -> Reply:
    """The same page as if this chart and its contacts did not exist."""
    bundle = json.loads(good.body)
    kept = [entry for entry in bundle.get("entry", []) if chart not in json.dumps(entry["resource"])]
    return replace(good, body=json.dumps(bundle | {"entry": kept, "total": bundle.get("total", 1) - 1}).encode())


FAULTS = {"html": _html, "warning inside": _warning_inside, "nothing there": _nothing_there}


@pytest.fixture
def ehr(families: list[Resource]) -> Iterator[FaultyEhr]:
    with SandboxEhr(families) as sandbox, faulty(sandbox) as proxy:
        yield proxy


@pytest.fixture
def site(adapter: Adapter, ehr: FaultyEhr) -> Adapter:
    """An installation whose first sync through the proxy went well; it was long ago."""
    adapter.reads_http(ehr.base_url, page_size=9)
    adapter.sync()
    with sqlite3.connect(adapter.folder / "var" / "adapter.db") as connection:
        connection.execute("UPDATE watermark SET at = '2020-01-01T00:00:00.000000Z'")
    return adapter


@pytest.mark.parametrize("fault", FAULTS)
def test_a_bad_answer_makes_the_run_incomplete_and_changes_nothing(site: Adapter, ehr: FaultyEhr, fault: str) -> None:
    before, marks = site.accounts(), _marks(site)
    ehr.ehr.delete("RelatedPerson/abernathy-june-father")
    ehr.spoil = lambda address, good: FAULTS[fault](good) if _is_search(address) else good
    done = site.run("sync", "--full", "--json")
    report = done.document
    assert (done.code, report["status"], report["changes"]) == (1, "incomplete", {})
    assert report["problems"] and all("\n" not in problem and len(problem) < 300 for problem in report["problems"])
    assert done.err == "" and "Okafor" not in done.out
    assert adds_up(report["read"])
    assert (site.accounts(), _marks(site)) == (before, marks)
    ehr.spoil = None
    assert site.sync("--full")["changes"] == {"end-grant": 1}
    assert all(at > marks[kind] for kind, at in _marks(site).items())


def test_charts_left_out_of_an_answer_are_asked_for_one_by_one(site: Adapter, ehr: FaultyEhr) -> None:
    ehr.ehr.delete("RelatedPerson/abernathy-june-father")
    ehr.spoil = lambda address, good: _without("abernathy-june", good) if _is_search(address) else good
    report = site.sync("--full")
    assert (report["read"]["gone"], report["changes"]) == (1, {"end-grant": 1})


def test_a_page_that_swallows_the_rest_makes_the_run_incomplete(site: Adapter, ehr: FaultyEhr) -> None:
    before, marks = site.accounts(), _marks(site)
    ehr.ehr.delete("RelatedPerson/abernathy-june-father")
    ehr.spoil = lambda address, good: _nothing_there(good) if _is_page_two(address) else good
    report = site.run("sync", "--full", "--json").document
    assert (report["status"], report["changes"]) == ("incomplete", {})
    assert "without a link to more" in " ".join(report["problems"])
    assert (site.accounts(), _marks(site)) == (before, marks)


def test_an_unreachable_ehr_is_one_clear_line(site: Adapter) -> None:
    before, marks = site.accounts(), _marks(site)
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        site.reads_http(f"http://127.0.0.1:{closed.getsockname()[1]}/fhir")
        done = site.run("sync")
        assert done.code == 1 and "incomplete" in done.out
        assert len([line for line in done.out.splitlines() if "Problem" in line]) == 1
    assert (site.accounts(), _marks(site)) == (before, marks)


def test_an_explicit_revocation_in_an_incomplete_read_acts_at_once_and_nothing_new_is_opened(
    site: Adapter, ehr: FaultyEhr
) -> None:
    ehr.ehr.change_authority("RelatedPerson/lindgren-elsa-father", "none")
    ehr.ehr.change_authority("RelatedPerson/haddad-sami-mother", "joint")
    ehr.ehr.delete("RelatedPerson/abernathy-june-father")
    ehr.spoil = lambda address, good: _error(good) if _is_last_page(good) else good
    report = site.run("sync", "--full", "--json").document
    assert report["status"] == "incomplete"
    assert report["changes"] == {"cancel-welcome": 1, "close-account": 1, "end-grant": 1}
    assert opens(site.account(MATS)) == {"lindgren-elsa": "ended authority-none"}
    ehr.spoil = None
    assert site.sync("--full")["changes"] == {"end-grant": 1, "grant": 1, "open-account": 1, "queue-welcome": 1}


def test_a_contact_that_cannot_be_read_alone_is_not_taken_for_gone(site: Adapter, ehr: FaultyEhr) -> None:
    ehr.ehr.delete("RelatedPerson/abernathy-june-father")
    hidden = "/fhir/RelatedPerson/abernathy-june-father"
    ehr.spoil = lambda address, good: _error(good) if address == hidden else good
    done = site.run("sync", "--full", "--json")
    assert done.document["changes"] == {}
    assert "RelatedPerson/abernathy-june-father is missing" in " ".join(done.document["problems"])
    ehr.spoil = None
    assert site.sync("--full")["changes"] == {"end-grant": 1}


def test_a_next_link_to_another_host_is_not_followed(site: Adapter, ehr: FaultyEhr) -> None:
    there = b"http://collector.example/fhir"
    ehr.spoil = lambda address, good: replace(good, body=good.body.replace(ehr.base_url.encode(), there))
    done = site.run("sync", "--full", "--json")
    assert done.code == 1 and "another address" in " ".join(done.document["problems"])


def test_a_damaged_record_among_good_ones_is_put_aside_with_its_page(site: Adapter, ehr: FaultyEhr) -> None:
    def spoil(address: str, good: Reply) -> Reply:
        return replace(good, body=good.body.replace(b'"birthDate":', b'"birthDate":"2001-01-01","birthDate":', 1))

    ehr.spoil = lambda address, good: (
        spoil(address, good) if _is_search(address) and not _is_page_two(address) else good
    )
    report = site.run("sync", "--full", "--json").document
    assert report["read"]["quarantined"] == 1 and adds_up(report["read"])
    (message,) = [one["message"] for one in site.json("findings") if one["code"] == "record-unusable"]
    assert "page 1" in message and "birthDate" in message


def _is_last_page(good: Reply) -> bool:
    bundle = json.loads(good.body)
    links = {link["relation"] for link in bundle.get("link", [])}
    return good.kind.startswith(FHIR) and bundle.get("type") == "searchset" and "next" not in links


def _marks(site: Adapter) -> dict[str, str]:
    with sqlite3.connect(site.folder / "var" / "adapter.db") as connection:
        return dict(connection.execute("SELECT resource_type, at FROM watermark"))
