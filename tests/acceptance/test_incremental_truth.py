"""What a sync concludes from an EHR that moves under it: versions going back, rows that change pages, merged charts."""

import json
from collections.abc import Iterator
from dataclasses import replace

import pytest

from adapter.sandbox.ehr import SandboxEhr
from tests.acceptance.adapter_cli import Adapter, adds_up, opens
from tests.acceptance.bad_records import Json, chart, mother
from tests.acceptance.faulty_ehr import FaultyEhr, Reply, faulty

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


def test_an_older_copy_that_comes_late_undoes_nothing(site: Adapter, ehr: FaultyEhr) -> None:
    ref = f"RelatedPerson/{mother('kid0')['id']}"
    before = ehr.ehr.get(ref)
    ehr.ehr.put({**before, **NONE})
    assert site.sync()["changes"]["end-grant"] == 1

    def stale(bundle: Json) -> None:
        for entry in bundle.get("entry", []):
            if entry["resource"].get("id") == before["id"]:
                entry["resource"] = before

    ehr.spoil = lambda where, good: rewritten(good, stale) if "_lastUpdated" in where else good
    report = site.sync()
    assert (report["kind"], report["changes"]) == ("incremental", {})
    assert opens(site.account(address("kid0"))) == {"kid0": "ended authority-none"}


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


@pytest.mark.parametrize(
    "merges",
    [
        {"kid0": "kid1", "kid1": "kid2"},
        {"kid0": "kid1", "kid1": "kid0"},
        {"kid0": "kid0"},
        {"kid0": "nobody"},
    ],
    ids=["chain", "cycle", "into itself", "into an unknown chart"],
)
def test_a_merged_chart_is_closed_and_its_grants_go_nowhere(
    site: Adapter, ehr: FaultyEhr, merges: dict[str, str]
) -> None:
    for old, new in merges.items():
        link = {"other": {"reference": f"Patient/{new}"}, "type": "replaced-by"}
        ehr.ehr.put(chart(old, link=[link]))
    for _ in range(2):
        site.sync("--full")
        for kid in KIDS[:4]:
            assert opens(site.account(address(kid))) == {kid: "suspended patient-merged" if kid in merges else "active"}
