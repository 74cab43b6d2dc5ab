"""Consents as a source of Authority: read whole at the start of every run, and laid beside what the records say."""

import hashlib
from collections.abc import Iterable
from datetime import datetime
from typing import Any

import msgspec

from adapter.core.authority_file import beside
from adapter.core.consent import Consent, ConsentRules, authority_from_consents, identifier_key, in_force, read_consent
from adapter.core.facts import Authority, Contact, Reading
from adapter.core.intake import References, ref_of, updated_at
from adapter.core.mapping import Mapper
from adapter.ehr import Broken, Reader, ReadResult
from adapter.errors import SourceError

_TWO_COPIES = "comes in two different copies"
_CHARTS_AND_CONTACTS = ("Patient/", "RelatedPerson/")


class Consents:
    """Every Consent that counts, by the chart it is about, at one moment."""

    def __init__(self, consents: Iterable[Consent], rules: ConsentRules, now: datetime) -> None:
        self.rules = rules
        self.now = now
        self._by_chart: dict[str, list[Consent]] = {}
        self._content: list[Any] = []
        for consent in sorted(consents, key=lambda each: each.ref):
            self._by_chart.setdefault(consent.patient, []).append(consent)
            current = [statement for statement in consent.statements if in_force(statement, now)]
            self._content.append(msgspec.to_builtins((consent, current), order="deterministic"))

    @property
    def hash(self) -> str:
        """SHA-256 of what they say now: it changes with a Consent, and with the day one begins or ends."""
        return hashlib.sha256(msgspec.json.encode(self._content)).hexdigest()

    def stated(self, contact: Contact, resource: dict[str, Any]) -> tuple[Authority, str] | None:
        """What they state of one contact, by whatever name they call it and its chart; None when nothing."""
        system = self.rules.identifier_system
        named = resource.get("patient")
        charts = {contact.patient, identifier_key(_identifier(named), system) if system else ""} - {""}
        identifiers = resource.get("identifier", []) if system else []
        own = {identifier_key(each, system) for each in identifiers if isinstance(each, dict)} - {""}
        about = [consent for chart in charts for consent in self._by_chart.get(chart, ())]
        return authority_from_consents(frozenset({contact.ref, *own}), frozenset(charts), about, self.rules, self.now)


def _identifier(reference: object) -> dict[str, Any]:
    found = reference.get("identifier") if isinstance(reference, dict) else None
    return found if isinstance(found, dict) else {}


def read_consents(reader: Reader, rules: ConsentRules, references: References, now: datetime) -> Consents:
    """Every Consent of the EHR.

    Raises SourceError when one may be missing, or is damaged and may be about any chart.
    """
    result = ReadResult(full=True)
    newest: dict[str, tuple[dict[str, Any], datetime | None]] = {}
    conflicting: set[str] = set()
    for record in reader.consents(result):
        if isinstance(record, Broken):
            if record.ref.startswith(_CHARTS_AND_CONTACTS):
                continue
            raise SourceError(f"{record.origin} {record.problem} and may be a Consent, so nothing was read.")
        ref, at = ref_of(record.resource), updated_at(record.resource)
        known = newest.get(ref)
        if known is not None and known[0] != record.resource:
            if known[1] is None or at is None or known[1] == at:
                conflicting.add(ref)
            if known[1] is not None and at is not None and known[1] >= at:
                continue
        newest[ref] = (record.resource, at)
    if not result.complete:
        raise SourceError(result.problems[0])
    found = [read for ref in newest if (read := read_consent(newest[ref][0], rules, references)) is not None]
    found = [msgspec.structs.replace(each, problem=_TWO_COPIES) if each.ref in conflicting else each for each in found]
    for consent in found:
        if consent.problem and not consent.patient:
            named = consent.ref or "A Consent without an id"
            raise SourceError(f"{named} may be about any chart ({consent.problem}), so nothing was read.")
    return Consents(found, rules, now)


class MapperBesideConsents(Mapper):
    """Reads as ``mapper`` does and lays the Consents beside it; for one run."""

    def __init__(self, mapper: Mapper, consents: Consents) -> None:
        self.profile = mapper.profile
        self.references = mapper.references
        self._mapper = mapper
        self._consents = consents

    def read(self, resource: object, origin: str = "") -> Reading:
        """As ``Mapper.read``; a contact has the Authority that record and Consents state together."""
        reading = self._mapper.read(resource, origin)
        if not isinstance(reading, Contact) or not isinstance(resource, dict):
            return reading
        stated = self._consents.stated(reading, resource)
        if stated is None:
            return reading
        authority, words = stated
        if authority is not Authority.UNKNOWN:
            return beside(reading, authority)
        if reading.authority is Authority.NONE:
            return reading
        return msgspec.structs.replace(reading, authority=Authority.UNKNOWN, authority_text=words)
