"""Searching the demo EHR over real HTTP: paging, dates, contacts of a chart, and edits in between."""

import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import requests
from fhir.resources.R4B.bundle import Bundle

from adapter.sandbox.ehr import SandboxEhr
from adapter.sandbox.families import population, story

TODAY = date(2026, 11, 23)
RESOURCES = [resource for family in story(TODAY) for resource in family.resources]
BUNDLE: Any = Bundle
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def page(url: str, **params: str | int) -> dict[str, Any]:
    """One page, once it has proven to be a valid searchset."""
    response = requests.get(url, params=params, timeout=10)
    assert response.status_code == 200, response.text
    body: dict[str, Any] = response.json()
    BUNDLE.model_validate(body)
    assert body["type"] == "searchset"
    return body


def link(bundle: dict[str, Any], relation: str) -> str | None:
    return next((item["url"] for item in bundle["link"] if item["relation"] == relation), None)


def pages(url: str, **params: str | int) -> Iterator[dict[str, Any]]:
    bundle = page(url, **params)
    yield bundle
    while (onward := link(bundle, "next")) is not None:
        bundle = page(onward)
        yield bundle


def refs(*bundles: dict[str, Any], mode: str = "match") -> list[str]:
    return [
        f"{entry['resource']['resourceType']}/{entry['resource']['id']}"
        for bundle in bundles
        for entry in bundle.get("entry", [])
        if entry["search"]["mode"] == mode
    ]


def stored(kind: str) -> list[str]:
    return [f"{kind}/{item['id']}" for item in RESOURCES if item["resourceType"] == kind]


class Clock:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture(scope="module")
def shared_ehr() -> Iterator[SandboxEhr]:
    with SandboxEhr(RESOURCES) as running:
        yield running


@pytest.fixture
def ehr() -> Iterator[SandboxEhr]:
    with SandboxEhr(RESOURCES) as running:
        yield running


@pytest.mark.parametrize("count", [1, 7, 1000])
@pytest.mark.parametrize("kind", ["Patient", "RelatedPerson"])
def test_paging_gives_every_resource_once_whatever_the_page_size(shared_ehr: SandboxEhr, kind: str, count: int) -> None:
    walked = list(pages(f"{shared_ehr.base_url}/{kind}", _count=count))
    assert refs(*walked) == stored(kind)
    assert {bundle["total"] for bundle in walked} == {len(stored(kind))}
    assert all(len(refs(bundle)) == count for bundle in walked[:-1])
    for bundle in walked:
        for entry in bundle["entry"]:
            assert entry["fullUrl"] == f"{shared_ehr.base_url}/{kind}/{entry['resource']['id']}"


def test_an_exactly_full_last_page_has_no_next_link(shared_ehr: SandboxEhr) -> None:
    assert link(page(f"{shared_ehr.base_url}/Patient", _count=len(stored("Patient"))), "next") is None


def test_the_self_link_repeats_the_search_as_understood(shared_ehr: SandboxEhr) -> None:
    bundle = page(f"{shared_ehr.base_url}/RelatedPerson", patient="okafor-ada,okafor-ben", _count=99999, _format="json")
    own = link(bundle, "self")
    assert own is not None
    assert own.endswith("?patient=okafor-ada%2Cokafor-ben&_count=1000")
    assert refs(page(own)) == refs(bundle)


def test_a_next_link_carries_the_whole_search_on(shared_ehr: SandboxEhr) -> None:
    walked = list(pages(f"{shared_ehr.base_url}/RelatedPerson", patient="petrov-mila,petrov-lev", _count=3))
    assert len(walked) == 2
    assert sorted(refs(*walked)) == sorted(ref for ref in stored("RelatedPerson") if "petrov" in ref)


def test_a_search_without_a_match_has_no_entries(shared_ehr: SandboxEhr) -> None:
    bundle = page(f"{shared_ehr.base_url}/Patient", _id="nobody")
    assert bundle["total"] == 0
    assert "entry" not in bundle


def test_a_count_of_zero_only_counts(shared_ehr: SandboxEhr) -> None:
    bundle = page(f"{shared_ehr.base_url}/Patient", _count=0)
    assert bundle["total"] == len(stored("Patient"))
    assert "entry" not in bundle
    assert link(bundle, "next") is None


def test_edits_during_a_walk_neither_lose_nor_repeat_anything(ehr: SandboxEhr) -> None:
    walk = pages(f"{ehr.base_url}/RelatedPerson", _count=5)
    seen = refs(next(walk))
    for ref in stored("RelatedPerson")[::3]:
        ehr.change_email(ref, "moved@mail.example")
    deleted = stored("RelatedPerson")[-1]
    ehr.delete(deleted)
    added = ehr.put({"resourceType": "RelatedPerson", "id": "late", "patient": {"reference": "Patient/okafor-ada"}})
    seen += refs(*walk)
    assert seen == [*stored("RelatedPerson")[:-1], f"RelatedPerson/{added['id']}"]


def test_revinclude_brings_every_contact_of_every_chart(shared_ehr: SandboxEhr) -> None:
    walked = list(pages(f"{shared_ehr.base_url}/Patient", _revinclude="RelatedPerson:patient", _count=4))
    assert refs(*walked) == stored("Patient")
    assert sorted(refs(*walked, mode="include")) == sorted(stored("RelatedPerson"))
    for bundle in walked:
        assert len(refs(bundle)) <= 4
        on_page = set(refs(bundle))
        included = [entry["resource"] for entry in bundle["entry"] if entry["search"]["mode"] == "include"]
        assert all(contact["patient"]["reference"] in on_page for contact in included)


def test_a_contact_moved_to_another_chart_leaves_the_first(ehr: SandboxEhr) -> None:
    moved = ehr.get("RelatedPerson/okafor-ada-mother") | {"patient": {"reference": "Patient/okafor-ben"}}
    ehr.put(moved)
    assert page(f"{ehr.base_url}/RelatedPerson", patient="okafor-ada")["total"] == 0
    assert page(f"{ehr.base_url}/RelatedPerson", patient="okafor-ben")["total"] == 2


@pytest.mark.parametrize("form", ["okafor-ada", "Patient/okafor-ada", "{base}/Patient/okafor-ada"])
def test_a_chart_can_be_named_in_three_ways(shared_ehr: SandboxEhr, form: str) -> None:
    bundle = page(f"{shared_ehr.base_url}/RelatedPerson", patient=form.format(base=shared_ehr.base_url))
    assert refs(bundle) == ["RelatedPerson/okafor-ada-mother"]


def test_a_chart_of_another_server_has_no_contacts_here(shared_ehr: SandboxEhr) -> None:
    bundle = page(f"{shared_ehr.base_url}/RelatedPerson", patient="https://ehr.example/fhir/Patient/okafor-ada")
    assert bundle["total"] == 0


def test_ids_of_a_list_are_any_of_and_of_two_parameters_both(shared_ehr: SandboxEhr) -> None:
    url = f"{shared_ehr.base_url}/Patient"
    assert refs(page(url, _id="okafor-ben,nobody,okafor-ada")) == ["Patient/okafor-ada", "Patient/okafor-ben"]
    both = requests.get(url, params=[("_id", "okafor-ada,okafor-ben"), ("_id", "okafor-ben")], timeout=5).json()
    assert refs(both) == ["Patient/okafor-ben"]
    contact = page(f"{shared_ehr.base_url}/RelatedPerson", patient="okafor-ada", _id="okafor-ben-mother")
    assert contact["total"] == 0


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("ge2026-11-23T12:00:00Z", True),
        ("ge2026-11-23T12:00:00.001Z", False),
        ("gt2026-11-23T11:59:59Z", True),
        ("gt2026-11-23T12:00:00Z", False),
        ("gt2026-11-23T12:00Z", False),
        ("le2026-11-23T12:00:00Z", True),
        ("lt2026-11-23T12:00:00Z", False),
        ("lt2026-11-23T12:00:00.001Z", True),
        ("2026-11-23T12:00:00.000Z", True),
        ("eq2026-11-23", True),
        ("2026-11", True),
        ("2026", True),
        ("gt2026", False),
        ("ge2027", False),
        ("lt2026-12", True),
        ("sa2026-11-22", True),
        ("eb2026-11-23", False),
        ("ge2026-11-23T13:00:00+01:00", True),
        ("ge2026-11-23T12:00:00-05:00", False),
    ],
)
def test_last_updated_compares_as_fhir_says(value: str, found: bool) -> None:
    with SandboxEhr(RESOURCES[:1], clock=Clock()) as ehr:
        assert page(f"{ehr.base_url}/Patient", _lastUpdated=value)["total"] == int(found)


def test_december_ends_with_the_year() -> None:
    clock = Clock()
    clock.now = datetime(2026, 12, 31, 23, 59, 59, 999000, tzinfo=UTC)
    with SandboxEhr(RESOURCES[:1], clock=clock) as ehr:
        assert page(f"{ehr.base_url}/Patient", _lastUpdated="2026-12")["total"] == 1
        assert page(f"{ehr.base_url}/Patient", _lastUpdated="gt2026-12")["total"] == 0


def test_only_what_changed_since_comes_back() -> None:
    clock = Clock()
    with SandboxEhr(RESOURCES, clock=clock) as ehr:
        clock.now += timedelta(minutes=5)
        for ref in ("RelatedPerson/lindgren-elsa-father", "RelatedPerson/okafor-ada-mother"):
            ehr.change_email(ref, "moved@mail.example")
        ehr.change_email("RelatedPerson/okafor-ada-mother", "again@mail.example")
        since = {"_lastUpdated": "gt2026-11-23T12:01:00Z", "_count": "1"}
        walked = list(pages(f"{ehr.base_url}/RelatedPerson", **since))
        assert refs(*walked) == ["RelatedPerson/okafor-ada-mother", "RelatedPerson/lindgren-elsa-father"]
        assert {bundle["total"] for bundle in walked} == {2}
        before = page(f"{ehr.base_url}/RelatedPerson", _lastUpdated="lt2026-11-23T12:01:00Z", _count=1000)
        assert len(refs(before)) == len(stored("RelatedPerson")) - 2


def test_the_servers_time_never_runs_backwards() -> None:
    clock = Clock()
    with SandboxEhr(RESOURCES, clock=clock) as ehr:
        clock.now -= timedelta(hours=1)
        changed = ehr.change_email("RelatedPerson/okafor-ada-mother", "moved@mail.example")
        assert changed["meta"]["lastUpdated"] == "2026-11-23T12:00:00.000Z"


def test_a_large_change_comes_back_whole() -> None:
    clock = Clock()
    resources = [item for item in population(800, today=TODAY) if item["resourceType"] == "Patient"]
    assert len(resources) > 1000
    with SandboxEhr(resources, clock=clock) as ehr:
        clock.now += timedelta(minutes=5)
        for resource in resources[10:]:
            ehr.put(resource)
        walked = list(pages(f"{ehr.base_url}/Patient", _lastUpdated="ge2026-11-23T12:05:00Z", _count=300))
        assert refs(*walked) == [f"Patient/{item['id']}" for item in resources[10:]]


def test_pages_of_200_come_at_5000_resources_a_second() -> None:
    resources = [item for item in population(2500, today=TODAY) if item["resourceType"] == "Patient"]
    with SandboxEhr(resources) as ehr, requests.Session() as session:
        url: str | None = f"{ehr.base_url}/Patient?_count=200"
        count, start = 0, time.process_time()
        while url is not None:
            bundle = session.get(url, timeout=10).json()
            count += len(bundle["entry"])
            url = link(bundle, "next")
        spent = time.process_time() - start  # of server and client: what else runs on this machine does not count
    assert count == len(resources)
    assert count / spent > 5000
