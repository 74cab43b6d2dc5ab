"""A mail server that misbehaves at every step: nothing is lost, nothing is sent twice, nobody waits for ever."""

import time
from collections import Counter

import pytest

from adapter.errors import DeliveryError, RetriableError
from adapter.mail import Handed, wire
from adapter.mail.render import Reader
from adapter.mail.smtp import SmtpMailer
from tests.edges.mail.hostile import DRIP, HALF_CLOSE, HANG_UP, SILENCE, Hostile, hostile
from tests.edges.mail.letters import welcome

PIPELINING = "250-hostile\r\n250 PIPELINING"
GARBAGE = "\x00\x01 HTTP/1.1 400 Bad Request"


@pytest.fixture(autouse=True)
def _short_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten minutes after the final dot are right for a mail server and long for a test."""
    monkeypatch.setattr(wire, "AFTER_DATA", 0.6)


def mailer(server: Hostile, **more: object) -> SmtpMailer:
    return SmtpMailer("127.0.0.1", server.port, security="none", timeout=0.5, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("extensions", [None, PIPELINING], ids=["one by one", "pipelining"])
@pytest.mark.parametrize("step", ["banner", "MAIL", "RCPT", "DATA"])
@pytest.mark.parametrize("bad", [HANG_UP, HALF_CLOSE, SILENCE, DRIP, GARBAGE, "421 4.3.2 closing", "999 what"])
def test_before_the_final_dot_nothing_has_happened(bad: str, step: str, extensions: str | None) -> None:
    answers = {step: bad} | ({"EHLO": extensions} if extensions else {})
    with hostile(answers) as server:
        began = time.monotonic()
        with pytest.raises(RetriableError):
            mailer(server).send(welcome())
        assert time.monotonic() - began < 5
        assert server.messages == []


@pytest.mark.parametrize("bad", [HANG_UP, HALF_CLOSE, SILENCE, DRIP, GARBAGE, "354 go on", "999 what", "100 hm"])
def test_after_the_final_dot_only_the_servers_own_word_counts(bad: str) -> None:
    with hostile({"dot": bad}) as server:
        assert mailer(server).send(welcome()) is Handed.UNKNOWN


@pytest.mark.parametrize("good", ["250 queued", "250", "250-queued\r\n250 as 17", "200 fine"])
def test_any_yes_is_a_yes(good: str) -> None:
    with hostile({"dot": good}) as server:
        assert mailer(server).send(welcome()) is Handed.SENT


@pytest.mark.parametrize("extensions", [None, PIPELINING], ids=["one by one", "pipelining"])
@pytest.mark.parametrize(("code", "permanent"), [("450 4.2.0 greylisted", False), ("550 5.1.1 unknown", True)])
def test_a_refused_recipient_is_told_and_the_connection_is_used_again(
    code: str, permanent: bool, extensions: str | None
) -> None:
    with hostile({"RCPT": code} | ({"EHLO": extensions, "DATA": "503 no recipient"} if extensions else {})) as server:
        sender = mailer(server)
        with pytest.raises(DeliveryError) as refused:
            sender.send(welcome())
        assert refused.value.permanent is permanent
        server.answers = {}
        assert sender.send(welcome()) is Handed.SENT
        assert server.connections == 1


def test_a_server_that_opens_data_for_a_refused_recipient_gets_no_message() -> None:
    with hostile({"EHLO": PIPELINING, "RCPT": "550 unknown"}) as server:
        sender = mailer(server)
        with pytest.raises(DeliveryError):
            sender.send(welcome())
        assert server.messages == []
        server.answers = {}
        assert sender.send(welcome()) is Handed.SENT


def test_starttls_that_was_stripped_sends_nothing_and_no_password() -> None:
    for extensions in ("250 hostile", "250-hostile\r\n250 STARTTLS"):
        with hostile({"EHLO": extensions}) as server:
            sender = SmtpMailer("127.0.0.1", server.port, username="x", password="canary", timeout=0.5)
            with pytest.raises(RetriableError):
                sender.send(welcome())
            assert server.messages == []


def test_a_connection_that_the_server_closes_between_two_mails_is_made_again() -> None:
    """421 at the start of the next mail is how servers end a long connection."""
    with hostile() as server:
        sender = mailer(server)
        for number in range(6):
            replies = iter(["421 enough"] if number % 2 else [])
            server.answers = {"MAIL": lambda replies=replies: next(replies, "250 ok")}  # type: ignore[misc]
            assert sender.send(welcome()) is Handed.SENT
        assert len(server.messages) == 6
        assert server.connections == 4


@pytest.mark.parametrize("share", [0.02, 0.1, 0.5, 1.0])
def test_a_line_cut_before_the_answer_is_unknown_and_everything_else_is_exact(share: float) -> None:
    with hostile(keep_before_hanging_up=0.5, seed=3) as server:
        server.answers = {
            "dot": server.sometimes(share, HANG_UP, "250 queued"),
            "RCPT": server.sometimes(share / 4, "451 later", "250 ok"),
            "MAIL": server.sometimes(share / 4, HANG_UP, "250 ok"),
        }
        sender, known = mailer(server), {}
        for number in range(100):
            address = f"a{number}@mail.example"
            try:
                known[address] = str(sender.send(welcome(Reader(email=address))))
            except (DeliveryError, RetriableError):
                known[address] = "not sent"
        arrived = Counter(server.recipients)
        assert max(arrived.values(), default=0) <= 1
        for address, word in known.items():
            if word != "unknown":
                assert arrived[address] == (1 if word == "sent" else 0), word
        assert "unknown" in known.values()
        assert ("sent" in known.values()) is (share < 1)
