"""What the three ways that ask for contacts chart by chart have in common: walking, checking, proving."""

from collections.abc import Callable, Iterable, Iterator, Sequence

from adapter.ehr import Progress, ReadResult
from adapter.ehr.fhir.contacts import Chart, Contacts
from adapter.ehr.fhir.strategies import Read, Records, Unproven
from adapter.ehr.fhir.strategies.source import Source, records_in
from adapter.errors import SourceError

MOST_FAILURES = 10
"""Charts whose contacts could not be read before the walk stops: the EHR is then not well."""

Ask = Callable[[list[Chart]], Iterator[Contacts]]
"""The contacts of these charts; each answer may be about one of them or several."""


def patients_then(source: Source, ask: Ask) -> Read:
    """Every page of Patients, each followed by its charts' contacts."""

    def read(result: ReadResult, progress: Progress) -> Records:
        for parts in source.patients(result, progress):
            yield from records_in(parts)
            yield from told(ask(source.charts(parts)), result)

    return read


def told(answers: Iterable[Contacts], result: ReadResult) -> Records:
    """The contacts; what went wrong goes to ``result``. Raises SourceError when it is no use to go on."""
    for found in answers:
        yield from found.rows
        for problem in found.problems:
            result.fail(problem)
        if found.ignored or len(result.problems) >= MOST_FAILURES:
            raise SourceError("Reading stopped there: the contacts of the charts that follow were not asked for.")


def prove_by_chart(source: Source) -> list[Chart]:
    """The known charts, each of which was asked for alone and gave contacts of its own only.

    Raises Unproven when one did not: the EHR ignores the parameter, or finds nothing by it.
    """
    for chart in source.known:
        alone = source.contacts([chart])
        if alone.ignored:
            raise Unproven("the EHR does not obey a search of contacts by patient: it gives those of other charts")
        if alone.problems:
            raise SourceError(alone.problems[0])
        if chart.ref not in alone.charts:
            raise Unproven("the EHR finds no contacts by patient, although there are some")
    return source.known


def prove_together(source: Source, ask: Ask, what: str) -> None:
    """Asks about the known charts at once, first and last among others. Raises Unproven unless all come back."""
    known = prove_by_chart(source)
    if len(known) < 2:
        raise Unproven("there are no two charts with contacts to try it on")
    alone = [source.contacts([chart]) for chart in known]
    together = list(ask(among_others(source, known)))
    if any(found.problems or found.ignored for found in together):
        raise Unproven(f"the EHR does not obey {what}")
    if not set.union(*(found.refs for found in alone)) <= set.union(*(found.refs for found in together)):
        raise Unproven(f"the EHR leaves contacts out of {what}")


def among_others(source: Source, known: Sequence[Chart]) -> list[Chart]:
    """The two known charts with as many others between them as one question may have."""
    try:
        others = source.charts(source.search("Patient", {}, count=MOST_TOGETHER).first.parts)
    except SourceError:
        others = []
    between = [chart for chart in others if chart.ref not in {known[0].ref, known[1].ref}]
    return [known[0], *between[: MOST_TOGETHER - 2], known[1]]


MOST_TOGETHER = 20
"""Charts in one question: a list of so many ids of 64 characters is still an address that every server takes."""


def chunks(charts: list[Chart]) -> Iterator[list[Chart]]:
    """At most ``MOST_TOGETHER`` charts at a time."""
    return (charts[start : start + MOST_TOGETHER] for start in range(0, len(charts), MOST_TOGETHER))
