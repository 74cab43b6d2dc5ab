"""Taking one chart away from one account at once, whatever the EHR says; and giving it back to the rules."""

from dataclasses import dataclass
from datetime import datetime

import msgspec
import sqlalchemy as sa

from adapter.core.audit import AuditEntry
from adapter.core.email import email_key
from adapter.core.reasons import REVOKED
from adapter.core.revoked import revoke_actions
from adapter.core.state import Account
from adapter.errors import FatalError
from adapter.store import accounts, audit, facts, revocations, runs
from adapter.store.apply import Applier
from adapter.store.turns import turn

LONGEST = 500
"""Characters of a reason."""


@dataclass(frozen=True, slots=True)
class Revoked:
    """What taking a chart away did: whether it was open, and the name of the account's holder."""

    practice: str
    was_open: bool
    name: str


def revoke(
    engine: sa.Engine, practice: str, email: str, patient: str, *, reason: str, actor: str, now: datetime
) -> Revoked:
    """Takes the chart away now, even while a brake is on, and from every later sync until it is lifted.

    Raises FatalError when the practice knows neither the address nor the chart, or when it is taken away already.
    """
    key = email_key(email)
    text = said(reason)
    with turn(engine, practice) as connection:
        account = accounts.by_email(connection, practice, [key]).get(key)
        members = facts.members_of(connection, practice, [key])[key]
        on_chart = sorted(member.contact.ref for member in members if member.contact.patient == patient)
        if account is None and not members:
            raise FatalError("Nobody at this practice has this e-mail address. See: adapter accounts")
        if not facts.known_patients(connection, practice, [patient]):
            raise FatalError(f"The practice has no chart {patient}. A reference looks like Patient/123.")
        if _found(connection, practice, key, patient):
            raise FatalError("This was taken away already. `adapter revoke --lift` gives it back to the rules.")
        grant = account.grants.get(patient) if account else None
        contact = grant.contact if grant else on_chart[0] if on_chart else None
        revocations.add(connection, practice, key, patient, contact=contact, reason=text, actor=actor, now=now)
        note(connection, practice, "revoke-access", account, patient, key, text, actor, now, code=REVOKED)
        actions = revoke_actions(account, patient) if account else []
        if actions:
            Applier(connection, practice, run=None, actor=actor, now=now).apply(actions)
    return Revoked(practice, bool(actions), account.name if account else "")


def lift(engine: sa.Engine, practice: str, email: str, patient: str, *, reason: str, actor: str, now: datetime) -> None:
    """The chart is decided by the rules again, with the next sync. Raises FatalError when it was not taken away."""
    key = email_key(email)
    text = said(reason)
    with turn(engine, practice) as connection:
        ids = _found(connection, practice, key, patient)
        if not ids:
            raise FatalError("Nothing was taken away from this address on this chart, so there is nothing to lift.")
        revocations.lift(connection, ids, reason=text, actor=actor, now=now)
        account = accounts.by_email(connection, practice, [key]).get(key)
        note(connection, practice, "lift-revocation", account, patient, key, text, actor, now, code=REVOKED)
        state = runs.practice_state(connection, practice)
        facts.mark_changed(connection, practice, state.decided_run + 1, [patient])


def said(text: str) -> str:
    """The reason as it is kept. Raises FatalError when there is none, or too long a one."""
    text = " ".join(text.split())
    if not text or len(text) > LONGEST:
        raise FatalError(f"Say why with --reason, in at most {LONGEST} characters: it is kept in the audit trail.")
    return text


def _found(connection: sa.Connection, practice: str, key: str, patient: str) -> list[str]:
    """What is in force for this address on this chart, under whichever address it was taken away."""
    if patient not in revocations.in_force(connection, practice).get(key, []):
        return []
    contacts = {member.contact.ref for member in facts.members_of(connection, practice, [key])[key]}
    return [
        row["id"]
        for row in revocations.listing(connection, practice)
        if row["patient"] == patient and (row["email_key"] == key or row["contact"] in contacts)
    ]


def note(
    connection: sa.Connection,
    practice: str,
    action: str,
    account: Account | None,
    patient: str | None,
    key: str,
    text: str,
    actor: str,
    now: datetime,
    *,
    code: str,
) -> None:
    """Writes down, in the audit trail, what somebody has done by hand to this address, and their words."""
    detail = msgspec.json.encode({"email": key, "reason": text}).decode()
    id_ = account.id if account else None
    entry = AuditEntry(action=action, account=id_, patient=patient, reason=code, actor=actor, detail=detail)
    audit.append(connection, practice, [entry], now)
