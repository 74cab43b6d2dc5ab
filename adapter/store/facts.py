"""What the EHR last said: patients and contacts, merged as they are read and loaded as the rules need them."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

import msgspec
import sqlalchemy as sa

from adapter.core.accounts import Member
from adapter.core.decide import Outcome
from adapter.core.facts import Authority, Contact, Fact, Patient, Quarantined
from adapter.core.persons import name_key
from adapter.store import tables as t
from adapter.store.sql import BATCH, batches, update_each, upsert

_encode = msgspec.json.Encoder().encode
_decode_patient = msgspec.json.Decoder(Patient).decode
_decode_contact = msgspec.json.Decoder(Contact).decode
_decode_outcome = msgspec.json.Decoder(Outcome).decode
_TWO_COPIES = "the EHR gave two different copies of this record"


@dataclass(frozen=True, slots=True)
class Incoming:
    """One fact as it was read, with ``meta.lastUpdated`` where the EHR gives it."""

    fact: Fact
    updated: datetime | None = None


@dataclass(slots=True)
class Merged:
    """What became of a batch of facts: every one is a patient or contact, repeated, or conflicting."""

    patients: int = 0
    contacts: int = 0
    changed: int = 0
    repeated: int = 0
    """The same resource again in one read, or an older copy of it."""
    conflicting: list[Quarantined] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Chart:
    """One chart as stored: the patient, everybody on it, and what was decided about each the last time."""

    ref: str
    patient: Patient | None
    contacts: tuple[Contact, ...]
    outcomes: dict[str, Outcome]
    changed: frozenset[str]
    """Contacts whose facts have changed since the last applied decision."""
    review_on: date | None


def merge(connection: sa.Connection, practice: str, run: int, incoming: Sequence[Incoming], *, full: bool) -> Merged:
    """Stores facts that differ from what is known and marks them as changed in ``run``.

    Within one read the newer copy of a resource counts; two different copies of the same age make it unusable. Between
    reads, an older copy counts only in a full read (a late page must not undo a change; a restored EHR may).
    """
    merged = Merged()
    for table in (t.patient, t.contact):
        of_kind = [item for item in incoming if isinstance(item.fact, Patient) is (table is t.patient)]
        for batch in batches(of_kind):
            _merge(connection, table, practice, run, batch, full, merged)
    return merged


def _merge(
    connection: sa.Connection,
    table: sa.Table,
    practice: str,
    run: int,
    batch: Sequence[Incoming],
    full: bool,
    merged: Merged,
) -> None:
    known = _known(connection, table, practice, [item.fact.ref for item in batch])
    rows: dict[str, dict[str, Any]] = {}
    seen: list[str] = []
    left_charts: list[str] = []
    for item in batch:
        fact = item.fact
        encoded = _encode(fact)
        digest = hashlib.blake2b(encoded, digest_size=16).hexdigest()
        old = rows.get(fact.ref) or known.get(fact.ref)
        if old is not None:
            again = old["seen_run"] == run
            if old["hash"] == digest:
                if again:
                    merged.repeated += 1
                else:
                    _count(merged, fact)
                    seen.append(fact.ref)
                    old["seen_run"] = run
                continue
            if again and not _newer(item.updated, old["updated"]):
                if _newer(old["updated"], item.updated) or _decode(table, old["facts"]).unusable:
                    merged.repeated += 1
                else:
                    merged.conflicting.append(
                        Quarantined(fact.ref, fact.source, fact.ref.partition("/")[0], _TWO_COPIES)
                    )
                continue
            if again or (not full and _newer(old["updated"], item.updated)):
                merged.repeated += 1
            if not again and not full and _newer(old["updated"], item.updated):
                continue
            if isinstance(fact, Contact):
                fact = _remembering(fact, _decode_contact(old["facts"]))
                encoded = _encode(fact)
                if old["patient"] != fact.patient:
                    left_charts.append(old["patient"])
        if old is None or old["seen_run"] != run:
            _count(merged, fact)
        merged.changed += 1
        rows[fact.ref] = _row(practice, run, fact, encoded, digest, item.updated)
    upsert(connection, table, list(rows.values()))
    _touch(connection, table, practice, run, seen)
    mark_changed(connection, practice, run, left_charts)


def quarantine(connection: sa.Connection, practice: str, run: int, records: Iterable[Quarantined]) -> None:
    """Makes the known facts of damaged records unusable, so that everything that rests on them is held.

    A damaged Patient that was not known becomes an unusable chart; a damaged contact that was not known changes nothing.
    """
    for record in records:
        kind = record.ref.partition("/")[0]
        table = {"Patient": t.patient, "RelatedPerson": t.contact}.get(kind)
        if table is None or not record.ref:
            continue
        old = _known(connection, table, practice, [record.ref]).get(record.ref)
        problem = f"{record.path}: {record.problem}"
        fact: Fact
        if old is not None:
            fact = msgspec.structs.replace(_decode(table, old["facts"]), unusable=problem, source=record.source)
        elif kind == "Patient":
            fact = Patient(record.ref, record.source, unusable=problem)
        else:
            continue
        encoded = _encode(fact)
        digest = hashlib.blake2b(encoded, digest_size=16).hexdigest()
        if old is not None and old["hash"] == digest:
            _touch(connection, table, practice, run, [record.ref])
            continue
        upsert(connection, table, [_row(practice, run, fact, encoded, digest, None)])


def unseen(connection: sa.Connection, practice: str, run: int, charts: Sequence[str] | None = None) -> list[str]:
    """References that this read, of everything or of these charts, did not meet: candidates for a closer look, no more."""
    found = []
    for table, chart in ((t.patient, t.patient.c.ref), (t.contact, t.contact.c.patient)):
        query = sa.select(table.c.ref).where(table.c.practice == practice, table.c.seen_run < run).order_by(table.c.ref)
        for part in [None] if charts is None else batches(charts):
            found += connection.scalars(query if part is None else query.where(chart.in_(part))).all()
    return found


def remove(connection: sa.Connection, practice: str, run: int, refs: Sequence[str]) -> None:
    """Forgets records that the EHR has confirmed gone; their charts and accounts are decided again in ``run``.

    A contact that is gone takes its claims with it; a chart that is gone stays as an inactive one.
    """
    contacts = [ref for ref in refs if ref.startswith("RelatedPerson/")]
    for batch in batches(contacts):
        here = sa.and_(t.contact.c.practice == practice, t.contact.c.ref.in_(batch))
        charts = connection.scalars(sa.select(t.contact.c.patient).where(here)).all()
        connection.execute(sa.delete(t.contact).where(here))
        mark_changed(connection, practice, run, charts)
    for ref in (ref for ref in refs if ref.startswith("Patient/")):
        known = _known(connection, t.patient, practice, [ref]).get(ref)
        if known is not None:
            gone = msgspec.structs.replace(_decode_patient(known["facts"]), active=False)
            encoded = _encode(gone)
            upsert(connection, t.patient, [_row(practice, run, gone, encoded, "gone", None)])


def mark_changed(connection: sa.Connection, practice: str, run: int, charts: Sequence[str]) -> None:
    """Has these charts decided again."""
    for batch in batches(sorted({chart for chart in charts if chart})):
        connection.execute(
            sa.update(t.patient)
            .where(t.patient.c.practice == practice, t.patient.c.ref.in_(batch))
            .values(changed_run=run)
        )


def undecided_charts(
    connection: sa.Connection, practice: str, *, since: int, today: date, everything: bool
) -> list[str]:
    """Charts to decide, in order: changed after run ``since``, due for review by ``today``, or all of them."""
    patients = sa.select(t.patient.c.ref).where(t.patient.c.practice == practice)
    contacts = sa.select(t.contact.c.patient).where(t.contact.c.practice == practice)
    if not everything:
        patients = patients.where(sa.or_(t.patient.c.changed_run > since, t.patient.c.review_on <= today))
        contacts = contacts.where(t.contact.c.changed_run > since)
    refs: set[str] = set(connection.scalars(patients))
    refs.update(connection.scalars(contacts))
    return sorted(refs)


def load_charts(connection: sa.Connection, practice: str, refs: Sequence[str], *, since: int = 0) -> Iterator[Chart]:
    """These charts with their contacts, a batch at a time, in the order given."""
    for batch in batches(refs):
        patients = {
            row.ref: (_decode_patient(row.facts), row.review_on)
            for row in connection.execute(
                sa.select(t.patient.c.ref, t.patient.c.facts, t.patient.c.review_on).where(
                    t.patient.c.practice == practice, t.patient.c.ref.in_(batch)
                )
            )
        }
        contacts: dict[str, list[Any]] = {}
        columns = (
            t.contact.c.ref,
            t.contact.c.patient,
            t.contact.c.facts,
            t.contact.c.outcome,
            t.contact.c.changed_run,
        )
        for row in connection.execute(
            sa.select(*columns).where(t.contact.c.practice == practice, t.contact.c.patient.in_(batch))
        ):
            contacts.setdefault(row.patient, []).append(row)
        for ref in batch:
            patient, review_on = patients.get(ref, (None, None))
            rows = contacts.get(ref, [])
            yield Chart(
                ref,
                patient,
                tuple(_decode_contact(row.facts) for row in rows),
                {row.ref: _decode_outcome(row.outcome) for row in rows if row.outcome},
                frozenset(row.ref for row in rows if row.changed_run > since),
                review_on,
            )


def save_outcomes(
    connection: sa.Connection,
    practice: str,
    outcomes: Sequence[tuple[str, Outcome]],
    reviews: Sequence[tuple[str, date | None]],
) -> None:
    """Keeps what was decided about each contact, and when each chart is due for review."""
    rows = [{"practice": practice, "ref": ref, "outcome": _encode(outcome).decode()} for ref, outcome in outcomes]
    update_each(connection, t.contact, ("practice", "ref"), rows)
    days = [{"practice": practice, "ref": ref, "review_on": day} for ref, day in reviews]
    update_each(connection, t.patient, ("practice", "ref"), days)


def members_of(connection: sa.Connection, practice: str, email_keys: Sequence[str]) -> dict[str, list[Member]]:
    """Every contact with one of these addresses, by address."""
    found: dict[str, list[Member]] = {key: [] for key in email_keys}
    for member in _members(connection, practice, t.contact.c.email_key, email_keys):
        found[member.contact.email_key].append(member)
    return found


def members_by_ref(connection: sa.Connection, practice: str, refs: Sequence[str]) -> dict[str, Member]:
    """These contacts as they are now."""
    return {member.contact.ref: member for member in _members(connection, practice, t.contact.c.ref, refs)}


def members_by_name(connection: sa.Connection, practice: str, names: Sequence[str]) -> dict[str, list[Member]]:
    """Contacts by ``core.persons.name_key``."""
    found: dict[str, list[Member]] = {}
    for member in _members(connection, practice, t.contact.c.name_key, names):
        found.setdefault(name_key(member.contact.names), []).append(member)
    return found


def known_patients(connection: sa.Connection, practice: str, refs: Sequence[str]) -> set[str]:
    """Which of these charts are known."""
    known: set[str] = set()
    for batch in batches(refs):
        known.update(
            connection.scalars(
                sa.select(t.patient.c.ref).where(t.patient.c.practice == practice, t.patient.c.ref.in_(batch))
            )
        )
    return known


def population(connection: sa.Connection, practice: str) -> int:
    """How many charts are known."""
    return (
        connection.scalar(sa.select(sa.func.count()).select_from(t.patient).where(t.patient.c.practice == practice))
        or 0
    )


def _members(
    connection: sa.Connection, practice: str, column: sa.Column[str], values: Sequence[str]
) -> Iterator[Member]:
    columns = (t.contact.c.facts, t.contact.c.outcome)
    for batch in batches([value for value in values if value], BATCH):
        for facts, outcome in connection.execute(
            sa.select(*columns).where(t.contact.c.practice == practice, column.in_(batch))
        ):
            yield Member(
                _decode_contact(facts),
                _decode_outcome(outcome) if outcome else Outcome(("internal-error",), current=True),
            )


def _known(connection: sa.Connection, table: sa.Table, practice: str, refs: Sequence[str]) -> dict[str, dict[str, Any]]:
    columns = [table.c.ref, table.c.hash, table.c.facts, table.c.updated, table.c.seen_run]
    if table is t.contact:
        columns.append(t.contact.c.patient)
    query = sa.select(*columns).where(table.c.practice == practice, table.c.ref.in_(refs))
    return {row["ref"]: dict(row) for row in connection.execute(query).mappings()}


def _count(merged: Merged, fact: Fact) -> None:
    if isinstance(fact, Patient):
        merged.patients += 1
    else:
        merged.contacts += 1


def _row(practice: str, run: int, fact: Fact, encoded: bytes, digest: str, updated: datetime | None) -> dict[str, Any]:
    row = {
        "practice": practice,
        "ref": fact.ref,
        "hash": digest,
        "facts": encoded.decode(),
        "updated": updated,
        "changed_run": run,
        "seen_run": run,
    }
    if isinstance(fact, Contact):
        row |= {"patient": fact.patient, "email_key": fact.email_key, "name_key": name_key(fact.names)}
    return row


def _remembering(fact: Contact, old: Contact) -> Contact:
    """The contact with what must not be undone by losing a field: its last explicit Authority, and its last chart.

    A contact whose chart reference is damaged stays on the chart it was on, held, with whatever it claimed there.
    """
    if fact.authority is Authority.UNKNOWN:
        last = old.authority if old.authority is not Authority.UNKNOWN else old.last_authority
        fact = msgspec.structs.replace(fact, last_authority=last)
    if fact.patient_problem and old.patient:
        fact = msgspec.structs.replace(fact, patient=old.patient)
    return fact


def _decode(table: sa.Table, facts: str) -> Fact:
    return _decode_patient(facts) if table is t.patient else _decode_contact(facts)


def _newer(a: datetime | None, b: datetime | None) -> bool:
    return a is not None and b is not None and a > b


def _touch(connection: sa.Connection, table: sa.Table, practice: str, run: int, refs: Sequence[str]) -> None:
    for batch in batches(refs):
        connection.execute(
            sa.update(table).where(table.c.practice == practice, table.c.ref.in_(batch)).values(seen_run=run)
        )
