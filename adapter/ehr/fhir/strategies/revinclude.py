"""``Patient?_revinclude=RelatedPerson:patient``: every Patient together with its contacts."""

from datetime import datetime

from adapter.core.search import SearchRules, StrategyName
from adapter.ehr import Broken, Progress, ReadResult
from adapter.ehr.bundle import Part
from adapter.ehr.fhir.capability import REVINCLUDE, Capability
from adapter.ehr.fhir.contacts import Naming
from adapter.ehr.fhir.paging import Search
from adapter.ehr.fhir.strategies import Records, Unproven, Way
from adapter.ehr.fhir.strategies.source import Source, mark, records_in, walk
from adapter.ehr.fhir.strategies.spot_check import SpotCheck, included

INCLUDE = {"_revinclude": REVINCLUDE}


class RevInclude:
    """Contacts that come along with their Patients."""

    name: StrategyName = "revinclude"

    def able(self, capability: Capability, rules: SearchRules) -> str:
        return "" if capability.revinclude else "the EHR does not declare _revinclude"

    def prove(self, source: Source, marks: dict[str, datetime]) -> Way:
        search = source.obeyed("Patient", INCLUDE, "_revinclude")
        if search is None:
            raise Unproven("the EHR does not obey _revinclude")
        _check_sample(source, search)
        _check_known(source, search)

        def read(result: ReadResult, progress: Progress) -> Records:
            check = SpotCheck(source)
            for number, parts in enumerate(walk("Patient", search, result, progress), start=1):
                passed = check.begin(parts, number, search.at) if number > 1 else None
                yield from adopted(source, parts)
                if passed:
                    passed()
            mark(result, search, "Patient", "RelatedPerson")

        return Way(
            "Patient: a search; RelatedPerson: along with the Patients (_revinclude, proven on a sample of each page)",
            read,
        )


def adopted(source: Source, parts: list[Part]) -> Records:
    """The records of a page that has Patients and their contacts."""
    if source.rules.is_plain:
        yield from records_in(parts)
        return
    naming = Naming(source.rules, source.charts(parts))
    for part in records_in(parts):
        yield part if isinstance(part, Broken) else naming.adopt(part)[0]


def _check_sample(source: Source, search: Search) -> None:
    """A few charts asked for by themselves must have no contact that did not come along."""
    if not source.capability.contacts_by_patient:
        return
    charts = source.charts(search.first.parts)
    came = included(source, search.first.parts, charts)
    bare = [chart for chart in charts if not came[chart.ref]]
    full = [chart for chart in charts if came[chart.ref]]
    # Where an include breaks off, it is towards the end; where it was ignored, it is everywhere.
    for chart in {chart.ref: chart for some in (bare, full) for chart in (*some[:1], *some[-1:])}.values():
        alone = source.contacts([chart])
        if not alone.problems and not alone.refs <= came[chart.ref]:
            raise Unproven("the EHR does not obey _revinclude: not all contacts came along")


def _check_known(source: Source, search: Search) -> None:
    """Where no contact came along at all, one that is known to exist must."""
    if any(included(source, search.first.parts, source.charts(search.first.parts)).values()):
        return
    for chart in source.known[:1]:
        again = source.search("Patient", {"_id": chart.ref.removeprefix("Patient/"), **INCLUDE})
        parts = again.first.parts
        if not included(source, parts, source.charts(parts)).get(chart.ref):
            raise Unproven("the EHR does not obey _revinclude: the contact of a chart did not come along")
