"""Mail in the outbox: what a stopped worker left, what may be sent again by policy, how much a minute takes."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import sqlalchemy as sa

from adapter.core.state import EffectKind, EffectState
from adapter.store.outbox import MAIL, Claimed
from adapter.store.tables import effect, practice

INTERRUPTED = "The worker stopped while the mail was being handed over: nobody knows whether it left."
MOST_BY_POLICY = 3
"""Attempts, after which only a human sends a mail of which nobody knows once more."""
_MINUTE = timedelta(minutes=1)
_CLAIM = (effect.c.id, effect.c.subject, effect.c.to, effect.c.attempts, effect.c.run)


def lost(connection: sa.Connection, of: str, *, now: datetime) -> list[tuple[EffectKind, Claimed]]:
    """Mail whose worker stopped while handing it over becomes ``unknown``; returns it.

    The lease's owner stays: should the worker be alive after all, its answer is the truth and is still taken.
    """
    expired = (
        effect.c.state == EffectState.SENDING,
        effect.c.lease_until <= now,
        effect.c.kind.in_(MAIL),
        effect.c.practice == of,
    )
    values = {"state": EffectState.UNKNOWN, "lease_until": None, "last_error": INTERRUPTED, "done_at": now}
    rows = connection.execute(sa.update(effect).where(*expired).values(values).returning(effect.c.kind, *_CLAIM))
    return [(EffectKind(row[0]), Claimed._make(row[1:])) for row in rows.all()]


def resend_unknown(connection: sa.Connection, of: str, *, before: datetime, now: datetime) -> int:
    """Has mail sent again of which nobody has known since ``before``; each at most twice. Returns how many."""
    doubtful = (
        effect.c.state == EffectState.UNKNOWN,
        effect.c.next_at.is_(None),
        effect.c.kind == EffectKind.WELCOME,
        effect.c.practice == of,
        effect.c.done_at <= before,
        effect.c.attempts < MOST_BY_POLICY,
    )
    again = {"state": EffectState.QUEUED, "next_at": now, "done_at": None, "lease_owner": None}
    return connection.execute(sa.update(effect).where(*doubtful).values(again)).rowcount


def addresses(connection: sa.Connection, ids: Sequence[str]) -> dict[str, str]:
    """Where these mails go, by id, in the order given."""
    rows = connection.execute(sa.select(effect.c.id, effect.c.to).where(effect.c.id.in_(ids)))
    found: dict[str, str] = {row.id: row.to for row in rows}
    return {id_: found[id_] for id_ in ids if id_ in found}


def take_minute(connection: sa.Connection, of: str, *, wanted: int, most: int, now: datetime) -> int:
    """How many of ``wanted`` mails may leave in this minute, of ``most`` for the practice; they are counted."""
    row = connection.execute(
        sa.select(practice.c.mail_minute, practice.c.mail_count).where(practice.c.id == of)
    ).first()
    minute = now.replace(second=0, microsecond=0)
    used = row.mail_count if row is not None and row.mail_minute == minute else 0
    allowed = max(0, min(wanted, most - used))
    values = {"mail_minute": minute, "mail_count": used + allowed}
    connection.execute(sa.update(practice).where(practice.c.id == of).values(values))
    return allowed
