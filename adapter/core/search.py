"""What a mapping profile knows about asking one EHR: the ``[search]`` table, vendor facts as data."""

from typing import Literal

import msgspec

RELATED_PERSON = "RelatedPerson"
PATIENT_CONTACT = "Patient.contact"

StrategyName = Literal["bulk", "revinclude", "list", "batch", "each", "patient-contact"]
STRATEGIES: tuple[StrategyName, ...] = ("bulk", "revinclude", "list", "batch", "each", "patient-contact")
"""The ways an EHR can be read, best first."""


class SearchRules(msgspec.Struct, frozen=True, kw_only=True):
    """How one EHR's API differs from what FHIR promises. docs/mappings.md explains every key."""

    contacts: Literal["RelatedPerson", "Patient.contact"] = "RelatedPerson"
    """Where contacts are: resources of their own, or entries of the chart."""
    contact_ids: Literal["contact", "person"] = "contact"
    """``person``: a RelatedPerson id is a person's and comes back on every chart that person is a contact on."""
    patient_identifier: str = ""
    """The system of the identifier by which RelatedPerson.patient may name its chart; empty: references only."""
    avoid: tuple[StrategyName, ...] = ()
    """Ways that are declared and do not work."""
    params: dict[str, dict[str, str]] = {}
    """By type (Patient, RelatedPerson, Consent): parameters that every search of it carries."""

    @property
    def is_plain(self) -> bool:
        """Whether contacts have ids of their own and name their charts by reference."""
        return self.contact_ids == "contact" and not self.patient_identifier
