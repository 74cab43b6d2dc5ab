"""What changed since the last read, by ``_lastUpdated``, where the EHR declares it and proves to obey it."""

from datetime import UTC, datetime, timedelta

from adapter.core.intake import updated_at
from adapter.ehr import Progress, ReadResult, Record
from adapter.ehr.bundle import Part, reference
from adapter.ehr.fhir.answer import Refused
from adapter.ehr.fhir.contacts import charts_in
from adapter.ehr.fhir.paging import Search
from adapter.ehr.fhir.strategies import Records, Unproven, Way
from adapter.ehr.fhir.strategies.patient_contact import with_contacts
from adapter.ehr.fhir.strategies.revinclude import INCLUDE
from adapter.ehr.fhir.strategies.source import Source, mark, records_in, walk

_EVER = datetime(1900, 1, 1, tzinfo=UTC)
_BOTH = ("Patient", "RelatedPerson")


def changes(source: Source, marks: dict[str, datetime], overlap: timedelta) -> Way:
    """The searches for what changed since ``overlap`` before the marks, their first pages judged.

    Raises Unproven when only a full read can tell; SourceError when the EHR does not answer.
    """
    in_charts = source.rules.contacts == "Patient.contact"
    kinds = _BOTH[:1] if in_charts else _BOTH
    able = source.capability
    if not able.patients_since or not (in_charts or able.contacts_since):
        raise Unproven(f"the EHR does not declare _lastUpdated for {' and '.join(kinds)}")
    if not marks.keys() >= set(kinds):
        raise Unproven("there is no mark of an earlier read")
    since = {kind: marks[kind] - overlap for kind in kinds}
    include = INCLUDE if able.revinclude and not in_charts and "revinclude" not in source.rules.avoid else {}
    whole = in_charts or bool(include)
    patients = _since(source, "Patient", since["Patient"], include)
    if patients is None:
        whole = in_charts
        patients = _since(source, "Patient", since["Patient"], {})
    searches = {"Patient": patients}
    if not in_charts:
        searches["RelatedPerson"] = _since(source, "RelatedPerson", since["RelatedPerson"], {})
    found = {kind: search for kind, search in searches.items() if search is not None}
    if len(found) < len(kinds):
        raise Unproven("the EHR declares _lastUpdated but does not obey it")

    def read(result: ReadResult, progress: Progress) -> Records:
        for kind, search in found.items():
            for parts in walk(kind, search, result, progress):
                if whole and kind == "Patient":
                    result.whole_charts.update(chart.ref for chart in charts_in(parts, source.rules))
                yield from _records(source, parts, in_charts=in_charts)
            mark(result, search, kind)
            if in_charts:
                mark(result, search, *_BOTH)

    return Way(f"what changed since the last read (_lastUpdated of {' and '.join(kinds)})", read, full=False)


def _records(source: Source, parts: list[Part], *, in_charts: bool) -> Records:
    for part in records_in(parts):
        if in_charts:
            yield from with_contacts(part)
        else:
            yield source.settle(part)


def _since(source: Source, kind: str, since: datetime, more: dict[str, str]) -> Search | None:
    """The search, or None when the EHR does not do it: refused, left out, or answered with rows not asked for."""
    at = since.astimezone(UTC).replace(microsecond=0)
    params = {"_lastUpdated": f"ge{at.strftime('%Y-%m-%dT%H:%M:%SZ')}", **more}
    search = source.obeyed(kind, params, "_revinclude" if more else "_lastUpdated")
    if search is None or not search.honours("_lastUpdated"):
        return None
    rows = [part for part in search.first.parts if isinstance(part, Record) and _is(kind, part)]
    if any((moment := updated_at(row.resource)) is not None and moment < at for row in rows):
        return None
    return search if search.first.parts or _finds_anything(source, kind) else None


def _finds_anything(source: Source, kind: str) -> bool:
    """Whether "changed since 1900" gives rows, if there are any at all: some servers find nothing by what they do not
    know (Medplum's router, 2026), which would look like "nothing changed" for ever."""
    ever = f"ge{_EVER.strftime('%Y-%m-%dT%H:%M:%SZ')}"
    try:
        for params in ({"_lastUpdated": ever}, {}):
            first = source.search(kind, params, count=1).first
            if any(isinstance(part, Record) and _is(kind, part) for part in first.parts):
                return bool(params)
    except Refused:
        return False
    return True


def _is(kind: str, record: Record) -> bool:
    return reference(record.resource).startswith(f"{kind}/")
