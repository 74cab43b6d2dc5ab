"""What a sync concludes from an EHR that moves under it: two versions in one read, rows that change pages."""

import json
from collections.abc import Iterator
from dataclasses import replace

import pytest

from adapter.sandbox.ehr import SandboxEhr
from tests.acceptance.adapter_cli import Adapter, adds_up, opens
from tests.acceptance.bad_records import Json, chart, mother
from tests.hostile.proxy import FaultyEhr, Reply, faulty

KIDS = [f"kid{number}" for number in range(12)]
NONE = {"extension": [{"url": "urn:fhir-portal-adapter:contact-authority", "valueCode": "none"}]}


def address(kid: str) -> str:
    return f"oda@{kid}.example"


@pytest.fixture
def ehr() -> Iterator[FaultyEhr]:
    resources = [resource for kid in KIDS for resource in (chart(kid), mother(kid))]
    with SandboxEhr(resources) as sandbox, faulty(sandbox) as proxy:
        yield proxy


@pytest.fixture
def site(adapter: Adapter, ehr: FaultyEhr) -> Adapter:
    adapter.reads_http(ehr.base_url, page_size=5)
    assert adapter.sync()["status"] == "complete"
    return adapter


def rewritten(good: Reply, change: object) -> Reply:
    bundle = json.loads(good.body)
    change(bundle)  # type: ignore[operator]
    return replace(good, body=json.dumps(bundle).encode())


def test_a_copy_of_each_version_in_one_read_leaves_the_newer_one(site: Adapter, ehr: FaultyEhr) -> None:
    ref = f"RelatedPerson/{mother('kid0')['id']}"
    before = ehr.ehr.get(ref)
    ehr.ehr.put({**before, **NONE})

    def twice(bundle: Json) -> None:
        found = [entry for entry in bundle.get("entry", []) if entry["resource"].get("id") == before["id"]]
        bundle["entry"] = [*bundle.get("entry", []), *({**entry, "resource": before} for entry in found)]

    ehr.spoil = lambda where, good: rewritten(good, twice) if "?" in where else good
    report = site.sync("--full")
    assert adds_up(report["read"]) and report["read"]["repeated"] == 1
    assert opens(site.account(address("kid0"))) == {"kid0": "ended authority-none"}


def test_rows_that_move_between_pages_while_they_are_read_are_neither_lost_nor_doubled(
    site: Adapter, ehr: FaultyEhr
) -> None:
    """A chart slips from page 2 to page 1 after that was read, and another comes on both: offsets drift like that."""

    def drift(bundle: Json) -> None:
        charts = [entry for entry in bundle["entry"] if entry["resource"]["resourceType"] == "Patient"]
        gone = charts[0]["resource"]["id"]
        bundle["entry"] = [
            entry
            for entry in bundle["entry"]
            if gone not in (entry["resource"]["id"], entry["resource"].get("patient", {}).get("reference", "")[8:])
        ]
        bundle["entry"].append({"resource": ehr.ehr.get("Patient/kid0"), "search": {"mode": "match"}})

    ehr.spoil = lambda where, good: rewritten(good, drift) if "_page=" in where else good
    report = site.sync("--full")
    assert (report["changes"], report["read"]["gone"]) == ({}, 0)
    assert adds_up(report["read"])
    assert report["read"]["patients"] == len(KIDS) and report["read"]["repeated"] >= 1
    assert all(opens(site.account(address(kid))) == {kid: "active"} for kid in KIDS)


def test_no_contacts_at_all_where_many_were_known_is_not_believed(site: Adapter, ehr: FaultyEhr) -> None:
    def without_contacts(where: str, good: Reply) -> Reply:
        if where.startswith("/fhir/RelatedPerson/"):
            return Reply(404, b"")
        if "?" not in where:
            return good
        return rewritten(good, _only_patients)

    ehr.spoil = without_contacts
    done = site.run("sync", "--full", "--json")
    assert (done.code, done.document["status"], done.document["changes"]) == (1, "incomplete", {})
    assert "no contacts at all where 12 were known" in " ".join(done.document["problems"])
    assert opens(site.account(address("kid0"))) == {"kid0": "active"}


def _only_patients(bundle: Json) -> None:
    bundle["entry"] = [e for e in bundle.get("entry", []) if e["resource"]["resourceType"] == "Patient"]


def test_a_contact_deleted_from_a_chart_that_changed_ends_with_the_next_sync(site: Adapter, ehr: FaultyEhr) -> None:
    ehr.ehr.delete(f"RelatedPerson/{mother('kid3')['id']}")
    ehr.ehr.put(chart("kid3", language="en"))
    report = site.sync()
    assert (report["kind"], report["read"]["gone"]) == ("incremental", 1)
    assert opens(site.account(address("kid3"))) == {"kid3": "ended contact-gone"}
    assert opens(site.account(address("kid4"))) == {"kid4": "active"}


def test_a_contact_that_an_answer_left_out_has_its_chart_read_again(site: Adapter, ehr: FaultyEhr) -> None:
    """The mother is known; the father is new and would be missed with her."""
    ehr.ehr.put(mother("kid3") | {"id": "kid3-father", "telecom": [{"system": "email", "value": "new@kid3.example"}]})

    def without_kid3(bundle: Json) -> None:
        bundle["entry"] = [
            entry
            for entry in bundle.get("entry", [])
            if entry["resource"].get("patient", {}).get("reference") != "Patient/kid3"
        ]

    searches: list[str] = []

    def spoil(where: str, good: Reply) -> Reply:
        if "patient=kid3" in where:
            searches.append(where)
        return rewritten(good, without_kid3) if "?" in where and len(searches) < 2 else good

    ehr.spoil = spoil
    report = site.sync("--full")
    assert report["status"] == "complete" and report["changes"]["grant"] == 1
    assert opens(site.account("new@kid3.example")) == {"kid3": "active"}


def test_when_contacts_of_many_charts_were_left_out_nobody_new_gets_access(adapter: Adapter) -> None:
    many = [f"kid{number}" for number in range(30)]
    resources = [resource for kid in many for resource in (chart(kid), mother(kid))]

    def few_contacts(bundle: Json) -> None:
        bundle["entry"] = [
            entry
            for entry in bundle.get("entry", [])
            if entry["resource"]["resourceType"] == "Patient" or entry["resource"]["id"] == resources[1]["id"]
        ]

    with SandboxEhr(resources) as sandbox, faulty(sandbox) as ehr:
        adapter.reads_http(ehr.base_url, page_size=50)
        adapter.sync()
        sandbox.put(mother("kid0") | {"id": "kid0-father", "telecom": [{"system": "email", "value": "a@new.example"}]})
        ehr.spoil = lambda where, good: rewritten(good, few_contacts) if "?" in where else good
        report = adapter.run("sync", "--full", "--json").document
    assert (report["status"], report["changes"]) == ("incomplete", {})
    assert "left contacts of 29 charts out of its answer" in " ".join(report["problems"])
