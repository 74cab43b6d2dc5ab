"""``Patient.contact``: for an EHR that has no RelatedPerson, the contacts are in the chart itself."""

from datetime import datetime

from adapter.core.patient_contact import UNTELLABLE, contacts_in
from adapter.core.search import SearchRules, StrategyName
from adapter.ehr import Broken, Progress, ReadResult, Record
from adapter.ehr.fhir.capability import Capability
from adapter.ehr.fhir.strategies import Records, Way
from adapter.ehr.fhir.strategies.source import Source, records_in


class PatientContact:
    """Patients alone; each of their contact entries becomes a contact."""

    name: StrategyName = "patient-contact"

    def able(self, capability: Capability, rules: SearchRules) -> str:
        return "" if rules.contacts == "Patient.contact" else "the profile reads contacts from RelatedPerson"

    def prove(self, source: Source, marks: dict[str, datetime]) -> Way:
        def read(result: ReadResult, progress: Progress) -> Records:
            for parts in source.patients(result, progress):
                for part in records_in(parts):
                    yield from with_contacts(part)

        return Way("Patient: a search; contacts: entries of the Patients (Patient.contact, as the profile says)", read)


def with_contacts(part: Record | Broken) -> Records:
    """A record, followed by the contacts in it when it is a Patient."""
    yield part
    if isinstance(part, Broken) or part.resource.get("resourceType") != "Patient":
        return
    for number, contact in enumerate(contacts_in(part.resource), 1):
        origin = f"{part.origin} contact {number}"
        yield Record(contact, origin) if isinstance(contact, dict) else Broken(origin, UNTELLABLE)
