"""``RelatedPerson?patient=a``: the contacts of each chart by a search of its own."""

from collections.abc import Iterator
from datetime import datetime

from adapter.core.search import SearchRules, StrategyName
from adapter.ehr.fhir.capability import Capability
from adapter.ehr.fhir.contacts import Chart, Contacts
from adapter.ehr.fhir.strategies import Unproven, Way
from adapter.ehr.fhir.strategies.per_chart import patients_then, prove_by_chart
from adapter.ehr.fhir.strategies.source import Source


class Each:
    """Patients, then one search for the contacts of each."""

    name: StrategyName = "each"

    def able(self, capability: Capability, rules: SearchRules) -> str:
        return ""  # what is not declared may still work: the probe tells

    def prove(self, source: Source, marks: dict[str, datetime]) -> Way:
        def ask(charts: list[Chart]) -> Iterator[Contacts]:
            return source.at_once(lambda chart: source.contacts([chart]), charts)

        known = prove_by_chart(source)
        if not known and not source.capability.contacts_by_patient:
            raise Unproven("the EHR does not declare a search of contacts by patient, and there is none to try it on")
        tried = "proven on known contacts" if known else "every row is checked"
        return Way(
            f"Patient: a search; RelatedPerson: each Patient by a search of its own ({tried})",
            patients_then(source, ask),
        )
