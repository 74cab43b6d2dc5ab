"""What earlier attempts at an account have left behind: what waits, what was given up, what the portal may know."""

from collections.abc import Mapping, Sequence
from datetime import datetime

import sqlalchemy as sa

from adapter.core.state import EffectKind, EffectState
from adapter.store.ids import new_id
from adapter.store.outbox import Claimed
from adapter.store.sql import batches, insert_all
from adapter.store.tables import effect

ANOTHER_DELIVERED = "A later delivery brought the same account up to date."


def stuck(connection: sa.Connection, *, practice: str, now: datetime) -> dict[str, list[str]]:
    """Effects of accounts that could not be delivered so far (failed for good, or backing off): ids by account."""
    mine = sa.select(effect.c.subject, effect.c.id).where(
        effect.c.practice == practice, effect.c.kind == EffectKind.ACCOUNT, effect.c.attempts > 0
    )
    # Two short ranges of the index on (state, next_at), instead of every account there ever was.
    failed = mine.where(effect.c.state == EffectState.FAILED, effect.c.next_at.is_(None))
    waiting = mine.where(effect.c.state == EffectState.QUEUED, effect.c.next_at > now)
    found: dict[str, list[str]] = {}
    for row in connection.execute(sa.union_all(failed, waiting)):
        found.setdefault(row.subject, []).append(row.id)
    return found


def backing_off(connection: sa.Connection, *, practice: str) -> bool:
    """Whether an account waits that the portal did not take the last time."""
    queued = (effect.c.state == EffectState.QUEUED, effect.c.kind == EffectKind.ACCOUNT)
    mine = sa.select(effect.c.id).where(*queued, effect.c.practice == practice, effect.c.attempts > 0)
    return connection.execute(mine.limit(1)).first() is not None


def tried_before(connection: sa.Connection, claimed: Sequence[Claimed]) -> set[str]:
    """The subjects of these effects that the portal may know: an attempt to put them there was made before."""
    ours = {one.id for one in claimed}
    tried = {one.subject for one in claimed if one.attempts > 1}
    query = sa.select(effect.c.subject, effect.c.id).where(effect.c.kind == EffectKind.ACCOUNT, effect.c.attempts > 0)
    for batch in batches(sorted({one.subject for one in claimed} - tried)):
        rows = connection.execute(query.where(effect.c.subject.in_(batch)))
        tried.update(row.subject for row in rows if row.id not in ours)
    return tried


def supersede(connection: sa.Connection, ids: Sequence[str], *, now: datetime) -> None:
    """The portal has the current state of these effects' account by a later delivery: they no longer matter."""
    waiting = effect.c.state.in_((EffectState.FAILED, EffectState.QUEUED))
    values = {"state": EffectState.CANCELLED, "done_at": now, "next_at": None, "last_error": ANOTHER_DELIVERED}
    if ids:
        connection.execute(sa.update(effect).where(effect.c.id.in_(ids), waiting).values(**values))


def in_flux(connection: sa.Connection, accounts: Sequence[str], *, since: datetime) -> dict[str, bool]:
    """Accounts that differ from the portal for a known reason, by id: True when a delivery is under way or was since
    then, False when the portal has refused the account and a human was asked."""
    found: dict[str, bool] = {}
    moving = sa.or_(effect.c.state.in_((EffectState.QUEUED, EffectState.SENDING)), effect.c.done_at >= since)
    refused = effect.c.state == EffectState.FAILED
    query = sa.select(effect.c.subject, effect.c.state).where(effect.c.kind == EffectKind.ACCOUNT)
    for batch in batches(accounts):
        for row in connection.execute(query.where(effect.c.subject.in_(batch), sa.or_(moving, refused))):
            found[row.subject] = found.get(row.subject, False) or row.state != EffectState.FAILED
    return found


def queue(connection: sa.Connection, practice: str, accounts: Mapping[str, str], now: datetime) -> None:
    """Has these accounts (e-mail address by id) put into the portal again, as they are when it happens."""
    waiting: set[str] = set()
    due = (effect.c.kind == EffectKind.ACCOUNT, effect.c.state == EffectState.QUEUED, effect.c.attempts == 0)
    for batch in batches(sorted(accounts)):
        waiting.update(connection.scalars(sa.select(effect.c.subject).where(effect.c.subject.in_(batch), *due)))
    rows = [
        {
            "id": new_id(),
            "practice": practice,
            "kind": str(EffectKind.ACCOUNT),
            "subject": account,
            "to": email,
            "state": str(EffectState.QUEUED),
            "attempts": 0,
            "next_at": now,
            "created_at": now,
        }
        for account, email in accounts.items()
        if account not in waiting
    ]
    insert_all(connection, effect, rows)
