"""Role and Authority: what codes and words of the chart become, one row each."""

from typing import Any

import pytest

from adapter.core.facts import Authority, Contact, Quarantined, Role
from adapter.core.mapping import Mapper
from adapter.profiles import load_profile

MAPPER = Mapper(load_profile("family-contacts"))
AUTHORITY = "urn:fhir-portal-adapter:contact-authority"
SYSTEMS = {
    "role": "http://terminology.hl7.org/CodeSystem/v3-RoleCode",
    "class": "http://terminology.hl7.org/CodeSystem/v3-RoleClass",
    "0063": "http://terminology.hl7.org/CodeSystem/v2-0063",
    "0131": "http://terminology.hl7.org/CodeSystem/v2-0131",
    "local": "urn:oid:1.2.3.4",
}


def coded(system: str, code: str, display: str = "") -> dict[str, Any]:
    coding = {"system": SYSTEMS[system], "code": code} | ({"display": display} if display else {})
    return {"coding": [coding]}


def contact(*relationship: dict[str, Any], extension: list[dict[str, Any]] | None = None) -> Contact:
    resource: dict[str, Any] = {"resourceType": "RelatedPerson", "id": "r1", "patient": {"reference": "Patient/p1"}}
    if relationship:
        resource["relationship"] = list(relationship)
    if extension:
        resource["extension"] = extension
    reading = MAPPER.read(resource)
    assert isinstance(reading, Contact), reading
    return reading


@pytest.mark.parametrize(
    ("system", "code", "role"),
    [
        ("role", "ONESELF", Role.SELF),
        ("role", "MTH", Role.MOTHER),
        ("role", "NMTH", Role.MOTHER),
        ("role", "FTH", Role.FATHER),
        ("role", "PRN", Role.PARENT),
        ("role", "STPMTH", Role.STEP_PARENT),
        ("role", "STPFTH", Role.STEP_PARENT),
        ("role", "FTHFOST", Role.FOSTER_PARENT),
        ("role", "PRNFOST", Role.FOSTER_PARENT),
        ("role", "MGRMTH", Role.GRANDPARENT),
        ("role", "GUARD", Role.GUARDIAN),
        ("role", "HPOWATT", Role.GUARDIAN),
        ("role", "HSIS", Role.SIBLING),
        ("role", "HUSB", Role.SPOUSE),
        ("role", "STPDAU", Role.CHILD),
        ("role", "AUNT", Role.OTHER_RELATIVE),
        ("role", "MTHINLAW", Role.OTHER_RELATIVE),
        ("role", "FRND", Role.OTHER),
        ("role", "FMRSPS", Role.OTHER),
        ("0063", "SEL", Role.SELF),
        ("0063", "MTH", Role.MOTHER),
        ("0063", "GRD", Role.GUARDIAN),
        ("0063", "EMC", Role.OTHER),
        ("0063", "UNK", Role.UNKNOWN),
        ("0131", "N", Role.UNKNOWN),
        ("0131", "C", Role.UNKNOWN),
        ("class", "GUARD", Role.GUARDIAN),
        ("class", "NOK", Role.UNKNOWN),
        ("role", "NOSUCHCODE", Role.UNKNOWN),
        ("role", "mth", Role.UNKNOWN),
        ("local", "17", Role.UNKNOWN),
    ],
)
def test_a_code_becomes_a_role(system: str, code: str, role: Role) -> None:
    assert contact(coded(system, code)).role is role


@pytest.mark.parametrize(
    ("text", "role"),
    [
        ("Self", Role.SELF),
        ("Mother", Role.MOTHER),
        ("MOM", Role.MOTHER),
        (" father ", Role.FATHER),
        ("Dad", Role.FATHER),
        ("Step-mother", Role.STEP_PARENT),
        ("Step  Father", Role.STEP_PARENT),
        ("Foster parent", Role.FOSTER_PARENT),
        ("Grandmother", Role.GRANDPARENT),
        ("Legal guardian", Role.GUARDIAN),
        ("Other Relative", Role.OTHER_RELATIVE),
        ("other-relative", Role.OTHER_RELATIVE),
        ("Madre", Role.MOTHER),
        ("Padre", Role.FATHER),
        ("Abuela", Role.GRANDPARENT),
        ("Tutora", Role.GUARDIAN),
        ("Tía", Role.OTHER_RELATIVE),
        ("Friend", Role.OTHER),
        ("Patient's mother", Role.UNKNOWN),
        ("not the mother", Role.UNKNOWN),
    ],
)
def test_words_become_a_role(text: str, role: Role) -> None:
    found = contact({"text": text})
    assert (found.role, found.role_text) == (role, " ".join(text.split()))


@pytest.mark.parametrize(
    ("relationship", "role"),
    [
        ([], Role.UNKNOWN),
        ([coded("role", "MTH"), coded("role", "FTH")], Role.UNKNOWN),
        ([coded("role", "MTH"), coded("role", "ONESELF")], Role.SELF),
        ([coded("role", "MTH") | {"text": "Self"}], Role.SELF),
        ([coded("role", "MTH", display="self")], Role.SELF),
        ([coded("role", "MTH") | {"text": "Father"}], Role.UNKNOWN),
        ([coded("role", "MTH") | {"text": "The patient's mother, call first"}], Role.MOTHER),
        ([coded("role", "MTH"), coded("role", "PRN")], Role.MOTHER),
        ([coded("role", "PRN"), coded("role", "STPFTH")], Role.STEP_PARENT),
        ([coded("role", "MTH"), coded("role", "GUARD")], Role.MOTHER),
        ([coded("role", "GRMTH"), coded("role", "GUARD")], Role.GUARDIAN),
        ([coded("role", "FTHFOST"), coded("role", "GUARD")], Role.UNKNOWN),
        ([coded("role", "MTH"), coded("role", "FRND")], Role.UNKNOWN),
        ([coded("role", "MTH"), coded("0131", "C")], Role.MOTHER),
        ([coded("role", "MTH"), coded("role", "NOSUCHCODE")], Role.UNKNOWN),
        ([coded("role", "NOSUCHCODE") | {"text": "Mother"}], Role.UNKNOWN),
        ([coded("0131", "C") | {"text": "Mother"}], Role.MOTHER),
        ([coded("0131", "C", display="Mother")], Role.UNKNOWN),
        ([coded("local", "17") | {"text": "Mother"}], Role.MOTHER),
        ([coded("local", "17", display="Mother")], Role.MOTHER),
        ([{"coding": [{"code": "MTH"}]}], Role.UNKNOWN),
    ],
)
def test_codes_and_words_that_disagree_never_open_more(relationship: list[dict[str, Any]], role: Role) -> None:
    assert contact(*relationship).role is role
    assert contact(*reversed(relationship)).role is role


def test_the_role_is_shown_in_the_charts_own_words() -> None:
    assert contact(coded("role", "MTH", "mother") | {"text": "Mamá"}).role_text == "Mamá"
    assert contact(coded("role", "MTH", "mother")).role_text == "mother"
    assert contact(coded("role", "MTH")).role_text == "MTH"
    assert contact(coded("role", "MTH"), coded("role", "FTH", "father")).role_text == "MTH, father"
    assert contact({"text": "x " * 300}).role_text.endswith("…")


@pytest.mark.parametrize(
    ("values", "authority", "text"),
    [
        ([], Authority.UNKNOWN, ""),
        ([{"valueCode": "joint"}], Authority.JOINT, ""),
        ([{"valueCode": "Exclusive"}], Authority.EXCLUSIVE, ""),
        ([{"valueString": "NONE"}], Authority.NONE, ""),
        ([{"valueCoding": {"code": "joint"}}], Authority.JOINT, ""),
        ([{"valueCodeableConcept": {"coding": [{"code": "none"}]}}], Authority.NONE, ""),
        ([{"valueCodeableConcept": {"text": "Joint"}}], Authority.JOINT, ""),
        ([{"valueCode": "joint"}, {"valueCode": "joint"}], Authority.JOINT, ""),
        ([{"valueCode": "joint"}, {"valueCode": "none"}], Authority.UNKNOWN, "joint, none"),
        ([{"valueCode": "joint"}, {"valueString": "maybe"}], Authority.UNKNOWN, "joint, maybe"),
        ([{"valueCode": "shared"}], Authority.UNKNOWN, "shared"),
        ([{"valueString": "w" * 100}], Authority.UNKNOWN, "w" * 40),
    ],
)
def test_the_authority_extension(values: list[dict[str, Any]], authority: Authority, text: str) -> None:
    found = contact(
        extension=[{"url": "urn:other", "valueCode": "none"}, *({"url": AUTHORITY} | value for value in values)]
    )
    assert (found.authority, found.authority_text) == (authority, text)


@pytest.mark.parametrize(
    "extension",
    [
        {"url": AUTHORITY},
        {"url": AUTHORITY, "_valueCode": {"id": "x"}},
        {"url": AUTHORITY, "valueCode": None},
        {"url": AUTHORITY, "valueCode": ""},
        {"url": AUTHORITY, "valueCode": " "},
        {"url": AUTHORITY, "valueBoolean": True},
        {"url": AUTHORITY, "valueCoding": {"display": "joint"}},
        {"url": AUTHORITY, "valueCode": "joint", "valueString": "none"},
        {"url": AUTHORITY, "extension": [{"url": "x", "valueCode": "joint"}]},
        {"valueCode": "joint"},
    ],
)
def test_a_damaged_authority_is_not_a_missing_one(extension: dict[str, Any]) -> None:
    resource = {
        "resourceType": "RelatedPerson",
        "id": "r1",
        "extension": [{"url": AUTHORITY, "valueCode": "joint"}, extension],
    }
    reading = MAPPER.read(resource)
    assert isinstance(reading, Quarantined)
    assert "extension" in reading.path
