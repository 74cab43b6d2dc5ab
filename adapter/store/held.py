"""Plans that a brake holds: kept account by account until released, superseded or expired."""

import hashlib
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa

from adapter.core.brakes import Brake
from adapter.core.plan import Action
from adapter.store import tables as t
from adapter.store.sql import batches, insert_all

STALE = "stale"
"""Closed because it is not as it was any more; the next run plans these addresses anew."""
SUPERSEDED = "superseded"
_encode = msgspec.json.Encoder().encode
_actions = msgspec.json.Decoder(list[Action]).decode
_basis = msgspec.json.Decoder(dict[str, str]).decode
_brakes = msgspec.json.Decoder(list[Brake]).decode


@dataclass(frozen=True, slots=True)
class HeldAccount:
    """What waits for one account, and the hashes of what it rests on."""

    account: str
    moves_to: str
    actions: list[Action]
    basis: dict[str, str]

    @property
    def keys(self) -> set[str]:
        """The addresses that it is about."""
        return {self.account, self.moves_to} - {""}


@dataclass(frozen=True, slots=True)
class HeldPlan:
    """What waits since one run. ``accounts`` are those that still do."""

    run: int
    practice: str
    brakes: list[Brake]
    cause: str
    hold_welcome: bool
    created_at: datetime
    expires_at: datetime
    closed_because: str | None
    approved_by: str | None
    approved_hash: str | None
    accounts: list[HeldAccount]

    @property
    def hash(self) -> str:
        """SHA-256 (hex) over every action that waits: what a release is bound to."""
        return hashlib.sha256(_encode([one.actions for one in self.accounts])).hexdigest()

    def by_brake(self) -> Counter[Brake]:
        """How many changes of each kind wait."""
        return Counter(brake for one in self.accounts for action in one.actions if (brake := action.brake))

    def counts(self) -> dict[str, int]:
        """How many actions of each kind wait."""
        found: dict[str, int] = {}
        for one in self.accounts:
            for action in one.actions:
                found[str(action.action)] = found.get(str(action.action), 0) + 1
        return dict(sorted(found.items()))


def save(connection: sa.Connection, plan: HeldPlan) -> None:
    """Keeps a plan."""
    values = {
        "run": plan.run,
        "practice": plan.practice,
        "brakes": _encode(plan.brakes).decode(),
        "cause": plan.cause,
        "hold_welcome": plan.hold_welcome,
        "created_at": plan.created_at,
        "expires_at": plan.expires_at,
    }
    connection.execute(sa.insert(t.held_plan).values(values))
    rows = [
        {
            "run": plan.run,
            "account": one.account,
            "practice": plan.practice,
            "moves_to": one.moves_to,
            "actions": _encode(one.actions).decode(),
            "basis": _encode(one.basis).decode(),
        }
        for one in plan.accounts
    ]
    insert_all(connection, t.held_account, rows)


def get(connection: sa.Connection, run: int) -> HeldPlan | None:
    """What the run held, or None when it held nothing."""
    return next(iter(_load(connection, t.held_plan.c.run == run)), None)


def waiting(connection: sa.Connection, practices: Sequence[str]) -> list[HeldPlan]:
    """Every plan that waits, the oldest first."""
    return _load(connection, sa.and_(t.held_plan.c.practice.in_(practices), t.held_plan.c.closed_at.is_(None)))


def run_that_holds(connection: sa.Connection, practice: str, key: str) -> int | None:
    """The run that holds something for this address."""
    mine = sa.or_(t.held_account.c.account == key, t.held_account.c.moves_to == key)
    open_ = sa.and_(t.held_account.c.practice == practice, t.held_account.c.closed_at.is_(None), mine)
    run: int | None = connection.scalar(sa.select(sa.func.max(t.held_account.c.run)).where(open_))
    return run


def with_moves(connection: sa.Connection, practice: str, keys: Collection[str]) -> set[str]:
    """Both addresses of every move that waits and is about one of these."""
    open_ = sa.and_(t.held_account.c.practice == practice, t.held_account.c.closed_at.is_(None))
    moves = sa.select(t.held_account.c.account, t.held_account.c.moves_to).where(open_, t.held_account.c.moves_to != "")
    return {key for row in connection.execute(moves) if not set(row).isdisjoint(keys) for key in row}


def any_waiting(connection: sa.Connection, practice: str) -> bool:
    """Whether the practice has anything that waits."""
    here = sa.and_(t.held_plan.c.practice == practice, t.held_plan.c.closed_at.is_(None))
    return connection.execute(sa.select(t.held_plan.c.run).where(here).limit(1)).first() is not None


def close_accounts(
    connection: sa.Connection, practice: str, keys: Collection[str], because: str, now: datetime
) -> list[int]:
    """Nothing waits for these addresses any more. A plan of which nothing is left ends; returns those that did."""
    open_ = sa.and_(t.held_account.c.practice == practice, t.held_account.c.closed_at.is_(None))
    values = {"closed_at": now, "closed_because": because}
    for column in (t.held_account.c.account, t.held_account.c.moves_to):
        for batch in batches(sorted(key for key in keys if key)):
            connection.execute(sa.update(t.held_account).where(open_, column.in_(batch)).values(values))
    left = sa.select(t.held_account.c.run).where(open_)
    ended = sa.and_(
        t.held_plan.c.practice == practice, t.held_plan.c.closed_at.is_(None), t.held_plan.c.run.not_in(left)
    )
    runs = list(connection.scalars(sa.select(t.held_plan.c.run).where(ended)))
    if runs:
        connection.execute(sa.update(t.held_plan).where(t.held_plan.c.run.in_(runs)).values(values))
    return runs


def take_stale(connection: sa.Connection, practice: str) -> set[str]:
    """The addresses that have to be planned anew because a release found them stale. They are named once."""
    stale = sa.and_(t.held_account.c.practice == practice, t.held_account.c.closed_because == STALE)
    rows = connection.execute(sa.select(t.held_account.c.account, t.held_account.c.moves_to).where(stale)).all()
    if rows:
        connection.execute(sa.update(t.held_account).where(stale).values(closed_because=SUPERSEDED))
    return {key for row in rows for key in row if key}


def expired(connection: sa.Connection, practice: str, now: datetime) -> list[HeldPlan]:
    """Plans that can no longer be released."""
    late = sa.and_(t.held_plan.c.practice == practice, t.held_plan.c.closed_at.is_(None))
    return _load(connection, sa.and_(late, t.held_plan.c.expires_at <= now))


def approve(connection: sa.Connection, run: int, actor: str, hash_: str) -> None:
    """Notes the first of two who release."""
    here = t.held_plan.c.run == run
    connection.execute(sa.update(t.held_plan).where(here).values(approved_by=actor, approved_hash=hash_))


def _load(connection: sa.Connection, where: sa.ColumnElement[bool]) -> list[HeldPlan]:
    rows = connection.execute(sa.select(t.held_plan).where(where).order_by(t.held_plan.c.run)).mappings().all()
    accounts: dict[int, list[HeldAccount]] = {row["run"]: [] for row in rows}
    for batch in batches(sorted(accounts)):
        here = sa.and_(t.held_account.c.run.in_(batch), t.held_account.c.closed_at.is_(None))
        for row in connection.execute(sa.select(t.held_account).where(here).order_by(t.held_account.c.account)):
            one = HeldAccount(row.account, row.moves_to, _actions(row.actions), _basis(row.basis))
            accounts[row.run].append(one)
    return [_plan(dict(row), accounts[row["run"]]) for row in rows]


def _plan(row: dict[str, Any], accounts: list[HeldAccount]) -> HeldPlan:
    names = ("run", "practice", "cause", "hold_welcome", "created_at", "expires_at", "closed_because")
    approved = {name: row[name] for name in ("approved_by", "approved_hash")}
    known = {name: row[name] for name in names}
    return HeldPlan(**known, **approved, brakes=_brakes(row["brakes"]), accounts=accounts)
