"""A worker, a process of its own, stands still past its lease: nobody sends its mails, and its word still counts."""

import multiprocessing
import os
import signal
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from adapter.jobs.deliver import deliver
from adapter.mail.smtp import SmtpMailer
from adapter.store import tables as t
from adapter.store.engine import begin, make_engine
from adapter.store.outbox import LEASE
from tests.edges.mail.hostile import hostile
from tests.kills.driver import CONNECTIONS, KEY, PRACTICE, work
from tests.kills.trial import prepare

MAILS = 12
PATIENCE = 60.0


def test_a_worker_that_stood_still_past_its_lease_is_believed_and_no_mail_leaves_twice(store_url: str) -> None:
    engine = make_engine(store_url)
    prepare(engine, MAILS)
    asked, go_on = threading.Semaphore(0), threading.Event()

    def waits() -> str:
        asked.release()
        assert go_on.wait(PATIENCE)
        return "250 queued"

    with hostile() as server:
        server.answers = {"dot": waits}
        with _worker(store_url, server.port) as worker:
            for _ in range(CONNECTIONS):  # each of its connections waits for the word on a message
                assert asked.acquire(timeout=PATIENCE)
            os.kill(worker.pid or 0, signal.SIGSTOP)
            go_on.set()
            _deliver(engine, server.port, datetime.now(UTC) + LEASE + timedelta(minutes=1))
            assert _states(engine) == {"sent": MAILS - CONNECTIONS, "unknown": CONNECTIONS}
            os.kill(worker.pid or 0, signal.SIGCONT)
            worker.join(PATIENCE)
            assert worker.exitcode == 0
        arrived = Counter(server.recipients)
    assert _states(engine) == {"sent": MAILS}
    assert set(arrived.values()) == {1} and len(arrived) == MAILS


@contextmanager
def _worker(url: str, port: int) -> Iterator[multiprocessing.process.BaseProcess]:
    worker = multiprocessing.get_context("spawn").Process(target=work, args=(url, port, -1))
    worker.start()
    try:
        yield worker
    finally:
        worker.kill()
        worker.join()


def _deliver(engine: sa.Engine, port: int, now: datetime) -> None:
    mailer = SmtpMailer("127.0.0.1", port, security="none", timeout=5, connections=CONNECTIONS)
    deliver(engine, portals={}, mailer=mailer, practices={PRACTICE.id: PRACTICE}, key=KEY, now=lambda: now)


def _states(engine: sa.Engine) -> dict[str, int]:
    with begin(engine) as connection:
        return dict(Counter(connection.scalars(sa.select(t.effect.c.state)).all()))
