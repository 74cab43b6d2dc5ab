"""Contacts that are not where, or not named as, FHIR promises: in the chart, shared by siblings, tied by a number."""

from datetime import UTC, datetime
from typing import Any

import pytest

from adapter.core.search import SearchRules, StrategyName
from adapter.ehr import Broken, ReadResult, Record
from adapter.ehr.fhir import FhirReader
from adapter.ehr.fhir.contacts import id_on_chart
from adapter.errors import SourceError
from tests.edges.ehr import scripted
from tests.edges.ehr.families import OLD, Json, contact, patient, quiet, refs
from tests.edges.ehr.strategies.odd_ehr import NUMBER, OddEhr

IN_CHARTS = SearchRules(contacts="Patient.contact")
BY_PERSON = SearchRules(contact_ids="person")
BY_NUMBER = SearchRules(patient_identifier=NUMBER)
SEARCH_ONLY = OddEhr.ALL - {"revinclude"}
WAYS: tuple[StrategyName, ...] = ("revinclude", "list", "batch", "each")
MARK = datetime(2026, 6, 1, tzinfo=UTC)
MARKS = {"Patient": MARK, "RelatedPerson": MARK}
NEW = "2026-06-01T00:00:00Z"

MOTHER: Json = {"name": {"family": "Canary"}, "relationship": [{"text": "Mother"}], "telecom": [{"system": "email"}]}
FATHER: Json = {"name": {"family": "Canary"}, "relationship": [{"text": "Father"}]}


def reader(ehr: OddEhr, rules: SearchRules, **more: Any) -> FhirReader:
    return FhirReader(ehr.base_url, page_size=25, sleep=lambda seconds: None, rules=rules, **more)


def read(
    ehr: OddEhr, rules: SearchRules, *, marks: dict[str, datetime] | None = None, **more: Any
) -> tuple[list[Record | Broken], ReadResult]:
    result = ReadResult(full=marks is None)
    return list(reader(ehr, rules, **more).read(result, marks=marks or {}, progress=quiet)), result


def contacts(rows: list[Record | Broken]) -> list[Json]:
    found = [row.resource for row in rows if isinstance(row, Record)]
    return [row for row in found if row["resourceType"] == "RelatedPerson"]


def no_related_person(reply: scripted.Reply) -> None:
    server = reply.json["rest"][0]
    server["resource"] = [entry for entry in server["resource"] if entry["type"] != "RelatedPerson"]


# Patient.contact


def test_entries_of_the_chart_become_contacts_where_there_is_no_related_person() -> None:
    charts = [patient("p1") | {"contact": [MOTHER, FATHER]}, patient("p2") | {"contact": [MOTHER]}, patient("p3")]
    with OddEhr(charts) as ehr:
        ehr.fault("metadata", no_related_person)
        rows, result = read(ehr, IN_CHARTS)
        assert result.complete and "Patient.contact" in result.strategy
        found = contacts(rows)
        assert [row["patient"]["reference"] for row in found] == ["Patient/p1", "Patient/p1", "Patient/p2"]
        assert len({row["id"] for row in found}) == 3
        assert found[0] == {
            "resourceType": "RelatedPerson",
            "id": found[0]["id"],
            "meta": {"lastUpdated": OLD},
            "patient": {"reference": "Patient/p1"},
            "name": [{"family": "Canary"}],
            "relationship": [{"text": "Mother"}],
            "telecom": [{"system": "email"}],
        }
        assert result.marks.keys() == {"Patient", "RelatedPerson"}
        assert not any("/RelatedPerson" in path for path in ehr.requests)


def test_the_same_ehr_is_refused_without_such_a_profile() -> None:
    with OddEhr([patient("p1")]) as ehr:
        ehr.fault("metadata", no_related_person)
        rows, result = read(ehr, SearchRules())
        assert (rows, result.complete) == ([], False)
        assert "choose a mapping profile that says so" in result.problems[0]


def test_an_entry_keeps_its_id_wherever_it_stands_and_whatever_its_address_is() -> None:
    other_address = MOTHER | {"telecom": [{"system": "email", "value": "new@canary.example"}]}
    ids = []
    for entries in ([MOTHER, FATHER], [FATHER, other_address]):
        with OddEhr([patient("p1") | {"contact": entries}]) as ehr:
            ids.append({row["id"] for row in contacts(read(ehr, IN_CHARTS)[0])})
    assert ids[0] == ids[1]


def test_a_chart_that_changed_is_looked_at_whole() -> None:
    changed, still = patient("p1", NEW) | {"contact": [MOTHER]}, patient("p2") | {"contact": [MOTHER]}
    with OddEhr([changed, still]) as ehr:
        rows, result = read(ehr, IN_CHARTS, marks={"Patient": MARK})
        assert (result.full, result.complete, result.whole_charts) == (False, True, {"Patient/p1"})
        assert len(contacts(rows)) == 1


def test_an_entry_is_gone_only_when_its_chart_was_read_without_it() -> None:
    with OddEhr([patient("p1") | {"contact": [MOTHER, FATHER]}]) as ehr:
        (_, father) = contacts(read(ehr, IN_CHARTS)[0])
        one = reader(ehr, IN_CHARTS)
        ref = f"RelatedPerson/{father['id']}"
        there = one.read_one(ref, chart="Patient/p1")
        assert isinstance(there, Record) and there.resource == father
        ehr.resources[0]["contact"] = [MOTHER]
        assert one.read_one(ref, chart="Patient/p1") is None
        for unreadable in ("Canary", {"0": MOTHER}, [MOTHER, "Canary"]):
            ehr.resources[0]["contact"] = unreadable
            with pytest.raises(SourceError, match="cannot be told"):
                one.read_one(ref, chart="Patient/p1")
        with pytest.raises(SourceError, match="its chart is not known"):
            one.read_one(ref)
        ehr.fault("Patient/p1", scripted.status(503))
        with pytest.raises(SourceError):
            one.read_one(ref, chart="Patient/p1")


def test_a_family_is_read_with_the_entries_of_its_charts() -> None:
    with OddEhr([patient("p1") | {"contact": [MOTHER]}, patient("p2") | {"contact": [FATHER]}]) as ehr:
        result = ReadResult(full=False)
        rows = list(reader(ehr, IN_CHARTS).read_family(result, patients=["Patient/p1"]))
        assert result.complete and len(rows) == 2 and len(contacts(rows)) == 1


# One id for a person on several charts

SIBLINGS: list[Json] = [patient("p1"), patient("p2"), contact("mum", "p1"), contact("mum", "p2"), contact("dad", "p2")]


@pytest.mark.parametrize("strategy", WAYS)
def test_a_person_is_one_contact_on_each_of_her_children(strategy: StrategyName) -> None:
    with OddEhr(SIBLINGS, batch=True) as ehr:
        rows, result = read(ehr, BY_PERSON, strategy=strategy)
        assert result.complete
        assert {(row["id"], row["patient"]["reference"]) for row in contacts(rows)} == {
            (id_on_chart("mum", "Patient/p1"), "Patient/p1"),
            (id_on_chart("mum", "Patient/p2"), "Patient/p2"),
            (id_on_chart("dad", "Patient/p2"), "Patient/p2"),
        }


def test_a_person_who_is_no_longer_on_one_chart_is_gone_from_that_one_only() -> None:
    with OddEhr(list(SIBLINGS)) as ehr:
        one = reader(ehr, BY_PERSON)
        on_p1, on_p2 = (f"RelatedPerson/{id_on_chart('mum', f'Patient/{key}')}" for key in ("p1", "p2"))
        assert isinstance(one.read_one(on_p1, chart="Patient/p1"), Record)
        ehr.resources.remove(SIBLINGS[2])
        assert one.read_one(on_p1, chart="Patient/p1") is None
        assert isinstance(one.read_one(on_p2, chart="Patient/p2"), Record)
        ehr.fault("RelatedPerson", scripted.warning_entry)
        with pytest.raises(SourceError):
            one.read_one(on_p1, chart="Patient/p1")


def test_an_id_on_a_chart_is_always_a_fhir_id() -> None:
    ids = {
        id_on_chart(person, chart)
        for person in ("m", "m" * 47, "m" * 48, "m" * 64)
        for chart in ("Patient/1", "Patient/2")
    }
    assert len(ids) == 8 and all(len(each) <= 64 for each in ids)


# Charts named by a number


def numbered(key: str, *numbers: str, system: str = NUMBER) -> Json:
    return patient(key) | {"identifier": [{"system": system, "value": value} for value in numbers]}


def by_number(key: str, number: str, updated: str = OLD, system: str = NUMBER) -> Json:
    return contact(key, "", updated) | {"patient": {"identifier": {"system": system, "value": number}}}


NUMBERED: list[Json] = [numbered("p1", "111"), numbered("p2", "222"), by_number("c1", "111"), by_number("c2", "222")]


def tied(rows: list[Record | Broken]) -> dict[str, str | None]:
    return {row["id"]: row["patient"].get("reference") for row in contacts(rows)}


@pytest.mark.parametrize("strategy", ["list", "batch", "each"])
def test_a_contact_that_names_its_chart_by_number_is_tied_to_it(strategy: StrategyName) -> None:
    identifier = {"identifier": lambda row, value: _has_number(row, value)}
    with OddEhr(NUMBERED, declares=SEARCH_ONLY, batch=True, known_params=identifier) as ehr:
        rows, result = read(ehr, BY_NUMBER, strategy=strategy)
        assert result.complete, result.problems
        assert tied(rows) == {"c1": "Patient/p1", "c2": "Patient/p2"}


def test_a_changed_contact_is_tied_to_the_one_chart_that_has_its_number() -> None:
    rows_there = [*NUMBERED, numbered("p3", "333"), numbered("p4", "333")]
    rows_there += [by_number("c3", "333", NEW), by_number("c4", "444", NEW), by_number("c5", "222", NEW)]
    rows_there += [by_number("c6", "222", NEW, system="https://numbers.example/other")]
    identifier = {"identifier": lambda row, value: _has_number(row, value)}
    with OddEhr(rows_there, declares=SEARCH_ONLY, known_params=identifier) as ehr:
        rows, result = read(ehr, BY_NUMBER, marks=MARKS)
        assert (result.full, result.complete) == (False, True)
        assert tied(rows) == {"c3": None, "c4": None, "c5": "Patient/p2", "c6": None}


def test_a_server_that_ignores_the_number_ties_nobody_to_a_wrong_chart() -> None:
    with OddEhr([*NUMBERED, by_number("c4", "444", NEW)], declares=SEARCH_ONLY) as ehr:
        rows, result = read(ehr, BY_NUMBER, marks=MARKS)
        assert result.complete and tied(rows) == {"c4": None}


def test_without_the_profile_a_number_ties_nobody() -> None:
    with OddEhr(NUMBERED, declares=SEARCH_ONLY) as ehr:
        rows, _ = read(ehr, SearchRules(), strategy="each")
        assert set(tied(rows).values()) == {None}


@pytest.mark.parametrize("damage", ["11|1", "", "1,2", None, 111])
def test_a_damaged_number_ties_nobody(damage: Any) -> None:
    stray = by_number("c9", "111") | {"patient": {"identifier": {"system": NUMBER, "value": damage}}}
    chart = patient("p1") | {"identifier": [{"system": NUMBER, "value": damage}]}
    with OddEhr([chart], declares=SEARCH_ONLY) as ehr:
        ehr.fault("RelatedPerson", lambda reply: reply.json["entry"].append({"resource": stray}))
        rows, _ = read(ehr, BY_NUMBER)
        assert set(tied(rows).values()) <= {None}


def _has_number(row: Json, value: str) -> bool:
    system, _, number = value.partition("|")
    wanted = {"system": system, "value": number}
    return row["resourceType"] != "Patient" or wanted in row.get("identifier", [])


def test_reading_gives_the_same_contacts_one_by_one() -> None:
    identifier = {"identifier": lambda row, value: _has_number(row, value)}
    with OddEhr(NUMBERED, known_params=identifier) as ehr:
        one = reader(ehr, BY_NUMBER).read_one("RelatedPerson/c1")
        assert isinstance(one, Record) and one.resource["patient"]["reference"] == "Patient/p1"
        result = ReadResult(full=False)
        family = list(reader(ehr, BY_NUMBER).read_family(result, patients=["Patient/p2"]))
        assert refs(family) == {"Patient/p2", "RelatedPerson/c2"} and result.complete
