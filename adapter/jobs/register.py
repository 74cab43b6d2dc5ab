"""Sending the Welcome email again ("Register"): whether it makes sense, and doing it."""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from adapter.core.email import email_key
from adapter.core.plan import Action, ActionKind
from adapter.core.sentences import NOT_NEEDED, has_registered
from adapter.core.state import Account, EffectState, GrantState
from adapter.errors import FatalError
from adapter.store import accounts
from adapter.store.apply import Applier
from adapter.store.engine import read
from adapter.store.turns import turn

REGISTERED_AGAIN = "registered-again"


@dataclass(frozen=True, slots=True)
class Registration:
    """What sending the Welcome email again would mean for one address; ``problem`` says why it would be pointless."""

    practice: str
    account: Account | None
    sent_count: int
    last_sent_at: datetime | None
    problem: str = ""


def look(engine: sa.Engine, practice: str, email: str, now: datetime) -> Registration:
    """Looks whether sending the Welcome email to this address again makes sense. Changes nothing.

    ``now`` is in the practice's time zone.
    """
    key = email_key(email)
    with read(engine) as connection:
        account = accounts.by_email(connection, practice, [key]).get(key)
        if account is None:
            return Registration(practice, None, 0, None, "There is no account with this address.")
        latest = accounts.latest_welcomes(connection, [account.id]).get(account.id)
    sent_count = latest["sent_count"] if latest else 0
    last_sent_at = latest["last_sent_at"] if latest else None
    return Registration(practice, account, sent_count, last_sent_at, _pointless(account, now))


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
    """Queues one more Welcome email for this address. Source: FAQ 1, "Register".

    Raises FatalError, with the reason, when that would be pointless.
    """
    key = email_key(email)
    with turn(engine, practice) as connection:
        account = accounts.by_email(connection, practice, [key]).get(key)
        problem = _pointless(account, now) if account else "There is no account with this address."
        if account is None or problem:
            raise FatalError(problem)
        action = Action(
            ActionKind.QUEUE_WELCOME, key, None, REGISTERED_AGAIN, "", email=account.email, account_id=account.id
        )
        Applier(connection, practice, run=None, actor=actor, now=now).apply([action])
