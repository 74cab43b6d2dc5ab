"""The outbox: every effect that must happen outside, claimed once, retried with patience, never lost or hidden.

An effect is claimed by a guarded UPDATE that sets ``sending`` and a lease; only the owner of that lease is heard when
it writes the answer back. Putting an account or a home page into the portal is safe to repeat, so an expired lease
makes it due again. A mail is not: when its lease expires while ``sending``, nobody knows whether it left, and it
becomes ``unknown`` until a human says so.
"""

from collections.abc import Collection, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple

import sqlalchemy as sa

from adapter.core.state import EffectKind, EffectState, GrantState
from adapter.store.tables import effect, grant, patient, welcome

MAIL = (EffectKind.WELCOME, EffectKind.NOTICE)
REPEATABLE = (EffectKind.ACCOUNT, EffectKind.WIDGET)
LEASE = timedelta(minutes=15)
"""Longer than any one delivery takes: an SMTP conversation has at most ten steps of a minute."""
LONGEST_REST = timedelta(hours=1)
INTERRUPTED = "The worker stopped while the mail was being handed over: nobody knows whether it left."
_UNSETTLED = (EffectState.QUEUED, EffectState.SENDING, EffectState.FAILED, EffectState.UNKNOWN, EffectState.HELD)


class Patience(NamedTuple):
    """Waits between attempts: doubling from ``first`` up to ``longest``; ``attempts`` of them, None for ever."""

    first: timedelta
    longest: timedelta
    attempts: int | None


PATIENCE: dict[EffectKind, Patience] = {
    # A revocation must reach the portal within the hour, so the portal is asked often and never given up on.
    EffectKind.ACCOUNT: Patience(timedelta(seconds=30), timedelta(minutes=15), None),
    EffectKind.WIDGET: Patience(timedelta(seconds=30), timedelta(minutes=15), None),
    # A day: the practice should hear of a mailbox that takes nothing while the parent still waits.
    EffectKind.WELCOME: Patience(timedelta(minutes=1), timedelta(hours=2), 19),
    EffectKind.NOTICE: Patience(timedelta(minutes=1), timedelta(hours=2), 19),
}


class Claimed(NamedTuple):
    """An effect that is ours until its lease ends. ``attempts`` counts this one."""

    id: str
    subject: str
    to: str
    attempts: int
    run: int | None


def backoff(kind: EffectKind, attempts: int) -> timedelta | None:
    """How long to wait after this many attempts have failed; None when it is time to give up."""
    patience = PATIENCE[kind]
    if patience.attempts is not None and attempts >= patience.attempts:
        return None
    doubled: int = 2 ** min(attempts - 1, 20)
    return min(patience.first * doubled, patience.longest)


def recover(connection: sa.Connection, *, now: datetime) -> None:
    """Makes due again what a stopped worker left behind of what is safe to repeat; for mail see ``store.post``."""
    expired = sa.and_(effect.c.state == EffectState.SENDING, effect.c.lease_until <= now)
    connection.execute(
        sa.update(effect)
        .where(expired, effect.c.kind.in_(REPEATABLE))
        .values(state=EffectState.QUEUED, next_at=now, lease_owner=None, lease_until=None)
    )


def due(
    connection: sa.Connection, *, practice: str, kind: EffectKind, now: datetime, limit: int, today: date | None = None
) -> list[str]:
    """Ids of effects that may be claimed now, longest due first.

    Mail waits while anything about its account is not in the portal yet: nobody gets a link to an account the
    portal does not know. An account waits while another delivery of the same account is under way, so that an older
    state cannot overtake a newer one; one that was never tried is due whatever the clock says.

    A Welcome waits while every chart it would open is due to be decided again, by a birthday or the end of a period or
    of somebody's answer: ``today`` is the day in the practice's time zone (UTC's if None).
    """
    other = effect.alias("other")
    rows: sa.FromClause = effect
    untried = effect.c.attempts == 0 if kind is EffectKind.ACCOUNT else sa.false()
    query = sa.select(effect.c.id).where(
        effect.c.practice == practice,
        effect.c.kind == kind,
        effect.c.state == EffectState.QUEUED,
        sa.or_(effect.c.next_at <= now, untried),
    )
    if kind is EffectKind.WELCOME:
        rows = effect.join(welcome, welcome.c.id == effect.c.subject)
        query = query.where(sa.or_(_opens(today or now.date(), now), ~_opens()))
    if kind is not EffectKind.WIDGET:
        account = welcome.c.account_id if kind is EffectKind.WELCOME else effect.c.subject
        blocking = (EffectState.SENDING,) if kind is EffectKind.ACCOUNT else _UNSETTLED
        open_account = (other.c.kind == EffectKind.ACCOUNT) & (other.c.subject == account) & other.c.state.in_(blocking)
        query = query.where(~sa.exists(sa.select(sa.literal(1)).select_from(other).where(open_account)))
    ordered = query.select_from(rows).order_by(effect.c.next_at).limit(limit)
    return list(connection.scalars(ordered.with_for_update(skip_locked=True, of=effect)).all())


def _opens(today: date | None = None, now: datetime | None = None) -> sa.Exists:
    """Whether the account of ``welcome`` may open a chart; with ``today`` and ``now``, one not to be decided again."""
    active = (grant.c.account_id == welcome.c.account_id) & (grant.c.state == GrantState.ACTIVE)
    if today is None:
        return sa.exists().where(active)
    chart = (patient.c.practice == welcome.c.practice) & (patient.c.ref == grant.c.patient)
    lasts = grant.c.until.is_(None) | (grant.c.until > now)
    return sa.exists().where(active, lasts, ~sa.exists().where(chart, patient.c.review_on <= today))


_CLAIM = (  # made once: making a statement costs as much of the processor's time as running it
    sa.update(effect)
    .where(effect.c.id.in_(sa.bindparam("ids", expanding=True)), effect.c.state == EffectState.QUEUED)
    .values(
        state=EffectState.SENDING,
        lease_owner=sa.bindparam("owner"),
        lease_until=sa.bindparam("until"),
        attempts=effect.c.attempts + 1,
    )
    .returning(effect.c.id, effect.c.subject, effect.c.to, effect.c.attempts, effect.c.run)
)


def claim(connection: sa.Connection, ids: Sequence[str], *, owner: str, now: datetime) -> list[Claimed]:
    """Takes these effects for ``owner``; returns those that were still there to take."""
    values = {"ids": list(ids), "owner": owner, "until": now + LEASE}
    return [Claimed._make(row) for row in connection.execute(_CLAIM, values).all()] if ids else []


def complete(connection: sa.Connection, ids: Sequence[str], *, owner: str, now: datetime) -> int:
    """These effects have happened. Returns how many were still ours to say so."""
    values = {"state": EffectState.SENT, "done_at": now, "next_at": None, "last_error": None}
    return _settle(connection, ids, owner, values)


def retry(
    connection: sa.Connection,
    kind: EffectKind,
    claimed: Sequence[Claimed],
    *,
    owner: str,
    now: datetime,
    error: str,
    at_least: timedelta = timedelta(),
) -> EffectState:
    """Try these again later, or give up on those that had their chances. ``error`` must be free of PHI.

    ``at_least`` is how long the other side asks to be left alone; an hour at most is kept.

    Returns the state the last of them went to: queued or failed.
    """
    state = EffectState.QUEUED
    by_attempts: dict[int, list[str]] = {}
    for one in claimed:
        by_attempts.setdefault(one.attempts, []).append(one.id)
    for attempts, ids in by_attempts.items():
        wait = backoff(kind, attempts)
        if wait is None:
            state = fail(connection, ids, owner=owner, now=now, error=error)
            continue
        state = EffectState.QUEUED
        values = {
            "state": state,
            "next_at": now + max(wait, min(at_least, LONGEST_REST)),
            "lease_owner": None,
            "last_error": error,
        }
        _settle(connection, ids, owner, values)
    return state


def fail(connection: sa.Connection, ids: Sequence[str], *, owner: str, now: datetime, error: str) -> EffectState:
    """Refused for good: doing the same again cannot succeed."""
    values = {"state": EffectState.FAILED, "done_at": now, "next_at": None, "last_error": error}
    _settle(connection, ids, owner, values)
    return EffectState.FAILED


def leave_unknown(
    connection: sa.Connection, ids: Sequence[str], *, owner: str, now: datetime, error: str
) -> EffectState:
    """The line dropped when the mail may already have been accepted. ``done_at`` says when that was."""
    values = {"state": EffectState.UNKNOWN, "done_at": now, "next_at": None, "last_error": error}
    _settle(connection, ids, owner, values)
    return EffectState.UNKNOWN


def drop(connection: sa.Connection, ids: Sequence[str], *, owner: str, now: datetime, reason: str) -> EffectState:
    """Claimed, but no longer wanted: ``reason`` is a code."""
    values = {"state": EffectState.CANCELLED, "done_at": now, "next_at": None, "last_error": reason}
    _settle(connection, ids, owner, values)
    return EffectState.CANCELLED


def _settle(connection: sa.Connection, ids: Sequence[str], owner: str, values: dict[str, Any]) -> int:
    """Writes an answer, fenced: only the owner of the lease is heard."""
    ours = (
        effect.c.id.in_(ids),
        effect.c.lease_owner == owner,
        effect.c.state.in_((EffectState.SENDING, EffectState.UNKNOWN)),
    )
    return connection.execute(sa.update(effect).where(*ours).values(lease_until=None, **values)).rowcount if ids else 0


def redo(connection: sa.Connection, ids: Sequence[str], *, owner: str, now: datetime) -> None:
    """Our lease ended while we were at work and somebody else took over: what we did may have come last.

    The effects are due once more, so that the current state is what stays. Only for what is safe to repeat.
    """
    taken = (effect.c.id.in_(ids), effect.c.lease_owner.is_distinct_from(owner))
    again = {"state": EffectState.QUEUED, "next_at": now, "lease_owner": None, "lease_until": None, "done_at": None}
    connection.execute(sa.update(effect).where(*taken).values(**again))


def requeue(connection: sa.Connection, ids: Sequence[str], *, now: datetime) -> int:
    """Due again, from the first attempt: a human's answer to ``failed`` and ``unknown``. Returns how many were."""
    stopped = effect.c.state.in_((EffectState.FAILED, EffectState.UNKNOWN))
    again = sa.update(effect).where(effect.c.id.in_(ids), stopped)
    fresh = {"state": EffectState.QUEUED, "attempts": 0, "next_at": now, "done_at": None, "lease_owner": None}
    return connection.execute(again.values(**fresh)).rowcount


def release(connection: sa.Connection, *, practice: str, run: int | None = None, now: datetime) -> int:
    """Lets a practice's held effects go, all of them or those of one run. Returns how many."""
    held = [effect.c.practice == practice, effect.c.state == EffectState.HELD]
    if run is not None:
        held.append(effect.c.run == run)
    return connection.execute(sa.update(effect).where(*held).values(state=EffectState.QUEUED, next_at=now)).rowcount


def cancel(connection: sa.Connection, ids: Sequence[str], *, reason: str, now: datetime) -> int:
    """Takes back effects that nobody has started on; ``reason`` is a code. Returns how many."""
    waiting = effect.c.state.in_((EffectState.QUEUED, EffectState.HELD))
    values = {"state": EffectState.CANCELLED, "done_at": now, "next_at": None, "last_error": reason}
    return connection.execute(sa.update(effect).where(effect.c.id.in_(ids), waiting).values(**values)).rowcount


def listing(
    connection: sa.Connection,
    *,
    practice: str | None = None,
    states: Collection[EffectState] | None = None,
    limit: int | None = None,
    after: str | None = None,
) -> list[dict[str, Any]]:
    """The outbox for people and programs, oldest first: the shape of ``adapter outbox --json``. Times are UTC.

    ``after`` gives a page: those whose id, which grows with time, comes after it.
    """
    names = ("id", "practice", "kind", "to", "state", "attempts", "next_at", "last_error", "created_at")
    query = sa.select(*(effect.c[name] for name in names)).order_by(effect.c.created_at, effect.c.id).limit(limit)
    if practice is not None:
        query = query.where(effect.c.practice == practice)
    if states is not None:
        query = query.where(effect.c.state.in_(states))
    if after is not None:
        query = query.where(effect.c.id > after).order_by(None).order_by(effect.c.id)
    rows = (row._asdict() for row in connection.execute(query))
    return [row | {"next_at": _iso(row["next_at"]), "created_at": _iso(row["created_at"])} for row in rows]


def _iso(at: datetime | None) -> str | None:
    return None if at is None else at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
