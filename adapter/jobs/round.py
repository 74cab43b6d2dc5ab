"""One round of delivery: whose leases it holds, how much it may still do, and what came of it."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from secrets import token_hex

import sqlalchemy as sa

from adapter.core.state import EffectKind, EffectState
from adapter.store import outbox
from adapter.store.outbox import Claimed
from adapter.store.turns import turn

ACTOR = "delivery"


@dataclass
class DeliveryReport:
    """How many effects of each kind came to which state, and why something is not delivered, without PHI."""

    counts: dict[str, Counter[str]] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def add(self, kind: EffectKind, result: EffectState, number: int = 1) -> None:
        self.counts.setdefault(str(kind), Counter())[str(result)] += number

    def note(self, problem: str) -> None:
        """Keeps a problem once, however often it occurs."""
        if problem not in self.problems:
            self.problems.append(problem)


@dataclass
class Round:
    """What the steps of one ``deliver`` share. ``remaining`` is None when there is no limit."""

    engine: sa.Engine
    now: Callable[[], datetime]
    remaining: int | None = None
    report: DeliveryReport = field(default_factory=DeliveryReport)
    owner: str = field(default_factory=lambda: token_hex(8))

    def allowed(self, number: int) -> int:
        """``number``, or what is left of the limit."""
        return number if self.remaining is None else min(number, self.remaining)

    def claim(self, practice: str, kind: EffectKind, number: int) -> list[Claimed]:
        """Takes up to ``number`` effects that are due, in one transaction."""
        with turn(self.engine, practice) as connection:
            ids = outbox.due(connection, practice=practice, kind=kind, now=self.now(), limit=self.allowed(number))
            claimed = outbox.claim(connection, ids, owner=self.owner, now=self.now())
        self.spend(len(claimed))
        return claimed

    def spend(self, number: int) -> None:
        if self.remaining is not None:
            self.remaining -= number

    def put_off(
        self,
        connection: sa.Connection,
        kind: EffectKind,
        claimed: list[Claimed],
        error: str,
        *,
        at_least: timedelta = timedelta(),
    ) -> EffectState:
        """Tries these again later, not sooner than the other side asks for, or gives up on them."""
        now = self.now()
        state = outbox.retry(connection, kind, claimed, owner=self.owner, now=now, error=error, at_least=at_least)
        self.report.add(kind, state, len(claimed))
        self.report.note(error)
        return state
