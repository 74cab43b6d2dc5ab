"""The bench for mapping profiles: records from a file as an EHR's reader passes them on, and what becomes of them."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from adapter.core.bench import Line, consent_sheet, sheet_of
from adapter.core.consent import Consent
from adapter.core.decide import PASSED, Step, steps_of
from adapter.core.facts import Contact, Patient, Quarantined, Reading
from adapter.core.mapping import Mapper, MappingProfile
from adapter.core.policy import Policy
from adapter.core.search import PATIENT_CONTACT
from adapter.ehr import Broken, Record
from adapter.ehr.bundle import Part, Remark, unfold
from adapter.ehr.fhir.contacts import Naming, charts_in
from adapter.ehr.fhir.strategies.patient_contact import with_contacts
from adapter.errors import FatalError
from adapter.http.decode import DuplicateKeys, Undecodable, decode
from adapter.jobs.consents import Consents, MapperBesideConsents

_MAX_BYTES = 64 * 1024 * 1024
_A_CHILD = 5
"""Years: the age of the child that stands in for a chart that is not in the file."""


@dataclass(frozen=True, slots=True)
class Tested:
    """One record of the file. ``steps`` are the rules' answers to a contact by itself, by the default policy."""

    origin: str
    reading: Reading | Consent
    lines: tuple[Line, ...] = ()
    steps: tuple[Step, ...] = ()
    stand_in: bool = False
    """Whether an invented child's chart stood in for the contact's own, which is not in the file."""

    @property
    def opens(self) -> bool:
        """Whether the contact by itself would see the chart."""
        return bool(self.steps) and all(step.outcome == PASSED for step in self.steps)


def try_file(profile: MappingProfile, path: Path, now: datetime, base_url: str | None = None) -> list[Tested]:
    """Every record of a JSON or NDJSON file on the bench. Raises FatalError when the file cannot be read."""
    return try_records(profile, records_in(path), now, base_url)


def try_records(
    profile: MappingProfile, parts: Iterable[Part], now: datetime, base_url: str | None = None
) -> list[Tested]:
    """Every record on the bench, as the reader of this EHR passes records on."""
    mapper, rules = Mapper(profile, base_url=base_url), profile.consents
    tested: list[Tested] = []
    people: list[Record | Broken] = []
    for part in as_read(profile, list(parts)):
        if rules is None or isinstance(part, Broken) or part.resource.get("resourceType") != "Consent":
            people.append(part)
            continue
        sheet = consent_sheet(part.resource, part.origin, rules, mapper.references)
        tested.append(Tested(part.origin, sheet.reading, sheet.lines))
    if rules is not None and tested:
        found = [one.reading for one in tested if isinstance(one.reading, Consent)]
        mapper = MapperBesideConsents(mapper, Consents(found, rules, now))
    for part in people:
        if isinstance(part, Broken):
            tested.append(Tested(part.origin, Quarantined(part.ref, part.ref, part.path, part.problem, part.origin)))
        else:
            sheet = sheet_of(profile, mapper, part.resource, part.origin)
            tested.append(Tested(part.origin, sheet.reading, sheet.lines))
    charts = {one.reading.ref: one.reading for one in tested if isinstance(one.reading, Patient)}
    return [_decided(one, tested, charts, now) for one in tested]


def as_read(profile: MappingProfile, parts: list[Part]) -> Iterator[Record | Broken]:
    """Records as they leave the reader: contacts taken out of charts, or tied to them, as the profile says."""
    records = [part for part in parts if not isinstance(part, Remark)]
    naming = Naming(profile.search, charts_in(records, profile.search))
    for part in records:
        if isinstance(part, Broken):
            yield part
        elif profile.search.contacts == PATIENT_CONTACT:
            yield from with_contacts(part)
        else:
            yield naming.adopt(part)[0]


def records_in(path: Path) -> list[Part]:
    """What a file holds: one resource, a list, a Bundle, one of these per line (.ndjson), or a profile's example."""
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise FatalError(f"{path}: is larger than {_MAX_BYTES // 1024**2} MB. Try a few records in a smaller file.")
        data = path.read_bytes()
    except OSError as error:
        raise FatalError(f"{path}: cannot be read ({error.strerror}). Check the path and its permissions.") from None
    if path.suffix.lower() in (".ndjson", ".jsonl"):
        lines = [(line, f"{path.name}:{number}") for number, line in enumerate(data.splitlines(), 1) if line.strip()]
        return [part for line, origin in lines for part in _unfolded(line, origin)]
    return list(_unfolded(data, path.name))


def _unfolded(data: bytes, origin: str) -> Iterator[Part]:
    try:
        value = decode(data)
        is_example = isinstance(value, dict) and "expect" in value and "resourceType" not in value
        yield from unfold(value.get("resource") if is_example else value, origin)
    except DuplicateKeys as error:
        yield from unfold(error.value, origin, doubled=True)
    except Undecodable as error:
        raise FatalError(f"{origin}: {error.problem}. Give a FHIR resource or Bundle as JSON.") from None


def _decided(one: Tested, tested: list[Tested], charts: dict[str, Patient], now: datetime) -> Tested:
    contact = one.reading
    if not isinstance(contact, Contact):
        return one
    chart = charts.get(contact.patient)
    stand_in = chart is None and bool(contact.patient)
    if stand_in:
        chart = Patient(contact.patient, contact.patient, birth_date=f"{now.year - _A_CHILD}-01-01")
    others = tuple(
        each.reading for each in tested if isinstance(each.reading, Contact) and each.reading.patient == contact.patient
    )
    steps = tuple(steps_of(contact, chart, others, Policy(), now))
    return Tested(one.origin, contact, one.lines, steps, stand_in)


def fact_of(reading: Reading | Consent) -> dict[str, Any]:
    """A reading as the ``expect`` of an example has it: its kind, and every fact that is not at its default."""
    kind = type(reading).__name__.lower()
    facts: dict[str, Any] = msgspec.to_builtins(reading)
    facts.pop("origin", None)
    return {"fact": kind, **facts}
