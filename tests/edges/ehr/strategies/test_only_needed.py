"""``elements = true``: only what is needed travels, if the EHR proves to lose nothing by it; else everything does."""

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from adapter.core import shapes
from adapter.ehr import Broken, ReadResult, Record
from adapter.ehr.fhir import FhirReader
from adapter.ehr.fhir.elements import CLOSING, NEEDED, element_of, lost
from tests.edges.ehr.families import contact, patient, quiet
from tests.edges.ehr.scripted import Json, Reply, ScriptedEhr, outcome

SUBSETTED = {"system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue", "code": "SUBSETTED"}
PRIVATE = {"gender": "female", "address": [{"city": "Canary Town"}], "text": {"div": "Canary"}}
Cut = Callable[[str, list[str]], bool]


def names_it(key: str, wanted: list[str]) -> bool:
    return element_of(key) in wanted


def literally(key: str, wanted: list[str]) -> bool:
    """A choice is not understood: ``deceased`` names no key, ``deceasedDateTime`` does."""
    return key in wanted


def without_choices(key: str, wanted: list[str]) -> bool:
    """A choice is not kept, whatever it is called."""
    return key in wanted and not key.startswith("deceased")


def without(*lost_ones: str) -> Cut:
    return lambda key, wanted: element_of(key) in wanted and element_of(key) not in lost_ones


class CuttingEhr(ScriptedEhr):
    """Knows ``_id``, ``active``, ``deceased`` and ``_elements``: ``keeps`` says which keys stay, page by page."""

    keeps: Cut = staticmethod(names_it)
    keeps_later: Cut | None = None
    refuses = False

    def reply(self, target: str) -> Reply:
        parts = urlsplit(target)
        query = {key: values[0] for key, values in parse_qs(parts.query).items()}
        kind = parts.path.removeprefix("/fhir/")
        if self.refuses and "_elements" in query:
            return Reply(400, outcome("error", "not-supported"))
        if query.keys() & {"_id", "active", "deceased", "link:missing"}:
            rows = [row for row in self.resources if row["resourceType"] == kind and _found(row, query)]
            entries: list[Json] = [{"resource": row, "search": {"mode": "match"}} for row in rows]
            reply = Reply(200, {"resourceType": "Bundle", "type": "searchset", "entry": entries})
        else:
            reply = super().reply(target)
        if "_elements" in query:
            keeps = self.keeps_later if self.keeps_later and query.get("page", "1") != "1" else self.keeps
            wanted = query["_elements"].split(",")
            for link in reply.json.get("link", []):
                link["url"] += f"&_elements={query['_elements']}"
            for entry in reply.json["entry"]:
                entry["resource"] = _cut(entry["resource"], lambda key: keeps(key, wanted))
        return reply


def _found(row: Json, query: dict[str, str]) -> bool:
    return (
        query.get("_id", row["id"]) == row["id"]
        and not ("active" in query and row.get("active") is not False)
        and not ("deceased" in query and not any(key.startswith("deceased") for key in row))
        and not ("link:missing" in query and "link" not in row)
    )


def _cut(row: Json, stays: Callable[[str], bool]) -> Json:
    kept = {key: value for key, value in row.items() if key in ("resourceType", "id") or stays(key)}
    return kept | {"meta": {**row.get("meta", {}), "tag": [SUBSETTED]}}


def everybody() -> list[Json]:
    """Twelve families, and one record of each kind that must not be opened by losing something."""
    rows: list[Json] = []
    for number in range(12):
        rows += [patient(f"p{number}") | PRIVATE, contact(f"c{number}", f"p{number}") | PRIVATE]
    rows[2] |= {"deceasedDateTime": "2024-05-01"}
    rows[4] |= {"active": False}
    rows[6] |= {"link": [{"other": {"reference": "Patient/p0"}, "type": "seealso"}]}
    rows[3] |= {"active": False}
    rows[5] |= {"period": {"end": "2024-01-01"}}
    return rows


def read(ehr: CuttingEhr, **more: Any) -> tuple[list[Record | Broken], ReadResult]:
    result = ReadResult(full=True)
    reader = FhirReader(ehr.base_url, page_size=5, elements=True, sleep=lambda _: None, **more)
    return list(reader.read(result, marks={}, progress=quiet)), result


def travelled(rows: list[Record | Broken]) -> set[str]:
    """The private elements that came along."""
    return {key for row in rows if isinstance(row, Record) for key in row.resource if key in PRIVATE}


@pytest.mark.parametrize("strategy", ["revinclude", "each"])
def test_only_what_is_needed_travels_where_nothing_is_lost_by_it(strategy: Any) -> None:
    with CuttingEhr(everybody()) as ehr:
        rows, result = read(ehr, strategy=strategy)
    assert (result.complete, result.problems, len(rows)) == (True, [], 24)
    assert "asked for the needed elements alone" in result.strategy
    assert travelled(rows) == set()
    whole = {row["id"]: row for row in everybody()}
    for row in rows:
        assert isinstance(row, Record)
        assert lost(whole[row.resource["id"]], row.resource) == set()


@pytest.mark.parametrize(
    ("keeps", "why"),
    [
        (without_choices, "loses deceased of a Patient"),
        (without("active"), "loses active of a Patient"),
        (without("link"), "loses link of a Patient"),
        (without("modifierExtension"), "loses modifierExtension of a Patient"),
        (without("period"), "loses period of a RelatedPerson"),
        (without("patient"), "loses patient of a RelatedPerson"),
        (lambda key, wanted: False, "loses"),
    ],
    ids=["choice", "active", "link", "modifier", "period", "patient", "everything"],
)
def test_an_ehr_that_would_lose_what_closes_a_chart_is_read_whole(keeps: Cut, why: str) -> None:
    rows = everybody()
    rows[8] |= {"modifierExtension": [{"url": "urn:canary", "valueBoolean": True}]}
    with CuttingEhr(rows) as ehr:
        ehr.keeps = keeps
        found, result = read(ehr)
    assert result.complete and why in result.strategy and "records are read whole" in result.strategy
    assert travelled(found) == set(PRIVATE)


def test_a_choice_may_have_to_be_named_as_its_keys_are() -> None:
    with CuttingEhr(everybody()) as ehr:
        ehr.keeps = literally
        rows, result = read(ehr)
    assert "asked for the needed elements alone" in result.strategy and travelled(rows) == set()
    dead = [row.resource for row in rows if isinstance(row, Record) and "deceasedDateTime" in row.resource]
    assert [row["id"] for row in dead] == ["p1"]


@pytest.mark.parametrize(
    ("kind", "name"), [(kind, name) for kind, names in CLOSING.items() for name in names], ids=lambda value: str(value)
)
def test_what_nobody_has_cannot_be_shown_to_survive(kind: str, name: str) -> None:
    rows = [
        {key: value for key, value in row.items() if row["resourceType"] != kind or element_of(key) != name}
        for row in everybody()
    ]
    with CuttingEhr(rows) as ehr:
        found, result = read(ehr)
    assert f"no {kind} with {name} was found" in result.strategy
    assert travelled(found) == set(PRIVATE)


def test_an_ehr_that_refuses_it_is_read_whole() -> None:
    with CuttingEhr(everybody()) as ehr:
        ehr.refuses = True
        found, result = read(ehr)
    assert result.complete and "refuses _elements" in result.strategy and travelled(found) == set(PRIVATE)


def test_an_ehr_that_loses_something_later_makes_the_run_incomplete() -> None:
    with CuttingEhr(everybody()) as ehr:
        ehr.keeps_later = without("telecom", "name", "birthDate", "patient")
        _, result = read(ehr, strategy="each")
    assert not result.complete and result.marks == {}
    assert "with _elements, on page 2. Set elements = false" in result.problems[0]


def test_a_part_that_nobody_asked_for_is_still_put_aside() -> None:
    rows = everybody()
    rows[0]["meta"] = {"tag": [SUBSETTED]}
    with CuttingEhr(rows) as ehr:
        found = list(FhirReader(ehr.base_url).read(ReadResult(full=True), marks={}, progress=quiet))
    assert [row.ref for row in found if isinstance(row, Broken)] == ["Patient/p0"]


def test_the_check_says_what_travels() -> None:
    with CuttingEhr(everybody()) as ehr:
        lines = {line.what: line for line in FhirReader(ehr.base_url, elements=True).check()}
        assert lines["EHR elements"].detail.startswith("asked for the needed elements alone")
        assert "EHR elements" not in {line.what for line in FhirReader(ehr.base_url).check()}


def test_whatever_intake_checks_is_asked_for() -> None:
    for kind, shape in (("Patient", shapes.Patient), ("RelatedPerson", shapes.RelatedPerson)):
        assert {element_of(name) for name in shape.__struct_fields__} <= set(NEEDED[kind])
    assert all(set(names) <= set(NEEDED[kind]) for kind, names in CLOSING.items())
