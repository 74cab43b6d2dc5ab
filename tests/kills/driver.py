"""Workers that deliver mail and are killed at random moments: started as a program of its own, since it forks.

Arguments: the database, the mail server's port, how many kills, a seed. Prints how many workers were killed at work.
"""

import os
import random
import signal
import sys
import time
from contextlib import suppress
from datetime import UTC, datetime
from email.message import EmailMessage
from zoneinfo import ZoneInfo

from adapter.errors import AdapterError
from adapter.jobs.deliver import deliver
from adapter.jobs.letters import PracticeMail
from adapter.mail import Handed
from adapter.mail.smtp import SmtpMailer
from adapter.store.engine import make_engine

KEY = bytes(range(32))
PRACTICE = PracticeMail(
    id="main-street",
    name="Main Street Pediatrics",
    language="en",
    zone=ZoneInfo("America/New_York"),
    mail_from="no-reply@portal.example",
    phone="",
    registration_url="https://portal.example/register",
    link_hours=48,
)
WORKERS, CONNECTIONS = 2, 2
LONGEST = 0.25
"""Seconds that the workers live at most after one of them has begun to hand a mail over."""


class Telling(SmtpMailer):
    """Says when it begins to hand its first mail over."""

    begun = -1

    def send(self, message: EmailMessage) -> Handed:
        if self.begun >= 0:
            os.write(self.begun, b"x")
            self.begun = -1
        return super().send(message)


def work(url: str, port: int, begun: int) -> None:
    """One worker: delivers until it is killed or nothing is due."""
    engine = make_engine(url)
    mailer = Telling("127.0.0.1", port, security="none", timeout=5, connections=CONNECTIONS)
    mailer.begun = begun
    with suppress(AdapterError):
        deliver(
            engine,
            portals={},
            mailer=mailer,
            practices={PRACTICE.id: PRACTICE},
            key=KEY,
            now=lambda: datetime.now(UTC),
        )


def start(url: str, port: int, begun: int) -> int:
    """A worker's process id."""
    pid = os.fork()
    if pid == 0:
        code = 1
        with suppress(BaseException):
            work(url, port, begun)
            code = 0
        os._exit(code)
    return pid


def main() -> None:
    url, port, kills, seed = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
    chance = random.Random(seed)
    killed = 0
    while killed < kills:
        heard, begun = os.pipe()
        workers = [start(url, port, begun) for _ in range(WORKERS)]
        os.close(begun)
        os.read(heard, 1)  # nothing comes when both have ended
        time.sleep(chance.random() * LONGEST)
        for pid in workers:
            os.kill(pid, signal.SIGKILL)
        ended = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in workers]
        os.close(heard)
        killed += ended.count(-signal.SIGKILL)
        if set(ended) == {0}:
            break  # nothing is left to deliver
    sys.stdout.write(f"{killed}\n")


if __name__ == "__main__":
    main()
