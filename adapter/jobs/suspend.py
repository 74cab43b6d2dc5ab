"""Suspending a whole account by hand: every chart closes and stays closed, until somebody lifts it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from adapter.core.email import email_key
from adapter.core.reasons import SUSPENDED
from adapter.core.revoked import EVERY, suspend_actions
from adapter.core.state import GrantState
from adapter.errors import FatalError
from adapter.jobs.revoke import note, said
from adapter.store import accounts, facts, revocations, runs
from adapter.store.apply import Applier
from adapter.store.turns import turn


@dataclass(frozen=True, slots=True)
class Suspended:
    """What suspending did: how many charts were open, and the name of the account's holder."""

    practice: str
    email: str
    name: str
    closed: int


def suspend(engine: sa.Engine, practice: str, email: str, *, reason: str, actor: str, now: datetime) -> Suspended:
    """Closes every chart to this address at once, past every brake, and every later sync, until it is lifted.

    The Welcome email that waits is cancelled, unused links end. It is kept for the address and for each of its
    contacts, so that a new address does not get around it. Raises FatalError when nobody has the address, or when it is
    suspended already.
    """
    key, text = email_key(email), said(reason)
    with turn(engine, practice) as connection:
        account = accounts.by_email(connection, practice, [key]).get(key)
        members = facts.members_of(connection, practice, [key])[key]
        if account is None and not members:
            raise FatalError("Nobody at this practice has this e-mail address. See: adapter accounts")
        if revocations.suspensions(connection, practice, [key]):
            raise FatalError("This account is suspended already. `adapter suspend --lift` gives it back to the rules.")
        contacts = {member.contact.ref for member in members}
        contacts |= {grant.contact for grant in account.grants.values()} if account else set()
        for contact in (None, *sorted(contacts)):
            revocations.add(connection, practice, key, EVERY, contact=contact, reason=text, actor=actor, now=now)
        note(connection, practice, "suspend-by-hand", account, None, key, text, actor, now, code=SUSPENDED)
        actions = suspend_actions(account) if account else []
        if actions:
            Applier(connection, practice, run=None, actor=actor, now=now).apply(actions)
    closed = sum(action.before is not None and action.before.state is GrantState.ACTIVE for action in actions)
    return Suspended(practice, account.email if account else email, account.name if account else "", closed)


def lift(engine: sa.Engine, practice: str, email: str, *, reason: str, actor: str, now: datetime) -> Sequence[str]:
    """The charts decide again, with the next sync: their references. A chart that was revoked by itself stays so.

    Raises FatalError when the account is not suspended by hand.
    """
    key, text = email_key(email), said(reason)
    with turn(engine, practice) as connection:
        found = revocations.suspensions(connection, practice, [key]).get(key)
        if found is None:
            raise FatalError("This account was not suspended by hand, so there is nothing to lift.")
        whole = [row for row in revocations.listing(connection, practice) if _same(row, found)]
        revocations.lift(connection, [row["id"] for row in whole], reason=text, actor=actor, now=now)
        account = accounts.by_email(connection, practice, [key]).get(key)
        note(connection, practice, "lift-suspension", account, None, key, text, actor, now, code=SUSPENDED)
        here = [member.contact for member in facts.members_of(connection, practice, [key])[key]]
        moved = facts.members_by_ref(connection, practice, sorted({row["contact"] for row in whole if row["contact"]}))
        charts = {contact.patient for contact in here} | {member.contact.patient for member in moved.values()}
        charts |= set(account.grants) if account else set()
        state = runs.practice_state(connection, practice)
        facts.mark_changed(connection, practice, state.decided_run + 1, sorted(charts - {""}))
    return sorted(charts - {""})


def _same(row: dict[str, Any], found: dict[str, Any]) -> bool:
    """Whether a row is of the same suspension."""
    return row["patient"] == EVERY and (row["email_key"], row["at"]) == (found["email_key"], found["at"])
