"""Contacts of charts, each row checked: a server may ignore what was asked, or name a chart in its own way."""

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from adapter.core.search import SearchRules
from adapter.ehr import Broken, Record
from adapter.ehr.bundle import Part, Remark, patient_of, reference

ELSEWHERE = "another chart"
"""Stands for a chart that was not asked about and is known by an identifier only."""

_PATIENT = re.compile(r"Patient/([A-Za-z0-9\-.]{1,64})")
_LONGEST_ID = 64
_KEY_BYTES = 8


class Chart(NamedTuple):
    """A chart whose contacts are wanted: ``Patient/<id>``, and what else RelatedPerson.patient may call it."""

    ref: str
    identifiers: tuple[str, ...] = ()
    unclear: tuple[str, ...] = ()
    """Identifiers of it that are not its alone: who names a chart by one of them names none."""


@dataclass(slots=True)
class Contacts:
    """What one search gave. ``ignored``: rows of other charts came, so the parameter was not obeyed."""

    rows: list[Record | Broken] = field(default_factory=list)
    charts: set[str] = field(default_factory=set)
    """The charts that the rows are on."""
    problems: list[str] = field(default_factory=list)
    ignored: bool = False

    @property
    def refs(self) -> set[str]:
        """``Type/id`` of every row."""
        return {row.ref if isinstance(row, Broken) else reference(row.resource) for row in self.rows}


def patient_id(ref: str) -> str | None:
    """The id in ``Patient/<id>``; None when it is not a FHIR id, so that it could mean something else in a URL."""
    match = _PATIENT.fullmatch(ref)
    return match[1] if match else None


def charts_in(parts: Iterable[Part | Record | Broken], rules: SearchRules) -> list[Chart]:
    """The charts among records, each once."""
    found: dict[str, Chart] = {}
    for part in parts:
        if isinstance(part, Record) and patient_id(ref := reference(part.resource)):
            found.setdefault(ref, Chart(ref, tuple(_identifiers(part.resource, rules.patient_identifier))))
    return list(found.values())


def _identifiers(patient: dict[str, Any], system: str) -> list[str]:
    """The values of a chart's identifiers of one system that are in use."""
    identifiers = patient.get("identifier")
    if not system or not isinstance(identifiers, list):
        return []
    return [
        one["value"]
        for one in identifiers
        if isinstance(one, dict) and one.get("system") == system and one.get("use") != "old" and _is_value(one)
    ]


class Naming:
    """Ties a contact to its chart and gives it an id of its own, where the profile says that the EHR does neither."""

    def __init__(self, rules: SearchRules, charts: Iterable[Chart]) -> None:
        self._rules = rules
        self._charts: dict[str, str] = {}
        self._unclear: set[str] = set()
        for chart in charts:
            self._unclear.update(chart.unclear)
            for value in chart.identifiers:
                if self._charts.setdefault(value, chart.ref) != chart.ref:
                    self._unclear.add(value)

    def adopt(self, record: Record) -> tuple[Record, str]:
        """The contact as it is passed on, and the chart it is on: empty when it names none, ``ELSEWHERE`` when it
        names one that was not asked about."""
        resource = record.resource
        if resource.get("resourceType") != "RelatedPerson":
            return record, ""
        chart = patient_of(resource)
        if not chart and (value := named_by(resource, self._rules.patient_identifier)):
            chart = "" if value in self._unclear else self._charts.get(value, ELSEWHERE)
            if chart not in ("", ELSEWHERE):
                resource = {**resource, "patient": {**resource["patient"], "reference": chart}}
        if self._rules.contact_ids == "person" and patient_id(chart) and reference(resource):
            resource = {**resource, "id": id_on_chart(resource["id"], chart)}
        return (record if resource is record.resource else Record(resource, record.origin)), chart


def named_by(contact: Mapping[str, Any], system: str) -> str:
    """The identifier by which a contact names its chart; empty unless it is of this system and the only name."""
    patient = contact.get("patient")
    if not system or not isinstance(patient, dict) or not patient.keys().isdisjoint({"reference", "_reference"}):
        return ""
    identifier = patient.get("identifier")
    if not isinstance(identifier, dict) or identifier.get("system") != system or not _is_value(identifier):
        return ""
    value: str = identifier["value"]
    return value


def _is_value(identifier: dict[str, Any]) -> bool:
    value = identifier.get("value")
    return isinstance(value, str) and bool(value.strip()) and not set(value) & {"|", ",", "\\", "$"}


def id_on_chart(person_id: str, chart: str) -> str:
    """The id of one person as a contact on one chart, of a form that FHIR allows."""
    suffix = f".{hashlib.blake2b(chart.encode(), digest_size=_KEY_BYTES).hexdigest()}"
    if len(person_id) + len(suffix) <= _LONGEST_ID:
        return person_id + suffix
    return hashlib.blake2b(person_id.encode(), digest_size=16).hexdigest() + suffix


def sort_out(parts: Sequence[Part], charts: Sequence[Chart], rules: SearchRules, found: Contacts) -> None:
    """Puts the parts of one answer about these charts into ``found``; rows of other charts are left out."""
    naming, wanted = Naming(rules, charts), {chart.ref for chart in charts}
    for part in parts:
        if isinstance(part, Remark):
            if part.serious:
                found.problems.append(f"{part.origin} of {named(charts)}: {part.problem}. Ask the EHR's support.")
        elif isinstance(part, Broken):
            found.rows.append(part)
        else:
            record, chart = naming.adopt(part)
            if chart and chart not in wanted:
                found.ignored = True
            else:
                found.rows.append(record)
                found.charts |= {chart} - {""}


def named(charts: Sequence[Chart]) -> str:
    """These charts in a message."""
    return charts[0].ref if len(charts) == 1 else f"{charts[0].ref} and {len(charts) - 1} more"
