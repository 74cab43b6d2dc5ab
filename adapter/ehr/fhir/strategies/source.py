"""What every strategy asks with: one EHR, what it declares, what the profile knows about it, and how hard to ask."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeVar

from adapter.core.search import SearchRules
from adapter.ehr import Broken, Progress, ReadResult, Record
from adapter.ehr.bundle import Part, Remark, reference
from adapter.ehr.fhir.answer import Refused
from adapter.ehr.fhir.capability import Capability
from adapter.ehr.fhir.client import Client
from adapter.ehr.fhir.contacts import (
    ELSEWHERE,
    Chart,
    Contacts,
    Naming,
    charts_in,
    named,
    named_by,
    patient_id,
    sort_out,
)
from adapter.ehr.fhir.elements import NEEDED, parameter, watch
from adapter.ehr.fhir.pace import Pace
from adapter.ehr.fhir.paging import Page, Search
from adapter.errors import SourceError

KNOWN = 2
"""Charts with contacts that a probe asks about: with one alone a list of two could not be told from a list of one."""
_SAMPLE = 50

Q = TypeVar("Q")
A = TypeVar("A")


@dataclass(frozen=True)
class Source:
    """One EHR during one read. Strategies keep nothing; what several of them need is found out once, here."""

    client: Client
    pace: Pace
    capability: Capability
    rules: SearchRules
    page_size: int
    elements: str = ""
    """Ask with ``_elements``, where deceased[x] is called this; empty: ask for whole records. See ``only_needed``."""
    _owners: dict[str, str] = field(default_factory=dict, repr=False, compare=False)

    def search(self, kind: str, params: dict[str, str], *, count: int | None = None) -> Search:
        """A search with the profile's own parameters; its first page is there. Raises SourceError."""
        own = self.rules.params.get(kind, {})
        more = self.needed(kind, *(["RelatedPerson"] if "_revinclude" in params else []))
        search = Search(self.client, kind, {**own, **params, **more, "_count": str(count or self.page_size)})
        for name in own:
            if not search.first.warned and not search.honours(name.split(":")[0]):
                raise SourceError(
                    f"GET {kind}: the EHR left out {name}, which the mapping profile asks for. Ask its support, or "
                    "take it out of the profile: what it is for is then not read."
                )
        return search

    def needed(self, *kinds: str) -> dict[str, str]:
        """The parameter that asks for the needed elements of these types, where that was proven to lose nothing."""
        wanted = [kind for kind in kinds if kind in NEEDED]
        return {"_elements": parameter(*wanted, deceased=self.elements)} if self.elements and wanted else {}

    def obeyed(self, kind: str, params: dict[str, str], needed: str) -> Search | None:
        """The search, if the EHR obeys the parameter; None when it left it out or refused it."""
        try:
            search = self.search(kind, params)
        except Refused:
            return None
        return search if search.honours(needed) else None

    def patients(self, result: ReadResult, progress: Progress) -> Iterator[list[Part]]:
        """Every Patient, page by page; sets the mark of Patient, and of RelatedPerson too: whatever is asked after
        the search began is newer than it."""
        search = self.search("Patient", {})
        yield from walk("Patient", search, result, progress)
        mark(result, search, "Patient", "RelatedPerson")

    def contacts(self, charts: Sequence[Chart]) -> Contacts:
        """Every contact on these charts, by one search; what goes wrong is told in ``problems``, never raised."""
        found = Contacts()
        try:
            for page in self.search("RelatedPerson", self.by_charts(charts)).pages():
                sort_out(page.parts, charts, self.rules, found)
                if found.ignored:
                    found.problems.append(
                        f"GET RelatedPerson?patient: contacts of other charts came back for {named(charts)} and were "
                        "dropped, so the EHR does not obey this search. Ask its support for a search of contacts by "
                        "patient."
                    )
                    break
        except SourceError as error:
            found.problems.append(f"{error} (contacts of {named(charts)})")
        return found

    def by_charts(self, charts: Sequence[Chart]) -> dict[str, str]:
        """The parameter that asks for the contacts of these charts."""
        return {"patient": ",".join(patient_id(chart.ref) or "" for chart in charts)}

    def at_once(self, ask: Callable[[Q], A], questions: Iterable[Q]) -> Iterator[A]:
        """The answers in the order of the questions, as many at a time as the EHR bears."""
        return self.pace.each(ask, questions)

    @cached_property
    def known(self) -> list[Chart]:
        """Up to two charts that certainly have contacts, found by a search of contacts without any chart.

        Empty when the EHR has no contacts or does not let itself be asked like that.
        """
        try:
            first = self.search("RelatedPerson", {}, count=_SAMPLE).first
        except SourceError:
            return []
        found: dict[str, Chart] = {}
        for part in first.parts:
            if isinstance(part, Record) and len(found) < KNOWN and (chart := self.chart_of(part)):
                found.setdefault(chart.ref, chart)
        return list(found.values())

    def settle(self, part: Record | Broken) -> Record | Broken:
        """A record tied to its chart and told apart, as the profile says.

        Raises SourceError when the EHR has to be asked for the chart and does not answer.
        """
        if isinstance(part, Broken) or self.rules.is_plain:
            return part
        record, ref = Naming(self.rules, ()).adopt(part)
        if ref != ELSEWHERE or (chart := self.chart_named(part)) is None:
            return record
        return Naming(self.rules, [chart]).adopt(part)[0]

    def chart_of(self, contact: Record) -> Chart | None:
        """The chart that a contact is on; None when it names none that can be found."""
        _, ref = Naming(self.rules, ()).adopt(contact)
        if ref == ELSEWHERE:
            return self.chart_named(contact)
        return Chart(ref) if patient_id(ref) else None

    def charts(self, parts: Iterable[Part | Record | Broken]) -> list[Chart]:
        """The charts among records. Where contacts name them by number, the EHR is asked whether each number is
        one chart's alone. Raises SourceError when it does not answer."""
        charts = charts_in(parts, self.rules)
        if not self.rules.patient_identifier:
            return charts
        values = sorted({value for chart in charts for value in chart.identifiers})
        owners = dict(zip(values, self.at_once(self._owner, values), strict=True))
        return [
            Chart(
                chart.ref,
                tuple(value for value in chart.identifiers if owners[value] == chart.ref),
                tuple(value for value in chart.identifiers if owners[value] != chart.ref),
            )
            for chart in charts
        ]

    def chart_named(self, contact: Record) -> Chart | None:
        """The one chart with the identifier by which a contact names it, asked of the EHR and checked.

        None when there is none or more than one. Raises SourceError.
        """
        value = named_by(contact.resource, self.rules.patient_identifier)
        owner = self._owner(value)
        return Chart(owner, (value,)) if owner else None

    def _owner(self, number: str) -> str:
        """The one chart that has this number; empty when none has, several have, or the EHR ignores the question."""
        if number not in self._owners:
            first = self.search("Patient", {"identifier": f"{self.rules.patient_identifier}|{number}"}).first
            found = charts_in(first.parts, self.rules)
            alone = len(found) == 1 and not first.warned and number in found[0].identifiers
            self._owners[number] = found[0].ref if alone else ""
        return self._owners[number]


def walk(kind: str, search: Search, result: ReadResult, progress: Progress) -> Iterator[list[Part]]:
    """The pages of a search; remarks that put it in doubt go to ``result``."""
    done = 0
    for page in search.pages():
        note_remarks(page, result)
        if search.cut:
            watch(search.client, page.parts, page.number)
        done += sum(isinstance(part, Record) and reference(part.resource).startswith(f"{kind}/") for part in page.parts)
        progress(f"{kind}s", done, page.total if page.total and page.total >= done else None)
        yield page.parts


def note_remarks(page: Page, result: ReadResult) -> None:
    for part in page.parts:
        if isinstance(part, Remark) and part.serious:
            result.fail(f"{part.origin}: {part.problem}, so rows may be missing. Ask the EHR's support.")


def records_in(parts: Iterable[Part]) -> Iterator[Record | Broken]:
    """Everything but the remarks."""
    return (part for part in parts if not isinstance(part, Remark))


def mark(result: ReadResult, search: Search, *kinds: str) -> None:
    """Sets the mark of types that were read to their end without a doubt."""
    if result.complete and search.at is not None:
        result.marks.update(dict.fromkeys(kinds, search.at))
