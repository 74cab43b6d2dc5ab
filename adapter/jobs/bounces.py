"""Believing what comes back: a Welcome that bounced has failed, its address gets no more mail, and staff are told."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime

import msgspec
import sqlalchemy as sa

from adapter.core.audit import AuditEntry
from adapter.core.bounce import WHY, Bounce, BounceKind
from adapter.errors import AdapterError
from adapter.jobs.answers import about_welcome, welcome_scope
from adapter.mail.bounces import BounceBox
from adapter.store import audit, findings, suppressed
from adapter.store.engine import begin
from adapter.store.suppressed import About
from adapter.store.turns import take_turn

ACTOR = "mail-server"
EVERY = 60.0
"""Seconds between two looks into the mailbox, however many practices deliver."""


def receive(engine: sa.Engine, bounces: Sequence[Bounce], *, now: datetime) -> Counter[str]:
    """Keeps what these reports say; counts by what was done: ``suppressed``, ``known``, ``soft``, ``stranger``.

    A report is believed when it fits a Welcome that was handed over: whoever can write to the mailbox cannot stop the
    mail of others. Somebody who has registered reads their mail, whatever comes back.
    """
    done: Counter[str] = Counter()
    for bounce in bounces:
        if bounce.kind is BounceKind.SOFT:
            done["soft"] += 1
            continue
        with begin(engine) as connection:
            about = suppressed.find(connection, bounce, now)
            if about is None or about.registered:
                done["stranger"] += 1
                continue
            take_turn(connection, about.practice)
            done["suppressed" if _believe(connection, bounce, about, now) else "known"] += 1
    return done


def _believe(connection: sa.Connection, bounce: Bounce, about: About, now: datetime) -> bool:
    code = WHY[bounce.kind]
    status = f" ({bounce.status})" if bounce.status else ""
    error = {
        BounceKind.HARD: f"The mail came back: the address does not take mail{status}.",
        BounceKind.COMPLAINT: "The reader reported the mail as unwanted.",
    }[bounce.kind]
    if not suppressed.mark_bounced(connection, about.effect_id, error=error, now=now):
        return False
    suppressed.suppress(connection, about.practice, about.email_key, reason=code, now=now)
    entry = AuditEntry(
        action="welcome-failed",
        account=about.account_id,
        reason=code,
        source=f"welcome/{about.welcome_id}",
        detail=msgspec.json.encode({"status": bounce.status} if bounce.status else {}).decode(),
        actor=ACTOR,
    )
    audit.append(connection, about.practice, [entry], now)
    found = [about_welcome(code, about.account_id, about.email_key)]
    findings.settle(connection, about.practice, [welcome_scope(about.account_id)], found, now)
    return True


class Collector:
    """Looks into the mailbox once a minute at most, whoever asks; several threads may."""

    def __init__(self, box: BounceBox | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._box, self._clock = box, clock
        self._last = -EVERY
        self._lock = threading.Lock()

    def collect(self, engine: sa.Engine, now: Callable[[], datetime]) -> str:
        """Keeps every new report. Returns what went wrong; empty when nothing did."""
        with self._lock:
            if self._box is None or self._clock() - self._last < EVERY:
                return ""
            self._last = self._clock()
            try:
                self._box.collect(lambda bounces: _keep(engine, bounces, now()))
            except AdapterError as error:
                return str(error)
        return ""


def _keep(engine: sa.Engine, bounces: Sequence[Bounce], now: datetime) -> None:
    receive(engine, bounces, now=now)
