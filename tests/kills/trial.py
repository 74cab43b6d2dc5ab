"""One trial: so many Welcome emails, so many kills, and then each mail compared with what the mail server took."""

import subprocess
import sys
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import sqlalchemy as sa

from adapter.core.state import EffectState
from adapter.jobs.deliver import deliver
from adapter.mail.smtp import SmtpMailer
from adapter.store import tables as t
from adapter.store.engine import begin, make_engine
from adapter.store.outbox import LEASE
from adapter.store.sql import insert_all
from tests.edges.mail.hostile import hostile
from tests.kills.driver import KEY, PRACTICE

ROOT = Path(__file__).parents[2]
THINKS = 0.002
"""Seconds that the mail server takes for a message, so that kills meet every step."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of it. ``twice``: mails that arrived more than once; ``lost``: called sent, and did not arrive."""

    mails: int
    kills: int
    sent: int
    unknown: int
    unknown_arrived: int
    twice: int
    lost: int
    unsettled: int


def trial(url: str, *, kills: int, mails: int, seed: int = 1) -> Outcome:
    """Runs it on an empty, migrated database."""
    engine = make_engine(url)
    prepare(engine, mails)
    engine.dispose()
    with hostile() as server:

        def thinks() -> str:
            time.sleep(THINKS)
            return "250 queued"

        server.answers = {"EHLO": "250-sink\r\n250 PIPELINING", "dot": thinks}
        command = [sys.executable, "-m", "tests.kills.driver", url, str(server.port), str(kills), str(seed)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        later = datetime.now(UTC) + LEASE + timedelta(minutes=1)
        mailer = SmtpMailer("127.0.0.1", server.port, security="none", timeout=5, connections=4)
        deliver(engine, portals={}, mailer=mailer, practices={PRACTICE.id: PRACTICE}, key=KEY, now=lambda: later)
        arrived = Counter(server.recipients)
    with begin(engine) as connection:
        rows = connection.execute(sa.select(t.effect.c.to, t.effect.c.state)).all()
    engine.dispose()
    states = {row.to: EffectState(row.state) for row in rows}
    unknown = [to for to, state in states.items() if state is EffectState.UNKNOWN]
    sent = [to for to, state in states.items() if state is EffectState.SENT]
    return Outcome(
        mails=len(states),
        kills=int(done.stdout),
        sent=len(sent),
        unknown=len(unknown),
        unknown_arrived=sum(arrived[to] for to in unknown),
        twice=sum(count > 1 for count in arrived.values()),
        lost=sum(arrived[to] == 0 for to in sent),
        unsettled=len(states) - len(sent) - len(unknown),
    )


def prepare(engine: sa.Engine, mails: int) -> None:
    """So many families, each with one Welcome email that is due."""
    now = datetime.now(UTC)
    here, names = PRACTICE.id, [f"a{number:06}" for number in range(mails)]
    mail = {name: f"{name}@mail.example" for name in names}
    account = {
        "practice": here,
        "name": "Ana",
        "language": "en",
        "status": "invited",
        "reason": "eligible",
        "since": now,
    }
    grant: dict[str, object] = {
        "contact": "RelatedPerson/1",
        "role": "mother",
        "authority": "joint",
        "access": "full",
        "state": "active",
    }
    grant |= {"reason": "eligible", "source": "", "is_self": False, "since": now}
    effect = {"practice": here, "kind": "welcome", "state": "queued", "attempts": 0, "next_at": now, "created_at": now}
    welcome = {"practice": here, "generation": 1, "reason": "eligible", "created_at": now}
    with begin(engine) as connection:
        with suppress(sa.exc.IntegrityError):
            connection.execute(sa.insert(t.practice).values(id=here))
        rows = [{"id": n, "email_key": mail[n], "email": mail[n]} | account for n in names]
        insert_all(connection, t.account, rows)
        insert_all(connection, t.grant, [{"account_id": n, "patient": f"Patient/{n}"} | grant for n in names])
        insert_all(connection, t.effect, [{"id": f"e{n}", "subject": f"w{n}", "to": mail[n]} | effect for n in names])
        rows = [{"id": f"w{n}", "account_id": n, "effect_id": f"e{n}", "email": mail[n]} | welcome for n in names]
        insert_all(connection, t.welcome, rows)
