"""How fast mail leaves, beside a plain loop over smtplib: one run, one sink, the same mails.

The loop makes each message and sends it on one connection, and keeps nothing. The adapter claims each Welcome in the
database, decides again, opens its link, makes the message, sends it, and writes down what became of it. To run it:
``python -m benchmarks.mail``, or with another number of mails behind it.
"""

import smtplib
import sys
import tempfile
import time
from contextlib import closing
from datetime import UTC, datetime

from adapter.core.welcome import link_token, message_id, registration_link
from adapter.jobs.deliver import deliver
from adapter.mail.render import Reader, welcome_message
from adapter.mail.smtp import SmtpMailer
from adapter.store.engine import make_engine
from adapter.store.migrations import migrate
from benchmarks.mail_sink import sink
from tests.kills.driver import KEY, PRACTICE
from tests.kills.trial import prepare

MAILS = 5000


def loop(port: int, mails: int) -> float:
    """Seconds of a plain loop."""
    now, began = datetime.now(UTC), time.perf_counter()
    with closing(smtplib.SMTP("127.0.0.1", port)) as server:
        for number in range(mails):
            address = f"a{number:06}@mail.example"
            token = link_token(KEY, practice=PRACTICE.id, welcome_id=f"wa{number:06}")
            message = welcome_message(
                PRACTICE.letterhead,
                Reader(email=address, name="Ana", language="en"),
                username=address,
                link=registration_link(PRACTICE.registration_url, token),
                link_hours=48,
                message_id=message_id("welcome", f"wa{number:06}", PRACTICE.mail_from),
                now=now,
            )
            server.send_message(message)
        server.quit()
    return time.perf_counter() - began


def adapter(url: str, port: int, mails: int, connections: int) -> float:
    """Seconds of a delivery of as many Welcome emails."""
    engine = make_engine(url)
    migrate(engine)
    prepare(engine, mails)
    mailer = SmtpMailer("127.0.0.1", port, security="none", connections=connections)
    began = time.perf_counter()
    report = deliver(
        engine,
        portals={},
        mailer=mailer,
        practices={PRACTICE.id: PRACTICE},
        key=KEY,
        now=lambda: datetime.now(UTC),
    )
    taken = time.perf_counter() - began
    engine.dispose()
    assert report.counts["welcome"] == {"sent": mails}, report
    return taken


def main() -> None:
    mails = int(sys.argv[1]) if len(sys.argv) > 1 else MAILS
    with tempfile.TemporaryDirectory() as folder, sink() as port:
        plain = loop(port, mails)
        print(f"a loop over smtplib, one connection: {mails / plain:7.0f} mails/s")
        for connections in (1, 8):
            taken = adapter(f"sqlite:///{folder}/{connections}.db", port, mails, connections)
            speed = f"{mails / taken:7.0f} mails/s  {plain / taken:.2f} x the loop"
            print(f"the adapter, {connections} connections:          {speed}")


if __name__ == "__main__":
    main()
