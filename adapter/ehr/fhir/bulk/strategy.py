"""The strategy ``bulk``: one export of everybody, or of what changed, instead of thousands of searches."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from adapter.core.search import PATIENT_CONTACT, SearchRules, StrategyName
from adapter.ehr import Progress, ReadResult, Record
from adapter.ehr.bundle import reference
from adapter.ehr.fhir.answer import Refused
from adapter.ehr.fhir.bulk.export import BulkExport, Export
from adapter.ehr.fhir.bulk.job import Request
from adapter.ehr.fhir.capability import Capability
from adapter.ehr.fhir.checks import usable
from adapter.ehr.fhir.strategies import Records, Strategy, Way
from adapter.ehr.fhir.strategies.choosing import SEARCHING, choose
from adapter.ehr.fhir.strategies.patient_contact import with_contacts
from adapter.ehr.fhir.strategies.source import Source
from adapter.errors import SourceError

_BOTH = ("Patient", "RelatedPerson")
_GUIDE = "hl7.org/fhir/uv/bulkdata/CapabilityStatement/bulk-data"
_LEVELS = ("Patient", "Group", "system")


@dataclass(frozen=True)
class Bulk:
    """Reads by exports of ``group`` (its id), else of all Patients, else of the whole system.

    ``alone``: the practice wants no other way, so that an export which is not everything is read all the same, as an
    incomplete read. Otherwise the EHR is then searched instead. ``searching`` are the ways to do that.
    """

    bulk: BulkExport
    group: str = ""
    alone: bool = False
    searching: tuple[Strategy, ...] = SEARCHING
    name: StrategyName = "bulk"

    def able(self, capability: Capability, rules: SearchRules) -> str:
        if rules.patient_identifier:
            return "an export is read file by file, and the profile finds charts by their identifiers"
        if self.group:
            return "" if "Group" in levels(capability.statement) else "the EHR declares no export of a Group"
        return "" if levels(capability.statement) else "the EHR declares no Bulk Data export"

    def prove(self, source: Source, marks: dict[str, datetime]) -> Way:
        """Asks nothing yet: only a whole export could prove more, and ``read`` judges it before it uses it."""
        kinds = _BOTH[:1] if source.rules.contacts == PATIENT_CONTACT else _BOTH
        since = min(marks[kind] for kind in kinds) if marks.keys() >= set(kinds) else None
        paths = self._paths(source.capability)

        def read(result: ReadResult, progress: Progress) -> Records:
            try:
                export = self._prepare(source, paths, kinds, since, progress)
            except Refused as refused:
                if self.alone or not _searchable(source):
                    raise
                yield from self._instead(source, str(refused), result, progress)
                return
            if export.problems and not self.alone and _searchable(source):
                export.call_off()
                yield from self._instead(source, export.problems[0], result, progress)
                return
            yield from _settled(source, export, kinds, result, progress)

        what = "everything" if since is None else "what changed since the last read (_since)"
        return Way(f"{what} by Bulk Data export of {' and '.join(kinds)} ({paths[0]})", read, full=since is None)

    def _paths(self, capability: Capability) -> list[str]:
        if self.group:
            return [f"Group/{self.group}/$export"]
        declared = levels(capability.statement)
        wanted = {"Patient": "Patient/$export", "system": "$export"}
        return [path for level, path in wanted.items() if level in declared] or list(wanted.values())

    def _prepare(
        self, source: Source, paths: list[str], kinds: tuple[str, ...], since: datetime | None, progress: Progress
    ) -> Export:
        """The export, at the first level that the EHR does not refuse."""
        for path in paths[:-1]:
            try:
                return _judged(source, self.bulk.prepare(Request(path, kinds), since, progress), kinds, since)
            except Refused:
                continue
        return _judged(source, self.bulk.prepare(Request(paths[-1], kinds), since, progress), kinds, since)

    def _instead(self, source: Source, why: str, result: ReadResult, progress: Progress) -> Records:
        """Everything by searches, after an export that was refused or is not everything."""
        choice = choose(source, self.searching, {})
        result.full = True
        result.strategy = f"{choice}, instead of a Bulk Data export: {why}"
        yield from choice.way.read(result, progress)


def _searchable(source: Source) -> bool:
    """Whether there is a search to fall back on; of an EHR that has exports only, what went wrong there is the news."""
    try:
        usable(source.capability, source.rules)
    except SourceError:
        return False
    return True


def _judged(source: Source, export: Export, kinds: tuple[str, ...], since: datetime | None) -> Export:
    """The export, with what it looks like from outside: one of everything that has no contacts where there are some
    leaves them out (many exports hold a fixed list of types)."""
    if since is None and "RelatedPerson" in kinds and not export.has("RelatedPerson") and source.known:
        export.problems.append(
            "The export leaves out RelatedPersons, although the EHR has some. Choose another strategy, or ask the "
            "EHR's support to export them too."
        )
    return export


def _settled(source: Source, export: Export, kinds: tuple[str, ...], result: ReadResult, progress: Progress) -> Records:
    in_charts = source.rules.contacts == PATIENT_CONTACT
    for part in export.read(kinds, result, progress):
        if not in_charts:
            yield source.settle(part)
            continue
        yield from with_contacts(part)
        if not result.full and isinstance(part, Record):
            result.whole_charts.add(reference(part.resource))
    if in_charts or source.rules.contact_ids == "person":  # those contacts are known by ids of our own making
        result.gone[:] = [ref for ref in result.gone if ref.startswith("Patient/")]


def levels(statement: dict[str, Any]) -> set[str]:
    """Where the EHR declares ``$export``: ``Patient``, ``Group``, ``system``.

    The operation by its name or definition, or the whole guide by ``instantiates``, which leaves the levels open.
    """
    found: set[str] = set()
    for server in _dicts(statement.get("rest")):
        if any(map(_is_export, _dicts(server.get("operation")))):
            found.add("system")
        for entry in _dicts(server.get("resource")):
            if entry.get("type") in _LEVELS and any(map(_is_export, _dicts(entry.get("operation")))):
                found.add(str(entry["type"]))
        for operation in _dicts(server.get("operation")):
            found |= {level for level in _LEVELS[:2] if f"{level.lower()}-export" in _definition(operation).lower()}
    guides = statement.get("instantiates")
    if isinstance(guides, list) and any(_GUIDE in str(guide) for guide in guides):
        found |= set(_LEVELS[:2])
    return found


def _is_export(operation: dict[str, Any]) -> bool:
    name, definition = str(operation.get("name", "")).lstrip("$"), _definition(operation).lower()
    of_a_type = definition.endswith(("patient-export", "group-export"))
    return name == "export" or definition.endswith("/export") or of_a_type


def _definition(operation: dict[str, Any]) -> str:
    """The canonical URL of an operation's definition; DSTU2 and STU3 have a reference there."""
    definition = operation.get("definition")
    return str(definition.get("reference", "")) if isinstance(definition, dict) else str(definition or "")


def _dicts(value: Any) -> Iterable[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
