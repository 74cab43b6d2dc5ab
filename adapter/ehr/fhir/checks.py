"""What ``adapter check`` says about a FHIR EHR, and what makes one unusable."""

from adapter.ehr import Check
from adapter.ehr.fhir.capability import KNOWN_VERSIONS, Capability, probe
from adapter.ehr.fhir.client import Client
from adapter.ehr.fhir.paging import Search
from adapter.errors import SourceError

_ASK = "Ask the EHR's support to switch that on for this client."


def usable(able: Capability) -> Capability:
    """The same value. Raises SourceError when Patients or RelatedPersons cannot be searched at all."""
    for kind, there in (("Patient", able.has_patients), ("RelatedPerson", able.has_contacts)):
        if not there:
            raise SourceError(f"GET metadata: the EHR does not offer a search of {kind}, so it cannot be read. {_ASK}")
    return able


def run(client: Client) -> list[Check]:
    """One line each: reach, FHIR version, access to both types, and how they would be read."""
    try:
        able = probe(client)
    except SourceError as error:
        return [Check("EHR reach", False, str(error))]
    known = able.fhir_version.startswith(KNOWN_VERSIONS)
    lines = [
        Check("EHR reach", True, "answers with a CapabilityStatement"),
        Check("FHIR version", known, able.fhir_version, "" if known else "FHIR R4, R4B or R5 is needed."),
    ]
    try:
        usable(able)
        Search(client, "Patient", {"_count": "1"})
    except SourceError as error:
        return [*lines, Check("EHR access", False, str(error))]
    return [*lines, Check("EHR access", True, "Patients can be searched"), _strategy(able), _changes(able)]


def _strategy(able: Capability) -> Check:
    if able.revinclude:
        return Check("EHR strategy", True, "Patients together with their contacts (_revinclude)")
    if able.contacts_by_patient:
        return Check("EHR strategy", True, "Patients, then one search for the contacts of each")
    detail = "Patients, then one search for the contacts of each, although the EHR does not declare that search"
    return Check("EHR strategy", True, detail, "Every row is checked; a search by patient should be declared.")


def _changes(able: Capability) -> Check:
    if able.incremental:
        return Check("EHR changes", True, "read incrementally, by _lastUpdated")
    return Check("EHR changes", True, "every sync reads everything: _lastUpdated is not declared for both types")
