"""What the EHR says it can do: GET /metadata, a CapabilityStatement (R4, R4B and R5 alike)."""

from dataclasses import dataclass, field
from typing import Any

from adapter.ehr.fhir.answer import resource
from adapter.ehr.fhir.client import Client
from adapter.errors import SourceError

KNOWN_VERSIONS = ("4.0", "4.1", "4.3", "5.0")
REVINCLUDE = "RelatedPerson:patient"


@dataclass(frozen=True, slots=True)
class Capability:
    """The few things a reading strategy depends on."""

    fhir_version: str
    has_patients: bool
    has_contacts: bool
    contacts_by_patient: bool
    revinclude: bool
    patients_since: bool
    contacts_since: bool
    batch: bool = False
    statement: dict[str, Any] = field(default_factory=dict, compare=False, repr=False)
    """The whole CapabilityStatement, for a strategy that depends on more (bulk export)."""


UNKNOWN = Capability("unknown", False, False, False, False, False, False)
"""Of an EHR that was not asked."""


def probe(client: Client) -> Capability:
    """Asks the EHR what it can do. Raises SourceError when it does not say so in FHIR."""
    what = "GET metadata"
    found = resource(client.get(client.base.join("metadata"), what), what, max_bytes=client.max_body)
    if found.value["resourceType"] != "CapabilityStatement":
        raise SourceError(f"{what}: answered something else than a CapabilityStatement. Check base_url.")
    return capability(found.value)


def capability(statement: dict[str, Any]) -> Capability:
    """Reads a CapabilityStatement; whatever it does not declare counts as missing."""
    server = next((rest for rest in _dicts(statement.get("rest")) if rest.get("mode", "server") == "server"), {})
    everywhere = _names(server.get("searchParam"))
    types = {str(entry.get("type")): entry for entry in _dicts(server.get("resource"))}
    patient, contact = types.get("Patient", {}), types.get("RelatedPerson", {})
    reverse = patient.get("searchRevInclude")
    return Capability(
        fhir_version=_version(statement.get("fhirVersion")),
        has_patients=_searchable(patient),
        has_contacts=_searchable(contact),
        contacts_by_patient="patient" in _names(contact.get("searchParam")),
        revinclude=isinstance(reverse, list) and not {REVINCLUDE, "*"}.isdisjoint(map(str, reverse)),
        patients_since="_lastUpdated" in everywhere | _names(patient.get("searchParam")),
        contacts_since="_lastUpdated" in everywhere | _names(contact.get("searchParam")),
        batch="batch" in {str(item.get("code")) for item in _dicts(server.get("interaction"))},
        statement=statement,
    )


def _searchable(entry: dict[str, Any]) -> bool:
    """A listed type can be searched unless its interactions are listed without search."""
    interactions = {str(item.get("code")) for item in _dicts(entry.get("interaction"))}
    return bool(entry) and (not interactions or "search-type" in interactions)


def _version(value: Any) -> str:
    return value if isinstance(value, str) and value.replace(".", "").isalnum() and len(value) < 20 else "unknown"


def _names(params: Any) -> set[str]:
    return {str(param.get("name")) for param in _dicts(params)}


def _dicts(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
