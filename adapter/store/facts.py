"""What the EHR last said of each chart and contact, loaded as the rules need it, and what was decided about it."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import date

import msgspec
import sqlalchemy as sa

from adapter.core.accounts import Member
from adapter.core.decide import Outcome
from adapter.core.facts import Contact, Patient
from adapter.core.rules import shut_because
from adapter.store import tables as t
from adapter.store.sql import among, batches, update_rows
from adapter.store.stored import (
    StoredChart,
    StoredMember,
    decode_contact,
    decode_outcome,
    decode_patient,
    encode,
)


@dataclass(frozen=True, slots=True)
class Chart:
    """One chart: the patient, everybody on it, and what was decided about each the last time."""

    ref: str
    patient: Patient | None
    contacts: tuple[Contact, ...]
    outcomes: dict[str, Outcome]


GONE = "gone"
"""Instead of the hash of a chart that the EHR has confirmed gone."""


def unseen(connection: sa.Connection, practice: str, run: int, charts: Sequence[str] | None = None) -> list[str]:
    """References that this read, of everything or of these charts, did not meet: they get a closer look, no more."""
    found: list[str] = []
    for table, chart in ((t.patient, t.patient.c.ref), (t.contact, t.contact.c.patient)):
        query = sa.select(table.c.ref).where(table.c.practice == practice, table.c.seen_run < run).order_by(table.c.ref)
        for part in [None] if charts is None else batches(charts):
            found += connection.scalars(query if part is None else query.where(chart.in_(part))).all()
    return found


def remove(connection: sa.Connection, practice: str, run: int, refs: Sequence[str]) -> None:
    """Forgets records that the EHR has confirmed gone; their charts and accounts are decided again in ``run``.

    A contact that is gone takes its claims with it; a chart that is gone stays, as one that is.
    """
    contacts = [ref for ref in refs if ref.startswith("RelatedPerson/")]
    for batch in batches(contacts):
        here = sa.and_(t.contact.c.practice == practice, t.contact.c.ref.in_(batch))
        gone = connection.execute(sa.select(t.contact.c.patient, t.contact.c.email_key).where(here)).all()
        connection.execute(sa.delete(t.contact).where(here))
        mark_changed(connection, practice, run, [row.patient for row in gone])
        mark_left(connection, practice, run, {row.email_key for row in gone})
    for ref in (ref for ref in refs if ref.startswith("Patient/")):
        one = sa.and_(t.patient.c.practice == practice, t.patient.c.ref == ref)
        known = connection.scalar(sa.select(t.patient.c.facts).where(one))
        if known is not None:
            inactive = encode(msgspec.structs.replace(decode_patient(known), active=False, gone=True)).decode()
            values = {"facts": inactive, "hash": GONE, "updated": None, "changed_run": run, "seen_run": run}
            connection.execute(sa.update(t.patient).where(one).values(values))


def forget_families(connection: sa.Connection, practice: str, refs: Collection[str]) -> None:
    """Forgets the charts among these records, and the contacts among them that are on one of those charts."""
    charts = sorted(ref for ref in refs if ref.startswith("Patient/"))
    contacts = {ref for ref in refs if ref.startswith("RelatedPerson/")}
    for batch in batches(charts):
        here = sa.and_(t.contact.c.practice == practice, t.contact.c.patient.in_(batch))
        on_them = sorted(contacts & set(connection.scalars(sa.select(t.contact.c.ref).where(here))))
        for some in batches(on_them):
            one = sa.and_(t.contact.c.practice == practice, t.contact.c.ref.in_(some))
            connection.execute(sa.delete(t.contact).where(one))
        themselves = sa.and_(t.patient.c.practice == practice, t.patient.c.ref.in_(batch))
        connection.execute(sa.delete(t.patient).where(themselves))


def mark_changed(connection: sa.Connection, practice: str, run: int, charts: Sequence[str]) -> None:
    """Has these charts decided again."""
    for batch in batches(sorted({chart for chart in charts if chart})):
        connection.execute(
            sa.update(t.patient)
            .where(t.patient.c.practice == practice, among(connection, t.patient.c.ref, batch))
            .values(changed_run=run)
        )


def mark_left(connection: sa.Connection, practice: str, run: int, email_keys: Collection[str]) -> None:
    """Has everybody who stays at these addresses decided again, on all their charts: somebody has left the mailbox."""
    for batch in batches(sorted(key for key in email_keys if key)):
        here = sa.and_(t.contact.c.practice == practice, among(connection, t.contact.c.email_key, batch))
        mark_changed(connection, practice, run, connection.scalars(sa.select(t.contact.c.patient).where(here)).all())


def mark_due(connection: sa.Connection, practice: str, charts: Sequence[str], day: date) -> None:
    """Has these charts decided again by the next run that may open something, and no later than on this day."""
    for batch in batches(charts):
        here = sa.and_(t.patient.c.practice == practice, t.patient.c.ref.in_(batch))
        connection.execute(sa.update(t.patient).where(here).values(review_on=day))


def undecided_charts(
    connection: sa.Connection, practice: str, *, since: int, today: date, everything: bool = False
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


def any_changed(connection: sa.Connection, practice: str, *, since: int) -> bool:
    """Whether anything was read after run ``since`` that no complete run has decided yet."""
    return any(
        connection.execute(
            sa.select(table.c.ref).where(table.c.practice == practice, table.c.changed_run > since).limit(1)
        ).first()
        is not None
        for table in (t.patient, t.contact)
    )


def stored_charts(connection: sa.Connection, practice: str, refs: Sequence[str]) -> list[StoredChart]:
    """These charts with their contacts as their rows hold them, in the order given; at most one batch."""
    of_patients = sa.select(t.patient.c.ref, t.patient.c.facts, t.patient.c.review_on).where(
        t.patient.c.practice == practice, among(connection, t.patient.c.ref, refs)
    )
    columns = (t.contact.c.patient, t.contact.c.ref, t.contact.c.facts, t.contact.c.outcome)
    on_charts = among(connection, t.contact.c.patient, refs)
    of_contacts = sa.select(*columns).where(t.contact.c.practice == practice, on_charts)
    charts = {ref: StoredChart(ref, None, None, []) for ref in refs}
    for ref, facts, review_on in connection.execute(of_patients).all():
        charts[ref].patient, charts[ref].review_on = facts, review_on
    for chart, ref, facts, outcome in connection.execute(of_contacts).all():
        charts[chart].contacts.append((ref, facts, outcome))
    return list(charts.values())


def load_charts(connection: sa.Connection, practice: str, refs: Sequence[str]) -> Iterator[Chart]:
    """These charts with their contacts and outcomes, a batch at a time, in the order given."""
    for batch in batches(refs):
        for stored in stored_charts(connection, practice, batch):
            yield Chart(
                stored.ref,
                decode_patient(stored.patient) if stored.patient is not None else None,
                tuple([decode_contact(facts) for _, facts, _ in stored.contacts]),
                {ref: decode_outcome(outcome) for ref, _, outcome in stored.contacts if outcome},
            )


def save_outcomes(
    connection: sa.Connection,
    practice: str,
    outcomes: Sequence[tuple[str, str]],
    reviews: Sequence[tuple[str, date | None]],
) -> None:
    """Keeps what was decided about each contact (JSON of an ``Outcome``), and when each chart is due for review."""
    key = ("practice", "ref")
    update_rows(connection, t.contact, key, ("outcome", *key), [(outcome, practice, ref) for ref, outcome in outcomes])
    days = [(day and day.isoformat(), practice, ref) for ref, day in reviews]  # what both drivers take as a date
    update_rows(connection, t.patient, key, ("review_on", *key), days, ready=True)


def stored_members(
    connection: sa.Connection, practice: str, email_keys: Sequence[str]
) -> dict[str, list[StoredMember]]:
    """Every contact with one of these addresses as its row holds it, by address."""
    found: dict[str, list[StoredMember]] = {key: [] for key in email_keys}
    for key, member in _stored(connection, practice, t.contact.c.email_key, email_keys):
        found[key].append(member)
    return found


def stored_members_by_ref(connection: sa.Connection, practice: str, refs: Sequence[str]) -> list[StoredMember]:
    """These contacts as their rows hold them now."""
    return [member for _, member in _stored(connection, practice, t.contact.c.ref, refs)]


def members_of(connection: sa.Connection, practice: str, email_keys: Sequence[str]) -> dict[str, list[Member]]:
    """Every contact with one of these addresses, by address."""
    found = stored_members(connection, practice, email_keys)
    return {key: [member.decode() for member in members] for key, members in found.items()}


def members_by_ref(connection: sa.Connection, practice: str, refs: Sequence[str]) -> dict[str, Member]:
    """These contacts as they are now."""
    return {ref: member.decode() for ref, member in _stored(connection, practice, t.contact.c.ref, refs)}


def members_by_name(connection: sa.Connection, practice: str, names: Sequence[str]) -> dict[str, list[Member]]:
    """Contacts by ``core.persons.name_key``."""
    found: dict[str, list[Member]] = {}
    for name, member in _stored(connection, practice, t.contact.c.name_key, names):
        found.setdefault(name, []).append(member.decode())
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


def shut_charts(connection: sa.Connection, practice: str, refs: Sequence[str]) -> dict[str, str]:
    """Those of these charts that their own record closes, and for which reason. One that is gone says nothing."""
    found: dict[str, str] = {}
    for batch in batches(refs):
        here = sa.and_(t.patient.c.practice == practice, t.patient.c.ref.in_(batch), t.patient.c.hash != GONE)
        patients = map(decode_patient, connection.scalars(sa.select(t.patient.c.facts).where(here)))
        found |= {patient.ref: code for patient in patients if (code := shut_because(patient))}
    return found


def population(connection: sa.Connection, practice: str) -> int:
    """How many charts are known."""
    return (
        connection.scalar(sa.select(sa.func.count()).select_from(t.patient).where(t.patient.c.practice == practice))
        or 0
    )


def any_known(connection: sa.Connection, practice: str) -> bool:
    """Whether anything at all was ever read of this practice."""
    return any(
        connection.execute(sa.select(table.c.ref).where(table.c.practice == practice).limit(1)).first() is not None
        for table in (t.patient, t.contact)
    )


def _stored(
    connection: sa.Connection, practice: str, column: sa.Column[str], values: Sequence[str]
) -> Iterator[tuple[str, StoredMember]]:
    for batch in batches([value for value in values if value]):
        query = sa.select(column, t.contact.c.facts, t.contact.c.outcome)
        here = query.where(t.contact.c.practice == practice, among(connection, column, batch))
        for value, facts, outcome in connection.execute(here).all():
            yield value, StoredMember(facts, outcome)
