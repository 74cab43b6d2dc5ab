"""One person as the desk shows them: account, children, Welcome emails, findings, and why; and syncing their family."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from adapter.core.accounts import Member
from adapter.core.email import email_key
from adapter.core.explain import Explanation
from adapter.core.facts import Contact, Patient
from adapter.core.persons import name_key
from adapter.core.reasons import REASONS
from adapter.core.state import Account, Grant
from adapter.ehr import Progress
from adapter.jobs.explain import explain
from adapter.jobs.practice import Clock, Practice
from adapter.jobs.register import look
from adapter.jobs.run import Request
from adapter.jobs.sync import sync
from adapter.store import accounts, facts, findings, revocations
from adapter.store import tables as t
from adapter.store.engine import read

MOST_CHARTS = 10
"""A family has no more; a name that more charts have is a frequent one."""


@dataclass(frozen=True, slots=True)
class Child:
    """One chart, what the person is there, and whether they may open it."""

    ref: str
    name: str
    mrn: str
    born: str
    role: str
    authority: str
    contact: str
    state: str
    """``active``, ``held``, ``suspended``, ``ended``; ``none`` where there never was access."""
    access: str
    why: str
    is_self: bool
    since: datetime | None


@dataclass(frozen=True, slots=True)
class Letter:
    """One Welcome email."""

    number: int
    email: str
    state: str
    reason: str
    made_at: datetime
    done_at: datetime | None
    link_expires_at: datetime | None
    last_error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonView:
    """Everything the page of one person shows."""

    name: str
    email: str
    ref: str
    """A contact of theirs; empty where only the account is left."""
    account: Account | None
    since: datetime | None
    answer: Explanation
    children: list[Child]
    letters: list[Letter]
    findings: list[dict[str, Any]]
    charts: list[str]
    """What syncing this family reads."""
    register_problem: str
    """Why sending the Welcome email again would be pointless; empty where it would not."""
    suspended: bool = False
    """Somebody has suspended the account by hand."""
    became: str = ""
    """What became of the last Welcome email, in a sentence."""


def person_of_account(engine: sa.Engine, practice: Practice, account_id: str, *, clock: Clock) -> PersonView | None:
    """The person whose account this is; None when the practice has no such account."""
    here = sa.and_(t.account.c.practice == practice.id, t.account.c.id == account_id)
    with read(engine) as connection:
        email = connection.scalar(sa.select(t.account.c.email).where(here))
    return _person(engine, practice, email, "", clock) if email else None


def person_of_contact(engine: sa.Engine, practice: Practice, ref: str, *, clock: Clock) -> PersonView | None:
    """The person who is this Family Contact; None when the practice knows no such contact."""
    with read(engine) as connection:
        member = facts.members_by_ref(connection, practice.id, [ref]).get(ref)
    if member is None:
        return None
    return _person(engine, practice, member.contact.email, ref, clock)


def sync_family(
    engine: sa.Engine, practice: Practice, charts: Sequence[str], *, actor: str, clock: Clock, progress: Progress
) -> list[dict[str, Any]]:
    """Reads these charts anew, each in a run of its own that touches nobody else; their reports.

    Raises RetriableError when another run of the practice is under way.
    """
    return [
        sync(engine, practice, Request(person=chart, actor=actor), clock=clock, progress=progress)
        for chart in charts[:MOST_CHARTS]
    ]


def _person(engine: sa.Engine, practice: Practice, email: str, ref: str, clock: Clock) -> PersonView:
    key = email_key(email) if email else ""
    answer = explain(engine, practice, email or ref, clock=clock)
    with read(engine) as connection:
        account = accounts.by_email(connection, practice.id, [key]).get(key) if key else None
        members = facts.members_of(connection, practice.id, [key])[key] if key else []
        if not members and ref:
            members = list(facts.members_by_ref(connection, practice.id, [ref]).values())
        members.sort(key=lambda member: member.contact.ref)
        name = _name(account, members, email or ref)
        family = _family(connection, practice.id, members, account)
        patients = {
            chart.ref: chart.patient for chart in facts.load_charts(connection, practice.id, family) if chart.patient
        }
        letters = _letters(connection, account)
        refs = [member.contact.ref for member in members]
        found = findings.listing(connection, [practice.id], email=key or None, refs=refs)
        since = _since(connection, account)
        suspended = bool(revocations.suspensions(connection, practice.id, [key])) if key else False
    registration = look(engine, practice.id, email, clock().astimezone(practice.zone)) if account else None
    return PersonView(
        name=name,
        email=account.email if account else email,
        ref=ref or (refs[0] if refs else ""),
        account=account,
        since=since,
        answer=answer,
        children=_children(members, account, patients, _grant_times(engine, account)),
        letters=letters,
        findings=found,
        charts=family,
        register_problem=registration.problem if registration else "There is no account with this address.",
        suspended=suspended,
        became=registration.became if registration else "",
    )


def _name(account: Account | None, members: Sequence[Member], instead: str) -> str:
    if account and account.name:
        return account.name
    return next((member.contact.name for member in members if member.contact.name), instead)


def _family(connection: sa.Connection, practice: str, members: Sequence[Member], account: Account | None) -> list[str]:
    """Charts with this address, and those with somebody of the same name: the remedy is often entered there."""
    charts = {member.contact.patient for member in members} | set(account.grants if account else ())
    names = sorted({name_key(member.contact.names) for member in members if member.contact.names})
    for of_name in facts.members_by_name(connection, practice, names).values():
        same = {member.contact.patient for member in of_name}
        if len(same | charts) <= MOST_CHARTS:
            charts |= same
    return sorted(chart for chart in charts if chart)


def _children(
    members: Sequence[Member], account: Account | None, patients: dict[str, Patient], since: dict[str, datetime]
) -> list[Child]:
    grants = dict(account.grants) if account else {}
    rows = []
    for member in members:
        contact = member.contact
        grant = grants.pop(contact.patient, None)
        rows.append(_child(contact.patient, patients.get(contact.patient), grant, contact, member, since))
    rows += [_child(chart, patients.get(chart), grant, None, None, since) for chart, grant in sorted(grants.items())]
    return rows


def _child(
    chart: str,
    patient: Patient | None,
    grant: Grant | None,
    contact: Contact | None,
    member: Member | None,
    since: dict[str, datetime],
) -> Child:
    reason = grant.reason if grant else member.outcome.headline if member else ""
    return Child(
        ref=chart,
        name=patient.name if patient and patient.name else chart,
        mrn=patient.mrn if patient else "",
        born=patient.birth_date if patient else "",
        role=(contact.role_text or str(contact.role)) if contact else str(grant.role) if grant else "",
        authority=str(contact.authority if contact else grant.authority if grant else ""),
        contact=contact.ref if contact else grant.contact if grant else "",
        state=str(grant.state) if grant else "none",
        access=str(grant.access) if grant else "none",
        why=REASONS[reason].summary if reason in REASONS else "",
        is_self=grant.is_self if grant else False,
        since=since.get(chart),
    )


def _grant_times(engine: sa.Engine, account: Account | None) -> dict[str, datetime]:
    if account is None:
        return {}
    query = sa.select(t.grant.c.patient, t.grant.c.since).where(t.grant.c.account_id == account.id)
    with read(engine) as connection:
        return {patient: since for patient, since in connection.execute(query)}


def _since(connection: sa.Connection, account: Account | None) -> datetime | None:
    if account is None:
        return None
    return connection.scalar(sa.select(t.account.c.since).where(t.account.c.id == account.id))


def _letters(connection: sa.Connection, account: Account | None) -> list[Letter]:
    if account is None:
        return []
    query = (
        sa.select(t.welcome, t.effect.c.state, t.effect.c.done_at, t.effect.c.last_error)
        .join(t.effect, t.effect.c.id == t.welcome.c.effect_id)
        .where(t.welcome.c.account_id == account.id)
        .order_by(t.welcome.c.generation.desc())
    )
    return [
        Letter(
            row.generation,
            row.email,
            row.state,
            row.reason,
            row.created_at,
            row.done_at,
            row.link_expires_at,
            row.last_error or "",
        )
        for row in connection.execute(query)
    ]
