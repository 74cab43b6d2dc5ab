"""Who keeps a chart: FHIR ``Patient.managingOrganization``, in a form that a practice can write into its settings."""

from typing import Any

from adapter.core.intake import Damaged, References, clean

LONGEST = 200


def organization_of(values: list[Any], references: References) -> str:
    """``Organization/<id>``, ``system|value`` for a reference by identifier, or the text a profile finds.

    Empty when there is none, several, or none that can be read: it decides only whose payment widget is shown, and
    the practice's own is shown then. A reference into another EHR is none.
    Source: https://hl7.org/fhir/R4/patient-definitions.html#Patient.managingOrganization
    """
    if len(values) != 1:
        return ""
    value = values[0]
    try:
        found = _of_reference(value, references) if type(value) is dict else _text(value)
    except Damaged:
        return ""
    return found if len(found) <= LONGEST else ""


def _of_reference(reference: dict[str, Any], references: References) -> str:
    if type(reference.get("reference")) is str:
        ref, _ = references.resolve(reference)
        return ref if ref.startswith("Organization/") else ""
    identifier = reference.get("identifier")
    if type(identifier) is not dict:
        return ""
    system, value = _text(identifier.get("system")), _text(identifier.get("value"))
    return f"{system}|{value}" if system and value else ""


def _text(value: object) -> str:
    return clean(value, "Patient.managingOrganization") if type(value) is str else ""
