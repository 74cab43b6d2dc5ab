"""The demo's families and the generated ones: valid FHIR, the same every time, and shaped as they say."""

import tracemalloc
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import date
from itertools import islice
from pathlib import Path
from typing import Any

import orjson
import pytest
from fhir.resources.R4B.patient import Patient
from fhir.resources.R4B.relatedperson import RelatedPerson

from adapter.sandbox.charts import AUTHORITY, born
from adapter.sandbox.families import EMAILLESS_ROW, SELF_ROW, WITHDRAWN_ROW, Family, population, story, write_ndjson

TODAY = date(2026, 11, 23)
MODELS: dict[str, Any] = {"Patient": Patient, "RelatedPerson": RelatedPerson}


def of(kind: str, resources: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [resource for resource in resources if resource["resourceType"] == kind]


def emails(resource: dict[str, Any]) -> list[str]:
    return [point["value"] for point in resource["telecom"] if point["system"] == "email"]


def authority(contact: dict[str, Any]) -> str | None:
    return next((item["valueCode"] for item in contact.get("extension", []) if item["url"] == AUTHORITY), None)


def age(birth_date: str, today: date) -> int:
    day = date.fromisoformat(birth_date)
    return today.year - day.year - ((today.month, today.day) < (day.month, day.day))


@pytest.mark.parametrize("family", story(TODAY), ids=lambda family: family.title)
def test_every_family_of_the_story_is_valid_fhir(family: Family) -> None:
    for resource in family.resources:
        MODELS[resource["resourceType"]].model_validate(resource)


def test_ids_are_unique_and_every_contact_is_on_a_chart_of_its_own_family() -> None:
    families = story(TODAY)
    refs = [f"{item['resourceType']}/{item['id']}" for family in families for item in family.resources]
    assert len(refs) == len(set(refs))
    for family in families:
        charts = {f"Patient/{item['id']}" for item in of("Patient", family.resources)}
        assert {contact["patient"]["reference"] for contact in of("RelatedPerson", family.resources)} <= charts


def test_each_family_says_in_one_sentence_what_it_shows() -> None:
    families = story(TODAY)
    assert len({family.title for family in families}) == len(families) >= 12
    for family in families:
        assert family.shows.endswith(".")
        assert family.shows.count(".") == 1
        assert 0 < len(family.case) <= 30


def test_nobody_in_the_story_has_an_address_that_could_exist() -> None:
    addresses = [address for family in story(TODAY) for item in family.resources for address in emails(item)]
    assert len(addresses) > 30
    assert all(address.lower().endswith((".example", ".test")) for address in addresses)


def test_people_of_different_families_never_share_a_name_or_an_address() -> None:
    owners: dict[str, set[str]] = defaultdict(set)
    for family in story(TODAY):
        for item in family.resources:
            for key in [str(item["name"]), *(address.lower() for address in emails(item))]:
                owners[key].add(family.title)
    assert {key: titles for key, titles in owners.items() if len(titles) > 1} == {}


@pytest.mark.parametrize("today", [TODAY, date(2028, 2, 29), date(2027, 1, 1), date(2029, 6, 8)])
def test_ages_are_right_whatever_the_day(today: date) -> None:
    charts = {item["id"]: item for family in story(today) for item in of("Patient", family.resources)}
    assert age(charts["sorensen-nils"]["birthDate"], today) == 18
    assert age(charts["sorensen-freja"]["birthDate"], today) == 16
    assert age(charts["iyer-asha"]["birthDate"], today) == 15
    assert age(charts["abernathy-june"]["birthDate"], today) == 1
    assert all(age(born(today, years, days).isoformat(), today) == years for years in range(40) for days in range(365))


def test_the_rows_the_demo_edits_are_what_it_says() -> None:
    rows = {f"RelatedPerson/{item['id']}": item for family in story(TODAY) for item in family.resources}
    assert rows[SELF_ROW]["relationship"][0]["text"] == "Self"
    assert authority(rows[SELF_ROW]) == authority(rows[EMAILLESS_ROW]) == "joint"
    contacts = {ref: set(emails(row)) for ref, row in rows.items() if row["resourceType"] == "RelatedPerson"}
    holders = [ref for ref, addresses in contacts.items() if addresses & contacts[SELF_ROW]]
    assert holders == [SELF_ROW]
    assert rows[EMAILLESS_ROW]["name"] == rows[SELF_ROW]["name"]
    assert emails(rows[EMAILLESS_ROW]) == []
    assert authority(rows[WITHDRAWN_ROW]) == "joint"
    assert emails(rows[WITHDRAWN_ROW])


def test_the_story_is_the_same_every_time_and_never_the_same_objects() -> None:
    first, second = story(TODAY), story(TODAY)
    assert first == second
    first[0].resources[0]["name"].clear()
    assert second == story(TODAY)


def test_a_population_is_valid_fhir() -> None:
    for resource in population(60, today=TODAY):
        MODELS[resource["resourceType"]].model_validate(resource)


def test_a_population_is_the_same_for_the_same_seed_only() -> None:
    assert list(population(50, today=TODAY)) == list(population(50, today=TODAY, seed=1))
    assert list(population(50, today=TODAY)) != list(population(50, today=TODAY, seed=2))


def test_a_population_has_the_mixture_of_a_practice() -> None:
    resources = list(population(4000, today=TODAY))
    charts, contacts = of("Patient", resources), of("RelatedPerson", resources)
    assert len({(item["resourceType"], item["id"]) for item in resources}) == len(resources)
    assert len(charts) == pytest.approx(6400, rel=0.03)
    assert len(contacts) / len(charts) == pytest.approx(1.8, abs=0.03)
    own = [chart for chart in charts if age(chart["birthDate"], TODAY) >= 18]
    assert len(own) / len(charts) == pytest.approx(0.01, abs=0.004)

    by_chart: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for contact in contacts:
        by_chart[contact["patient"]["reference"]].append(contact)
    assert by_chart.keys() == {f"Patient/{chart['id']}" for chart in charts}
    joint_pairs = [rows for rows in by_chart.values() if [authority(row) for row in rows] == ["joint", "joint"]]
    assert len(joint_pairs) / len(charts) == pytest.approx(0.7, abs=0.03)
    shared = [rows for rows in joint_pairs if emails(rows[0]) == emails(rows[1])]
    assert len(shared) / len(charts) == pytest.approx(0.01, abs=0.005)
    values = Counter(authority(contact) for contact in contacts)
    assert min(values[value] for value in ("exclusive", "none", None)) > 0.005 * len(contacts)
    assert 0.01 < sum(not emails(contact) for contact in contacts) / len(contacts) < 0.03


def test_a_generated_resource_has_the_size_of_a_real_one() -> None:
    sizes = [len(orjson.dumps(resource)) for resource in population(500, today=TODAY)]
    assert 700 <= sum(sizes) / len(sizes) <= 900


def test_a_population_is_streamed() -> None:
    stream = population(10_000_000, today=TODAY)
    tracemalloc.start()
    try:
        for _ in islice(stream, 20_000):
            pass
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 1_000_000


def test_ndjson_files_hold_every_resource_once(tmp_path: Path) -> None:
    counts = write_ndjson(tmp_path / "ehr", population(30, today=TODAY))
    expected = list(population(30, today=TODAY))
    for kind in ("Patient", "RelatedPerson"):
        lines = list(_lines(tmp_path / "ehr" / f"{kind}.ndjson"))
        assert lines == of(kind, expected)
        assert counts[kind] == len(lines)


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    for line in path.read_bytes().splitlines():
        yield orjson.loads(line)


def test_the_document_about_the_demo_lists_every_family() -> None:
    written = (Path(__file__).parents[2] / "docs" / "demo.md").read_text()
    listed = [line for line in written.splitlines() if line.startswith("| ") and line.endswith(". |")]
    assert listed == [f"| {family.title} | {family.shows} |" for family in story(TODAY)]
