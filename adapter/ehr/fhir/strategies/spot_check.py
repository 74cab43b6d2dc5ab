"""Whether contacts go on coming along with their Patients: on every page, a few charts are asked for alone.

A probe sees the first page only. A server that includes at most so many rows, or runs out of time, drops contacts from
a later page without a word; a contact that is not seen could be the one with Exclusive Authority.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial

from adapter.core.intake import updated_at
from adapter.ehr import Broken, Record
from adapter.ehr.bundle import Part, reference
from adapter.ehr.fhir.contacts import Chart, Contacts, Naming
from adapter.ehr.fhir.paging import in_background
from adapter.ehr.fhir.strategies import Unproven
from adapter.ehr.fhir.strategies.per_chart import prove_together
from adapter.ehr.fhir.strategies.source import Source, records_in
from adapter.errors import SourceError

FEW_PAGES = 3
"""Proving that a list of charts is obeyed takes about as many searches as it saves on so many pages."""
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


class SpotCheck:
    """The spot checks of one read: each runs while its page is worked on."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._checked = 0
        self._together = False
        """Whether a list of charts was proven to be answered like each chart alone."""

    def begin(self, parts: list[Part], number: int, began: datetime | None) -> Callable[[], None]:
        """Asks for the contacts of up to three charts of a page. ``began`` is when its search did, by the EHR's clock.

        What it returns waits for the answer, and raises Unproven when a contact did not come along. A chart whose
        contacts cannot be asked for proves nothing.
        """
        return in_background(partial(self._check, parts, number, began))

    def _check(self, parts: list[Part], number: int, began: datetime | None) -> None:
        source = self._source
        broken = [part for part in parts if isinstance(part, Broken)]
        if not source.capability.contacts_by_patient or any(not part.ref for part in broken):
            return
        charts = source.charts(parts)
        came = included(source, parts, charts)
        here = {part.ref for part in broken}.union(*came.values())
        for alone in self._asked(_sample(charts, came), came):
            if not alone.problems and _certain(alone, began) - here:
                raise Unproven(f"the EHR left contacts out of page {number} of _revinclude without a word")

    def _asked(self, sample: list[Chart], came: dict[str, set[str]]) -> list[Contacts]:
        """The contacts of these charts; by one search where that is proven, and shows itself again to be true."""
        source = self._source
        self._checked += 1
        if self._checked == FEW_PAGES + 1:
            self._together = _lists_are_obeyed(source)
        wanted = set[str]().union(*(came[chart.ref] for chart in sample))
        if self._together and wanted:
            # A list that is read as its first or its last one does not bring these: charts without stand at its ends.
            listed = sorted(sample, key=lambda chart: bool(came[chart.ref]))
            found = source.contacts([*listed[:1], *reversed(listed[1:])])
            if not found.problems and wanted <= found.refs:
                return [found]
        return list(source.at_once(lambda chart: source.contacts([chart]), sample))


def _lists_are_obeyed(source: Source) -> bool:
    try:
        prove_together(source, lambda charts: iter([source.contacts(charts)]), "a list of patients")
    except (Unproven, SourceError):
        return False
    return True


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
