"""Records that cannot be used are put aside with the path and the problem, as public data shows them and worse."""

from typing import Any

import pytest

from adapter.core.facts import Patient, Quarantined
from adapter.core.mapping import Mapper
from adapter.profiles import load_profile

PROFILE = load_profile("family-contacts")
MAPPER = Mapper(PROFILE)


@pytest.mark.parametrize(
    ("resource", "path", "problem"),
    [
        ({"resourceType": "Patient"}, "Patient.id", "is missing"),
        ({"resourceType": "Patient", "id": 7}, "Patient.id", "should be text, is a number"),
        ({"resourceType": "Patient", "id": "a/b"}, "Patient.id", "is not a FHIR id"),
        ({"id": "p1"}, "$.resourceType", "is missing or not text"),
        ([], "$", "should be an object"),
    ],
)
def test_a_record_that_nobody_can_name(resource: Any, path: str, problem: str) -> None:
    expected = Quarantined(ref="", source="", path=path, problem=problem, origin="file:3")
    assert MAPPER.read(resource, "file:3") == expected


@pytest.mark.parametrize(
    ("elements", "path", "problem"),
    [
        ({"active": "false"}, "Patient.active", "should be true or false, is text"),
        ({"active": None}, "Patient.active", "should be true or false, is null"),
        ({"_active": {"id": "x"}}, "Patient.active", "has no value"),
        (
            {"implicitRules": "urn:x"},
            "Patient.implicitRules",
            "the record follows rules of its own that the adapter does not know",
        ),
        ({"identifier": {"value": "1"}}, "Patient.identifier", "should be a list, is an object"),
        ({"name": "Nora"}, "Patient.name", "should be a list, is text"),
        ({"name": []}, "Patient.name", "is empty"),
        ({"name": [{"given": "Nora"}]}, "Patient.name[0].given", "should be a list, is text"),
        ({"name": [{"text": "N" * 1001}]}, "Patient.name[0].text", "is too long"),
        ({"name": [{"given": ["N" * 600, "J" * 600]}]}, "Patient.name", "is too long"),
        ({"name": [{"text": "Nora\x00"}]}, "Patient.name", "contains control characters"),
        ({"name": [{"text": "Nora\ud800"}]}, "Patient.name", "contains control characters"),
        ({"birthDate": ""}, "Patient.birthDate", "is empty"),
        ({"birthDate": 20170930}, "Patient.birthDate", "should be text, is a number"),
        ({"birthDate": "9" * 41}, "Patient.birthDate", "is too long"),
        ({"birthDate": "2017\x00"}, "Patient.birthDate", "contains control characters"),
        ({"deceasedBoolean": "no"}, "Patient.deceasedBoolean", "should be true or false, is text"),
        ({"_deceasedBoolean": {"id": "x"}}, "Patient.deceasedBoolean", "has no value"),
        ({"link": [{"other": {"reference": "Patient/p2"}}]}, "Patient.link[0].type", "is missing"),
        (
            {"link": [{"other": {}, "type": "replaced"}]},
            "Patient.link[0].type",
            "is not one of the codes FHIR allows here",
        ),
        (
            {"link": [{"other": {}, "type": "refer", "modifierExtension": []}]},
            "Patient.link[0].modifierExtension",
            "the link's meaning is changed in a way the adapter does not know",
        ),
        (
            {"telecom": [{"system": "e-mail", "value": "x"}]},
            "Patient.telecom[0].system",
            "is not one of the codes FHIR allows here",
        ),
        ({"telecom": [{"system": "email", "rank": 0}]}, "Patient.telecom[0].rank", "is out of range"),
        (
            {"telecom": [{"system": "email", "value": "a@x.example", "_use": {}}]},
            "Patient.telecom[0].use",
            "has no value",
        ),
        ({"telecom": [{}]}, "Patient.telecom[0]", "is empty"),
        (
            {"telecom": [{"use": "home", "value": "x"}]},
            "Patient.telecom[0].system",
            "is missing, so nobody can tell an e-mail address from a telephone number",
        ),
        ({"telecom": [{"system": "email"}]}, "Patient.telecom", "has an e-mail entry without an address"),
        ({"meta": []}, "Patient.meta", "should be an object, is a list"),
        ({"name": [{"text": "N"}] * 201}, "Patient.name", "is too long"),
    ],
)
def test_a_damaged_chart_is_put_aside_with_its_path(elements: dict[str, Any], path: str, problem: str) -> None:
    reading = MAPPER.read({"resourceType": "Patient", "id": "p1", "meta": {"versionId": "2"}} | elements, "here")
    source = "Patient/p1" if "meta" in elements else "Patient/p1/_history/2"
    assert reading == Quarantined(ref="Patient/p1", source=source, path=path, problem=problem, origin="here")


def test_a_modifier_extension_that_the_profile_knows_is_understood() -> None:
    known = "https://ehr.example/reviewed"
    resource = {"resourceType": "Patient", "id": "p1", "modifierExtension": [{"url": known, "valueBoolean": True}]}
    assert isinstance(MAPPER.read(resource), Quarantined)
    understanding = type(PROFILE)(name="x", roles=PROFILE.roles, understood_modifiers=(known,))
    assert isinstance(Mapper(understanding).read(resource), Patient)
