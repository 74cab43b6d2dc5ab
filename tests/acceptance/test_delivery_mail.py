"""Refused, retried, unknown, resent: what becomes of a Welcome email at a real mail server."""

import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from email.message import EmailMessage

import pytest
import sqlalchemy as sa

from adapter.core.state import AccountStatus, EffectKind, EffectState
from adapter.jobs.register import look, register
from adapter.mail import Handed
from adapter.mail.smtp import SmtpMailer
from adapter.store import outbox
from adapter.store import tables as t
from adapter.store.engine import begin
from adapter.store.outbox import LEASE
from tests.acceptance.delivery import Outbound, ScriptedMailer
from tests.edges.effects import PRACTICE, add_account, add_effect, add_welcome, row_of, states
from tests.edges.mail.servers import Mailbox, smtp_server


@pytest.fixture
def mailbox() -> Mailbox:
    return Mailbox()


@pytest.fixture
def outbound(engine: sa.Engine, mailbox: Mailbox) -> Iterator[Outbound]:
    with smtp_server(mailbox) as server:
        yield Outbound(engine, SmtpMailer("127.0.0.1", server.port, security="none", timeout=5))


def listed(outbound: Outbound) -> list[tuple[str, int, str | None, str | None]]:
    with begin(outbound.engine) as connection:
        rows = outbox.listing(connection)
    return [(row["state"], row["attempts"], row["next_at"], row["last_error"]) for row in rows]


def test_a_greylisted_welcome_backs_off_visibly_and_then_arrives(outbound: Outbound, mailbox: Mailbox) -> None:
    add_account(outbound.engine, "a1")
    add_welcome(outbound.engine, "w1", "a1")
    mailbox.recipient = "451 4.7.1 a1@mail.example: greylisted"
    refusal = "The mail server refused the recipient's address (451 at RCPT TO)."
    assert outbound.deliver() == {"welcome": {"queued": 1}}
    assert listed(outbound) == [("queued", 1, "2026-03-02T09:01:00Z", refusal)]
    assert outbound.deliver() == {}
    outbound.later(minutes=1)
    assert outbound.deliver() == {"welcome": {"queued": 1}}
    assert listed(outbound) == [("queued", 2, "2026-03-02T09:03:00Z", refusal)]
    mailbox.recipient = "250 OK"
    outbound.later(minutes=2)
    assert outbound.deliver() == {"welcome": {"sent": 1}}
    assert listed(outbound) == [("sent", 3, None, None)]
    assert mailbox.recipients == [["a1@mail.example"]]
    assert outbound.findings() == []


def test_a_refused_address_is_not_tried_again_and_asks_for_a_correction(outbound: Outbound, mailbox: Mailbox) -> None:
    add_account(outbound.engine, "a1")
    add_account(outbound.engine, "a2")
    add_welcome(outbound.engine, "w1", "a1")
    mailbox.recipient = "550 5.1.1 no such user"
    assert outbound.deliver() == {"welcome": {"failed": 1}}
    assert outbound.findings() == ["welcome-bounced"]
    assert outbound.audit() == [("welcome-failed", "a1", "mail-refused")]
    assert row_of(outbound.engine, t.account, "a1")["status"] == AccountStatus.PENDING
    # Somebody corrects the mailbox and asks for another Welcome: the finding is answered.
    mailbox.recipient = "250 OK"
    add_welcome(outbound.engine, "w2", "a1", generation=2)
    assert outbound.deliver() == {"welcome": {"sent": 1}}
    assert outbound.findings() == []


def test_an_address_that_is_none_fails_without_asking_the_server(outbound: Outbound, mailbox: Mailbox) -> None:
    add_account(outbound.engine, "a1", email="a1@mail.example\r\nBcc: x@evil.example")
    add_welcome(outbound.engine, "w1", "a1", email="a1@mail.example\r\nBcc: x@evil.example")
    assert outbound.deliver() == {"welcome": {"failed": 1}}
    assert mailbox.messages == []
    assert outbound.findings() == ["welcome-bounced"]


def test_a_dropped_connection_is_unknown_until_a_human_sends_the_same_link_again(
    outbound: Outbound, mailbox: Mailbox
) -> None:
    add_account(outbound.engine, "a1")
    add_welcome(outbound.engine, "w1", "a1")
    mailbox.drop = True
    assert outbound.deliver() == {"welcome": {"unknown": 1}}
    assert outbound.findings() == ["welcome-unknown"]
    outbound.later(days=1)
    assert outbound.deliver() == {}
    # The parent may have got it: the link must work.
    assert row_of(outbound.engine, t.welcome, "w1")["token_hash"]
    mailbox.drop = False
    asked = look(outbound.engine, PRACTICE, "a1@mail.example", outbound.at)
    assert "sent again with the same link" in asked.became and not asked.problem
    register(outbound.engine, PRACTICE, "a1@mail.example", actor="person:anna", now=outbound.at)
    assert outbound.deliver() == {"welcome": {"sent": 1}}
    first, second = (message.split(b"\r\n\r\n", 1) for message in mailbox.messages)
    assert first[1] == second[1]
    assert outbound.findings() == []


def test_sending_is_committed_before_the_mail_leaves_so_that_a_crash_is_an_unknown_and_not_a_second_mail(
    outbound: Outbound,
) -> None:
    add_account(outbound.engine, "a1")
    add_welcome(outbound.engine, "w1", "a1")
    seen: list[str] = []

    def killed() -> None:
        seen.append(states(outbound.engine)["w1-mail"])
        raise KeyboardInterrupt

    mailer = ScriptedMailer(during=killed)
    outbound.mailer = mailer
    with pytest.raises(KeyboardInterrupt):
        outbound.deliver()
    assert seen == [EffectState.SENDING]
    mailer.during = None
    outbound.at += LEASE
    assert outbound.deliver() == {"welcome": {"unknown": 1}}
    assert outbound.findings() == ["welcome-unknown"]
    assert outbound.audit() == [("welcome-unknown", "a1", "worker-stopped")]
    assert states(outbound.engine) == {"w1-mail": EffectState.UNKNOWN}
    assert len(mailer.messages) == 1


def test_a_mail_of_which_nobody_knows_is_sent_again_by_policy_twice_and_then_only_by_a_human(
    outbound: Outbound, mailbox: Mailbox
) -> None:
    add_account(outbound.engine, "a1")
    add_welcome(outbound.engine, "w1", "a1")
    mailbox.drop = True
    outbound.practice = replace(outbound.practice, resend_unknown_hours=6)
    for _ in range(3):
        assert outbound.deliver() == {"welcome": {"unknown": 1}}
        outbound.later(hours=5)
        assert outbound.deliver() == {}
        outbound.later(hours=1)
    assert outbound.deliver() == {}
    # The link is the same in all of them: three mails have one effect.
    assert len({message.split(b"\r\n\r\n", 1)[1] for message in mailbox.messages}) == 1
    assert outbound.findings() == ["welcome-unknown"]


def test_a_practice_sends_so_many_mails_a_minute_and_the_rest_in_the_next(outbound: Outbound, mailbox: Mailbox) -> None:
    outbound.practice = replace(outbound.practice, per_minute=3)
    with begin(outbound.engine) as connection:
        connection.execute(sa.insert(t.practice).values(id=outbound.practice.id))
    for number in range(7):
        add_account(outbound.engine, f"a{number}")
        add_welcome(outbound.engine, f"w{number}", f"a{number}")
    sent = []
    for _ in range(4):
        sent.append(outbound.deliver().get("welcome", {}).get("sent", 0))
        assert outbound.deliver() == {}
        outbound.later(minutes=1)
    assert sent == [3, 3, 1, 0]


def test_no_more_mails_than_allowed_are_under_way_to_one_domain(engine: sa.Engine) -> None:
    under_way, most = Counter[str](), Counter[str]()
    lock = threading.Lock()

    class Watching(ScriptedMailer):
        at_once = 6

        def send(self, message: EmailMessage) -> Handed:
            domain = message["To"].addresses[0].domain
            with lock:
                under_way[domain] += 1
                most[domain] = max(most[domain], under_way[domain])
            time.sleep(0.005)
            with lock:
                under_way[domain] -= 1
            return super().send(message)

    outbound = Outbound(engine, Watching())
    outbound.practice = replace(outbound.practice, per_domain=2)
    for number in range(24):
        domain = "small.example" if number % 2 == 0 else f"d{number}.example"
        add_account(engine, f"a{number}", email=f"a{number}@{domain}")
        add_welcome(engine, f"w{number}", f"a{number}", email=f"a{number}@{domain}")
    assert outbound.deliver() == {"welcome": {"sent": 24}}
    assert 1 <= most["small.example"] <= 2


def test_a_wrong_mail_from_stops_the_practices_mail_and_not_for_good(outbound: Outbound) -> None:
    right = outbound.practice
    outbound.practice = replace(right, mail_from="portal")
    for number in range(2):
        add_account(outbound.engine, f"a{number}")
        add_welcome(outbound.engine, f"w{number}", f"a{number}")
    report = outbound.report()
    assert report.counts == {"welcome": {"queued": 1}}
    assert "mail_from" in report.problems[0]
    outbound.practice = right
    outbound.later(minutes=1)
    assert outbound.deliver() == {"welcome": {"sent": 2}}


def test_the_old_address_is_told_that_the_account_moved(outbound: Outbound, mailbox: Mailbox) -> None:
    add_account(outbound.engine, "a1", email="new@mail.example", language="es")
    add_effect(outbound.engine, "n1", EffectKind.NOTICE, "a1", to="old@mail.example")
    assert outbound.deliver() == {"notice": {"sent": 1}}
    assert mailbox.recipients == [["old@mail.example"]]
    assert b"new@mail.example" not in mailbox.messages[0]
    assert b"Content-Language: es" in mailbox.messages[0]
    assert outbound.audit() == [("notice-sent", "a1", "email-changed")]
