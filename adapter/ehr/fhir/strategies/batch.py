"""A batch Bundle of searches: the contacts of several charts by one POST, each answer with a status of its own."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from adapter.core.search import SearchRules, StrategyName
from adapter.ehr.bundle import unfold
from adapter.ehr.fhir.answer import resource
from adapter.ehr.fhir.capability import Capability
from adapter.ehr.fhir.contacts import Chart, Contacts, sort_out
from adapter.ehr.fhir.strategies import Way
from adapter.ehr.fhir.strategies.per_chart import chunks, patients_then, prove_together
from adapter.ehr.fhir.strategies.source import Source
from adapter.errors import SourceError

_WHAT = "POST a batch of searches"


class Batch:
    """Patients, then one batch for every twenty of them (https://hl7.org/fhir/R4/http.html#transaction)."""

    name: StrategyName = "batch"

    def able(self, capability: Capability, rules: SearchRules) -> str:
        return "" if capability.batch else "the EHR does not declare batch"

    def prove(self, source: Source, marks: dict[str, datetime]) -> Way:
        def ask(charts: list[Chart]) -> Iterator[Contacts]:
            for answers in source.at_once(lambda some: _asked(source, some), chunks(charts)):
                yield from answers

        prove_together(source, ask, "a batch of searches")
        how = "Patient: a search; RelatedPerson: twenty Patients at a time (a batch, proven with two known patients)"
        return Way(how, patients_then(source, ask))


def _asked(source: Source, charts: list[Chart]) -> list[Contacts]:
    """The contacts of each of these charts. Whose part of the batch failed or has more pages is asked about alone."""
    try:
        entries = _answers(source, charts)
    except SourceError as error:
        return [Contacts(problems=[str(error)])]
    return [_one(source, chart, entry) for chart, entry in zip(charts, entries, strict=True)]


def _answers(source: Source, charts: list[Chart]) -> list[Any]:
    """One entry of the answer for each chart, in their order. Raises SourceError."""
    client = source.client
    wanted = [{"request": {"method": "GET", "url": _address(source, chart)}} for chart in charts]
    bundle = {"resourceType": "Bundle", "type": "batch", "entry": wanted}
    answer = resource(client.post(client.base.join("").rstrip("/"), bundle, _WHAT), _WHAT, max_bytes=client.max_body)
    entries = answer.value.get("entry")
    if answer.value.get("type") != "batch-response" or not isinstance(entries, list) or len(entries) != len(charts):
        raise SourceError(f"{_WHAT}: answered something else than one entry for each search.")
    if answer.doubled:
        raise SourceError(f"{_WHAT}: the answer has a key twice, so what was meant cannot be known.")
    return entries


def _address(source: Source, chart: Chart) -> str:
    own = source.rules.params.get("RelatedPerson", {})
    params = {**own, **source.by_charts([chart]), **source.needed("RelatedPerson"), "_count": str(source.page_size)}
    return f"RelatedPerson?{urlencode(params, safe=':,')}"


def _one(source: Source, chart: Chart, entry: Any) -> Contacts:
    bundle = entry.get("resource") if isinstance(entry, dict) and _succeeded(entry) else None
    if not isinstance(bundle, dict) or bundle.get("type") != "searchset" or _goes_on(bundle, source):
        return source.contacts([chart])
    found = Contacts()
    sort_out(list(unfold(bundle, "RelatedPerson batch", parts=bool(source.elements))), [chart], source.rules, found)
    if found.ignored:
        found.problems.append(f"{_WHAT}: contacts of other charts came back for {chart.ref} and were dropped.")
    return found


def _succeeded(entry: dict[str, Any]) -> bool:
    response = entry.get("response")
    return isinstance(response, dict) and str(response.get("status", "")).startswith("200")


def _goes_on(bundle: dict[str, Any], source: Source) -> bool:
    """Whether there is a link to more, or a count of more; a link that cannot be understood counts as one."""
    entries, total = bundle.get("entry"), bundle.get("total")
    if (
        source.client.check_total
        and isinstance(total, int)
        and total > len(entries if isinstance(entries, list) else [])
    ):
        return True
    links = bundle.get("link") or []
    if not isinstance(links, list):
        return True
    return not all(isinstance(link, dict) and link.get("relation") not in ("next", None) for link in links)
