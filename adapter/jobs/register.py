"""Sending the Welcome email again ("Register"): whether it makes sense, and doing it."""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from adapter.core.audit import AuditEntry
from adapter.core.email import email_key
from adapter.core.last_welcome import LastWelcome, what_became
from adapter.core.plan import Action, ActionKind
from adapter.core.reasons import REASONS
from adapter.core.sentences import NOT_NEEDED, has_registered
from adapter.core.state import Account, EffectState, GrantState
from adapter.errors import FatalError
from adapter.store import accounts, audit, outbox, suppressed
from adapter.store.apply import Applier
from adapter.store.engine import read
from adapter.store.turns import turn

REGISTERED_AGAIN = "registered-again"
NO_ACCOUNT = "There is no account with this address."


@dataclass(frozen=True, slots=True)
class Registration:
    """What sending the Welcome email again would mean for one address; ``problem`` says why it would be pointless.

    ``became`` says what became of the last one.
    """

    practice: str
    account: Account | None
    problem: str = ""
    became: str = ""


def look(engine: sa.Engine, practice: str, email: str, now: datetime) -> Registration:
    """Looks whether sending the Welcome email to this address again makes sense. Changes nothing.

    ``now`` is in the practice's time zone.
    """
    key = email_key(email)
    with read(engine) as connection:
        account = accounts.by_email(connection, practice, [key]).get(key)
        if account is None:
            return Registration(practice, None, NO_ACCOUNT)
        _, last = _last(connection, account)
        shut = suppressed.among(connection, practice, [key])
    became = what_became(last, now)
    if shut:
        became += f" Mail to this address came back before: {REASONS[shut[key]].summary}."
    return Registration(practice, account, _pointless(account, now), became)


def _last(connection: sa.Connection, account: Account) -> tuple[str, LastWelcome | None]:
    """The newest Welcome email and its effect's id; empty when there was none."""
    row = accounts.latest_welcomes(connection, [account.id]).get(account.id)
    if row is None:
        return "", None
    last = LastWelcome(
        state=EffectState(row["state"]),
        email=row["email"],
        sent_at=row["last_sent_at"],
        error=row["last_error"] or "",
        link_expires_at=row["link_expires_at"],
        link_closed_at=row["link_closed_at"],
        link_tries=row["link_tries"],
    )
    return str(row["effect_id"]), last


def _pointless(account: Account, now: datetime) -> str:
    if not any(grant.state is GrantState.ACTIVE for grant in account.grants.values()):
        return "The account may open no chart, so a Welcome email would lead nowhere."
    if account.registered:
        return f"{account.name or 'The parent'} {has_registered(account, now)}. {NOT_NEEDED}"
    if account.welcome is EffectState.HELD:
        return "The Welcome email is held until the practice's first run is released."
    if account.welcome in (EffectState.QUEUED, EffectState.SENDING):
        return "The Welcome email is queued already and leaves with the next delivery."
    return ""


def register(engine: sa.Engine, practice: str, email: str, *, actor: str, now: datetime) -> None:
    """Sends the Welcome email to this address again. Source: FAQ 1, "Register".

    One of which nobody knows whether it left is sent again as it is: should both arrive, they have one link. Otherwise
    it is a new one, with a new link. Raises FatalError, with the reason, when sending would be pointless.
    """
    key = email_key(email)
    with turn(engine, practice) as connection:
        account = accounts.by_email(connection, practice, [key]).get(key)
        problem = _pointless(account, now) if account else NO_ACCOUNT
        if account is None or problem:
            raise FatalError(problem)
        if suppressed.lift(connection, practice, key):
            lifted = AuditEntry(action="lift-suppression", account=account.id, reason=REGISTERED_AGAIN, actor=actor)
            audit.append(connection, practice, [lifted], now)
        effect, last = _last(connection, account)
        if last is not None and last.same_link:
            outbox.requeue(connection, [effect], now=now)
            entry = AuditEntry(action="queue-welcome", account=account.id, reason=REGISTERED_AGAIN, actor=actor)
            audit.append(connection, practice, [entry], now)
            return
        action = Action(
            ActionKind.QUEUE_WELCOME, key, None, REGISTERED_AGAIN, "", email=account.email, account_id=account.id
        )
        Applier(connection, practice, run=None, actor=actor, now=now).apply([action])
