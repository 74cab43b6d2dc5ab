"""``RelatedPerson?patient=a,b,c``: the contacts of several charts by one search, where a probe shows that it works."""

from collections.abc import Iterator
from datetime import datetime

from adapter.core.search import SearchRules, StrategyName
from adapter.ehr.fhir.capability import Capability
from adapter.ehr.fhir.contacts import Chart, Contacts
from adapter.ehr.fhir.strategies import Way
from adapter.ehr.fhir.strategies.per_chart import chunks, patients_then, prove_together
from adapter.ehr.fhir.strategies.source import Source


class CommaList:
    """Patients, then one search of contacts for every twenty of them."""

    name: StrategyName = "list"

    def able(self, capability: Capability, rules: SearchRules) -> str:
        return "" if capability.contacts_by_patient else "the EHR does not declare a search of contacts by patient"

    def prove(self, source: Source, marks: dict[str, datetime]) -> Way:
        def ask(charts: list[Chart]) -> Iterator[Contacts]:
            return source.at_once(source.contacts, chunks(charts))

        prove_together(source, ask, "a list of patients")
        how = "Patient: a search; RelatedPerson: twenty Patients at a time (a list, proven with two known patients)"
        return Way(how, patients_then(source, ask))
