"""Making a database safe that was put back from a backup: it does not know what has happened since.

Nobody may get a second Welcome email, a used link, or a chart that was taken away meanwhile. So no mail leaves by
itself, and the next sync reads and decides everything again. Where the database that is being replaced can still be
read (as the schema ``replaced``), what it knows counts: mail that has left, links that were used, access that was taken
away.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa

from adapter.core.audit import AuditEntry
from adapter.core.reasons import RESTORED
from adapter.core.state import EffectKind, EffectState, GrantState
from adapter.store import audit, decisions
from adapter.store import tables as t
from adapter.store.ids import new_id
from adapter.store.sql import batches, insert_all

UNKNOWN = "It waited when the backup was made: nobody knows whether it has left since."
_MAIL = (EffectKind.WELCOME, EffectKind.NOTICE)
_UNDER_WAY = '{"problems":["It was under way when the backup was made."]}'
_to_json = msgspec.json.Encoder().encode

# What the replaced database knows better. SQLite only: it alone has a second database at hand.
_CAUGHT_UP = (
    """UPDATE effect SET state = iif(r.state = 'sending', 'unknown', r.state), attempts = r.attempts, next_at = NULL,
              lease_owner = NULL, lease_until = NULL, last_error = r.last_error, done_at = r.done_at
         FROM replaced.effect r
        WHERE r.id = effect.id AND effect.kind IN ('welcome', 'notice')
          AND r.state IN ('sent', 'sending', 'unknown', 'failed', 'cancelled')""",
    """UPDATE welcome SET message_id = r.message_id, token_hash = r.token_hash, link_expires_at = r.link_expires_at,
              link_closed_at = r.link_closed_at
         FROM replaced.welcome r WHERE r.id = welcome.id""",
    """UPDATE account SET registered_at = r.registered_at,
              status = iif(account.status IN ('pending', 'invited'), 'registered', account.status)
         FROM replaced.account r
        WHERE r.id = account.id AND r.email_key = account.email_key
          AND account.registered_at IS NULL AND r.registered_at IS NOT NULL""",
)
_TAKEN_AWAY = """
    SELECT a.practice, g.account_id, g.patient, g.source, g.access
      FROM "grant" g JOIN account a ON a.id = g.account_id
     WHERE g.state = 'active' AND NOT EXISTS (
           SELECT 1 FROM replaced."grant" r JOIN replaced.account b ON b.id = r.account_id
            WHERE r.account_id = g.account_id AND r.patient = g.patient AND r.state = 'active' AND r.access = g.access
              AND b.email_key = a.email_key AND b.status NOT IN ('suspended', 'closed'))"""
_DIFFERENT = """
    SELECT DISTINCT account_id FROM (
      SELECT * FROM (SELECT account_id, patient, state, access FROM "grant"
                     EXCEPT SELECT account_id, patient, state, access FROM replaced."grant")
      UNION ALL
      SELECT * FROM (SELECT account_id, patient, state, access FROM replaced."grant"
                     EXCEPT SELECT account_id, patient, state, access FROM "grant"))
     WHERE account_id IN (SELECT subject FROM effect WHERE kind = 'account')"""
_SENT_SINCE = """
    SELECT count(*) FROM replaced.effect r WHERE r.kind = 'welcome' AND r.state IN ('sent', 'sending', 'unknown')
       AND r.id NOT IN (SELECT id FROM effect)"""


@dataclass(slots=True)
class Settled:
    """What was done to make it safe."""

    held: int = 0
    """Welcome emails that wait for a release."""
    unknown: int = 0
    """Mail of which nobody knows whether it has left."""
    sent_since: int | None = None
    """Welcome emails of accounts that the backup does not know; None when that cannot be told."""
    suspended: int = 0
    """Charts that were open in the backup and are not any more."""
    links_closed: int = 0
    answers: int = 0
    """Humans' answers that opened something: somebody has to give them again."""
    practices: list[str] = field(default_factory=list)


def settle(connection: sa.Connection, *, replaced: bool, actor: str, source: str, now: datetime) -> Settled:
    """Makes it safe, in the caller's transaction, and writes down that it was put back."""
    done = Settled(practices=list(connection.scalars(sa.select(t.practice.c.id).order_by(t.practice.c.id))))
    entries: dict[str, list[AuditEntry]] = {practice: [] for practice in done.practices}
    if replaced:
        for statement in _CAUGHT_UP:
            connection.exec_driver_sql(statement)
        done.sent_since = connection.exec_driver_sql(_SENT_SINCE).scalar_one()
        for row in connection.exec_driver_sql(_TAKEN_AWAY).mappings().all():
            entries.setdefault(row["practice"], []).append(_suspend(connection, row, actor, now))
            done.suspended += 1
    else:
        sent = sa.and_(t.welcome.c.token_hash.is_not(None), t.welcome.c.link_closed_at.is_(None))
        done.links_closed = connection.execute(sa.update(t.welcome).where(sent).values(link_closed_at=now)).rowcount
    done.held, done.unknown = _hold_mail(connection)
    _interrupt(connection, now)
    if replaced:
        _tell_portal(connection, now)
    for practice, changes in entries.items():
        detail = {"held": done.held, "unknown": done.unknown, "links_closed": done.links_closed}
        put_back = AuditEntry(
            action="restore", reason=RESTORED, source=source, actor=actor, detail=_to_json(detail).decode()
        )
        audit.append(connection, practice, [put_back, *changes], now)
        done.answers += decisions.distrust(connection, practice, now, actor=actor)
    return done


def _suspend(connection: sa.Connection, row: Any, actor: str, now: datetime) -> AuditEntry:
    here = sa.and_(t.grant.c.account_id == row["account_id"], t.grant.c.patient == row["patient"])
    values = {"state": GrantState.SUSPENDED, "reason": RESTORED, "since": now}
    connection.execute(sa.update(t.grant).where(here).values(**values))
    states = {"before": {"state": "active", "access": row["access"]}, "after": {"state": "suspended"}}
    return AuditEntry(
        action="suspend-grant",
        account=row["account_id"],
        patient=row["patient"],
        reason=RESTORED,
        source=row["source"],
        detail=_to_json(states).decode(),
        actor=actor,
    )


def _hold_mail(connection: sa.Connection) -> tuple[int, int]:
    """Welcome emails wait for a human; other mail, and what was being sent, becomes ``unknown``."""
    effect = t.effect
    latest = sa.select(sa.func.max(t.run.c.id)).where(t.run.c.practice == effect.c.practice).scalar_subquery()
    waits = sa.and_(effect.c.kind == EffectKind.WELCOME, effect.c.state == EffectState.QUEUED)
    # A release lets go what was held by a run; a Welcome that somebody asked for belongs to none.
    held = {"state": EffectState.HELD, "run": sa.func.coalesce(effect.c.run, latest)}
    connection.execute(sa.update(effect).where(waits).values(**held))
    doubtful = sa.and_(effect.c.kind.in_(_MAIL), effect.c.state.in_((EffectState.QUEUED, EffectState.SENDING)))
    unknown = {"state": EffectState.UNKNOWN, "next_at": None, "lease_owner": None, "lease_until": None}
    connection.execute(sa.update(effect).where(doubtful).values(**unknown, last_error=UNKNOWN))
    return _count(connection, EffectState.HELD), _count(connection, EffectState.UNKNOWN)


def _count(connection: sa.Connection, state: EffectState) -> int:
    mine = sa.and_(t.effect.c.kind.in_(_MAIL), t.effect.c.state == state)
    return connection.scalar(sa.select(sa.func.count()).select_from(t.effect).where(mine)) or 0


def _interrupt(connection: sa.Connection, now: datetime) -> None:
    """What was under way is not; the next sync reads and decides everything, and holds new Welcome emails."""
    again = sa.and_(t.effect.c.kind.in_((EffectKind.ACCOUNT, EffectKind.WIDGET)), t.effect.c.state == "sending")
    queued = {"state": EffectState.QUEUED, "next_at": now, "lease_owner": None, "lease_until": None}
    connection.execute(sa.update(t.effect).where(again).values(**queued))
    ended = {"status": "failed", "finished_at": now, "report": _UNDER_WAY}
    connection.execute(sa.update(t.run).where(t.run.c.status == "running").values(**ended))
    connection.execute(sa.update(t.practice).values(released_at=None, rules_hash=None))
    connection.execute(sa.delete(t.lease))
    connection.execute(sa.delete(t.session))  # whoever was signed in then may have been removed since
    connection.execute(sa.delete(t.vendor_token))
    alive = t.api_token.c.revoked_at.is_(None)  # one that was revoked since the backup must not open anything again
    connection.execute(sa.update(t.api_token).where(alive).values(revoked_at=now))


def _tell_portal(connection: sa.Connection, now: datetime) -> None:
    """The portal has what the replaced database said; it is told of every account that differs."""
    ids = list(connection.exec_driver_sql(_DIFFERENT).scalars())
    columns = (t.account.c.id, t.account.c.practice, t.account.c.email_key)
    accounts = [
        row
        for batch in batches(ids)
        for row in connection.execute(sa.select(*columns).where(t.account.c.id.in_(batch))).mappings()
    ]
    rows = [
        {
            "id": new_id(),
            "practice": row["practice"],
            "kind": str(EffectKind.ACCOUNT),
            "subject": row["id"],
            "to": row["email_key"],
            "state": str(EffectState.QUEUED),
            "attempts": 0,
            "next_at": now,
            "created_at": now,
        }
        for row in accounts
    ]
    insert_all(connection, t.effect, rows)
