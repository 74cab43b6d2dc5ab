"""Whether contacts go on coming along with their Patients: on every page, a few charts are asked for alone.

A probe sees the first page only. A server that includes at most so many rows, or runs out of time, drops contacts from
a later page without a word; a contact that is not seen could be the one with Exclusive Authority.
"""

from datetime import datetime, timedelta

from adapter.core.intake import updated_at
from adapter.ehr import Broken, Record
from adapter.ehr.bundle import Part, reference
from adapter.ehr.fhir.contacts import Chart, Contacts, Naming
from adapter.ehr.fhir.strategies import Unproven
from adapter.ehr.fhir.strategies.source import Source, records_in

_LATE = timedelta(minutes=10)
"""A contact that is as new as that may have appeared after its page was made: it proves nothing."""


def included(source: Source, parts: list[Part], charts: list[Chart]) -> dict[str, set[str]]:
    """The contacts that came along on a page, by chart."""
    naming = Naming(source.rules, charts)
    found: dict[str, set[str]] = {chart.ref: set() for chart in charts}
    for part in records_in(parts):
        if not isinstance(part, Broken):
            record, chart = naming.adopt(part)
            if chart in found:
                found[chart].add(reference(record.resource))
    return found


def check_page(source: Source, parts: list[Part], number: int, began: datetime | None) -> None:
    """Asks for the contacts of up to three charts of a page. ``began`` is when the search did, by the server's clock.

    Raises Unproven when a contact did not come along. A chart whose contacts cannot be asked for proves nothing.
    """
    broken = [part for part in parts if isinstance(part, Broken)]
    if not source.capability.contacts_by_patient or any(not part.ref for part in broken):
        return
    charts = source.charts(parts)
    came = included(source, parts, charts)
    sample = _sample(charts, came)
    damaged = {part.ref for part in broken}
    for chart, alone in zip(sample, source.at_once(lambda chart: source.contacts([chart]), sample), strict=True):
        if not alone.problems and _certain(alone, began) - came[chart.ref] - damaged:
            raise Unproven(f"the EHR left contacts out of page {number} of _revinclude without a word")


def _sample(charts: list[Chart], came: dict[str, set[str]]) -> list[Chart]:
    """Where an include breaks off, it is towards the end; where it was left out, it is everywhere: the last chart with
    contacts, the one after it, and the last one without any."""
    last_full = max((number for number, chart in enumerate(charts) if came[chart.ref]), default=-1)
    last_bare = max((number for number, chart in enumerate(charts) if not came[chart.ref]), default=-1)
    wanted = {last_full, last_full + 1, last_bare}
    return [chart for number, chart in enumerate(charts) if number in wanted]


def _certain(alone: Contacts, began: datetime | None) -> set[str]:
    """The contacts that were there before the search began."""
    return {
        reference(row.resource)
        for row in alone.rows
        if isinstance(row, Record) and not _is_new(updated_at(row.resource), began)
    } - {""}


def _is_new(updated: datetime | None, began: datetime | None) -> bool:
    return updated is not None and began is not None and updated > began - _LATE
