"""Records as bad as the ones in public test data and in real exports; every value is made up."""

from typing import Any

from adapter.sandbox.charts import AUTHORITY, ROLE_CODE

Json = dict[str, Any]
JOINT = [{"url": AUTHORITY, "valueCode": "joint"}]
MOTHER = [{"coding": [{"system": ROLE_CODE, "code": "MTH"}], "text": "Mother"}]


def _without_none(resource: Json) -> Json:
    return {key: value for key, value in resource.items() if value is not None}


def chart(id: str | None = "kid", **elements: Any) -> Json:
    """A good chart with these elements changed; None leaves one out."""
    good = {
        "resourceType": "Patient",
        "id": id,
        "name": [{"family": "Ferncastle", "given": ["Wim"]}],
        "birthDate": "2019-05-17",
    }
    return _without_none(good | elements)


def mother(of: str = "kid", key: str = "mother", **elements: Any) -> Json:
    """A good Family Contact of that chart, Authority Joint, with these elements changed; None leaves one out."""
    good = {
        "resourceType": "RelatedPerson",
        "id": f"{of}-{key}",
        "patient": {"reference": f"Patient/{of}"},
        "relationship": MOTHER,
        "name": [{"family": "Ferncastle", "given": ["Oda"]}],
        "telecom": [{"system": "email", "value": f"oda@{of}.example"}],
        "extension": JOINT,
    }
    return _without_none(good | elements)


def bundle(kind: str, *resources: Any, **elements: Any) -> Json:
    return {"resourceType": "Bundle", "type": kind, "entry": [{"resource": one} for one in resources], **elements}


BIRTH_DATES = {
    "unpadded": "1991-1-13",
    "datetime": "1994-11-01T00:00:00.000Z",
    "year-only": "2018",
    "future": "2999-01-01",
    "ancient": "0007-01-01",
    "nonsense": "31.12.2018",
    "impossible": "2018-02-30",
}
"""Birth dates that were met, or that a typing error makes."""

BROKEN: dict[str, tuple[Json, str]] = {
    "identifier-object": (chart("identifier-object", identifier={"value": "7"}), "Patient.identifier"),
    "name-object": (chart("name-object", name={"text": "Wim"}), "Patient.name"),
    "birth-date-number": (chart("birth-date-number", birthDate=2019), "Patient.birthDate"),
    "birth-date-list": (chart("birth-date-list", birthDate=["2019-05-17"]), "Patient.birthDate"),
    "active-text": (chart("active-text", active="true"), "Patient.active"),
    "deceased-text": (chart("deceased-text", deceasedBoolean="no"), "Patient.deceasedBoolean"),
    "rules": (chart("rules", implicitRules="http://rules.example/own"), "Patient.implicitRules"),
    "modified": (
        chart("modified", modifierExtension=[{"url": "urn:x:not", "valueBoolean": True}]),
        "modifierExtension",
    ),
    "link-untyped": (chart("link-untyped", link=[{"other": {"reference": "Patient/kid"}}]), "Patient.link[0].type"),
    "long-name": (chart("long-name", name=[{"family": "x" * 1_000_000}]), "Patient.name"),
    "period-upside-down": (
        mother(key="upside-down", period={"start": "2024-01-01", "end": "2020-01-01"}),
        "RelatedPerson.period",
    ),
    "period-nonsense": (mother(key="period-nonsense", period={"end": "soon"}), "RelatedPerson.period.end"),
    "relationship-r3": (mother(key="relationship-r3", relationship=MOTHER[0]), "RelatedPerson.relationship"),
    "telecom-untyped": (
        mother(key="untyped", telecom=[{"value": "oda@kid.example"}]),
        "RelatedPerson.telecom[0].system",
    ),
    "telecom-empty": (mother(key="empty", telecom=[]), "RelatedPerson.telecom"),
    "patient-text": (mother(key="patient-text", patient="Patient/kid"), "RelatedPerson.patient"),
    "control-character": (mother(key="control", name=[{"family": "a\u0000b"}]), "RelatedPerson.name"),
}
"""Records that cannot be used, and the place that has to be named."""

MISPLACED = [
    mother(key="identifier-only", patient={"identifier": {"system": "urn:x", "value": "7"}}),
    mother(key="foreign", patient={"reference": "https://elsewhere.example/fhir/Patient/kid"}),
    mother(key="contained", patient={"reference": "#kid"}, contained=[chart("kid")]),
    mother(key="no-patient", patient=None),
    mother(key="practitioner", patient={"reference": "Practitioner/1"}),
]
"""Contacts whose chart is not one of this EHR: facts, but never a grant."""

ODD_BUT_FINE = [
    chart("no-name", name=None),
    chart(
        "birth-date-without-value", birthDate=None, _birthDate={"extension": [{"url": "urn:x", "valueCode": "unknown"}]}
    ),
    chart("unicode", name=[{"family": "Ñandú-Øster", "given": ["Žofie 妮可", "🦊"]}]),
    chart("r5", name=[{"text": "Wim"}], contact=[{"role": [{"text": "Mother"}], "period": {"start": "2020"}}]),
    chart(
        "with-contained",
        contained=[{"resourceType": "Organization", "id": "o", "name": "x"}],
        managingOrganization={"reference": "#o"},
    ),
    chart("with-text", text={"status": "generated", "div": "<div xmlns='http://www.w3.org/1999/xhtml'>Wim</div>"}),
    *(chart(f"born-{name}", birthDate=text) for name, text in BIRTH_DATES.items()),
]
OF_NO_USE: list[Json] = [
    {"resourceType": "Practitioner", "id": "dr"},
    {"resourceType": "Observation", "id": "temperature", "valueQuantity": {"value": 37}},
    {"resourceType": "Organization", "id": "clinic", "name": "Clinic"},
]
BROKEN_LINES = [
    '{"resourceType": "Patient", "id": "cut-off", "name": [{"fam',
    '{"resourceType": "Patient", "id": "twice", "birthDate": "2019-05-17", "birthDate": "2001-05-17"}',
    '{"resourceType": "Patient", "id": "nan", "birthDate": NaN}',
    '{"resourceType": "Patient", "id": "infinite", "multipleBirthInteger": Infinity}',
    '{"resourceType": "Patient", "id": "single-quotes", \'active\': true}',
    "[" * 5000,
    "<html><body>Please log in</body></html>",
    "null",
    "17",
    '"Patient"',
    '{"resourceType": "Patient", "id": "surrogate", "name": [{"family": "\\ud800"}]}',
]
"""Lines of an export that hold no usable record."""
UNKNOWN_SHAPES: list[Json] = [
    {},
    {"id": "typeless"},
    {"resourceType": 7, "id": "numbered"},
    {"resourceType": "Patient"},
]
"""JSON objects that are no identifiable record."""
