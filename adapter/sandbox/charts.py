"""Builds FHIR R4 Patients and RelatedPersons shaped as the ``family-contacts`` mapping reads them."""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

AUTHORITY = "urn:fhir-portal-adapter:contact-authority"
ROLE_CODE = "http://terminology.hl7.org/CodeSystem/v3-RoleCode"
CONTACT_ROLE = "http://terminology.hl7.org/CodeSystem/v2-0131"
IDENTIFIER_TYPE = "http://terminology.hl7.org/CodeSystem/v2-0203"
LANGUAGE = "urn:ietf:bcp:47"
MRN = "https://ehr.example/mrn"

ROLE_CODES = {
    "Self": "ONESELF",
    "Mother": "MTH",
    "Father": "FTH",
    "Stepfather": "STPFTH",
    "Foster Father": "FTHFOST",
    "Grandmother": "GRMTH",
    "Legal Guardian": "GUARD",
    "Other Relative": "EXT",
}
"""The practice's words for a role, and the v3-RoleCode that says the same."""

Resource = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Family:
    """One family. ``case`` names what is special about it, ``shows`` says in a sentence what to learn from it."""

    title: str
    case: str
    shows: str
    resources: list[Resource]


def born(today: date, years: int, days: int = 100) -> date:
    """The birth date of somebody who turned ``years`` so many ``days`` (below 365) before ``today``."""
    birthday = today - timedelta(days=days)
    try:
        return birthday.replace(year=birthday.year - years)
    except ValueError:  # 29 February, in a year that has none
        return birthday.replace(year=birthday.year - years, day=28)


def relationship(text: str, code: str | None) -> Resource:
    """One ``RelatedPerson.relationship``: the practice's words, with the v3-RoleCode when there is one."""
    if code is None:
        return {"text": text}
    return {"coding": [{"system": ROLE_CODE, "code": code}], "text": text}


def authority_extension(value: str) -> Resource:
    """Authority as the EHR writes it: ``joint``, ``exclusive`` or ``none``."""
    return {"url": AUTHORITY, "valueCode": value}


def patient(
    id: str, name: str, birth_date: date, gender: str, *, email: str | None = None, **elements: Any
) -> Resource:
    """A chart. ``name`` is given and family name; ``elements`` are further FHIR elements, as they are."""
    telecom: list[Resource] = [{"system": "phone", "value": "+1-555-0100", "use": "home"}]
    if email is not None:
        telecom.append({"system": "email", "value": email})
    return {
        "resourceType": "Patient",
        "id": id,
        "identifier": [
            {"type": {"coding": [{"system": IDENTIFIER_TYPE, "code": "MR"}]}, "system": MRN, "value": f"MRN-{id}"}
        ],
        "active": True,
        "name": [_human_name(name)],
        "telecom": telecom,
        "gender": gender,
        "birthDate": birth_date.isoformat(),
        "address": [{"line": ["12 Orchard Lane"], "city": "Millbrook", "state": "NY", "postalCode": "12545"}],
        **elements,
    }


def contact(
    chart: Resource,
    key: str,
    name: str,
    role: str,
    authority: str | None,
    email: str | None,
    birth_date: date | None = None,
    **elements: Any,
) -> Resource:
    """A Family Contact on ``chart``; its id is the chart's id and ``key``.

    ``None`` leaves a field out; ``elements`` are further FHIR elements, as they are.
    """
    resource: Resource = {
        "resourceType": "RelatedPerson",
        "id": f"{chart['id']}-{key}",
        "active": True,
        "patient": {"reference": f"Patient/{chart['id']}"},
        "relationship": [relationship(role, ROLE_CODES.get(role))],
        "name": [_human_name(name)],
        "telecom": [{"system": "phone", "value": "+1-555-0100", "use": "mobile"}],
    }
    if authority is not None:
        resource["extension"] = [authority_extension(authority)]
    if email is not None:
        resource["telecom"].append({"system": "email", "value": email, "use": "home"})
    if birth_date is not None:
        resource["birthDate"] = birth_date.isoformat()
    return resource | elements


def _human_name(name: str) -> Resource:
    given, _, family = name.rpartition(" ")
    return {"use": "official", "family": family, "given": given.split()}
