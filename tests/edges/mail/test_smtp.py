"""Mail through a real SMTP server: what is promised, what is refused, and what nobody can know."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from adapter.errors import DeliveryError, RetriableError
from adapter.mail import Handed
from adapter.mail.render import Reader
from adapter.mail.smtp import SmtpMailer
from tests.edges.mail.letters import ANA, LINK, welcome
from tests.edges.mail.servers import Mailbox, accepts, certificate, smtp_server


@pytest.fixture
def mailbox() -> Mailbox:
    return Mailbox()


@pytest.fixture
def mailer(mailbox: Mailbox) -> Iterator[SmtpMailer]:
    with smtp_server(mailbox) as server:
        mailer = SmtpMailer("127.0.0.1", server.port, security="none", timeout=5)
        yield mailer
        mailer.close()


def test_a_mail_arrives_whole_and_goes_to_its_one_recipient(mailer: SmtpMailer, mailbox: Mailbox) -> None:
    assert mailer.send(welcome()) is Handed.SENT
    assert mailbox.recipients == [[ANA.email]]
    assert b"Subject: Your Main Street Pediatrics portal account is ready\r\n" in mailbox.messages[0]
    assert LINK.encode() in mailbox.messages[0].replace(b"=\r\n", b"").replace(b"=3D", b"=")


def test_many_mails_share_one_connection(mailer: SmtpMailer, mailbox: Mailbox) -> None:
    for _ in range(3):
        assert mailer.send(welcome()) is Handed.SENT
    assert len(mailbox.messages) == 3


def test_a_line_that_begins_with_a_dot_stays_as_it_is(mailer: SmtpMailer, mailbox: Mailbox) -> None:
    message = welcome()
    message.clear_content()
    message.set_content("one\n.\n..two\n.three\n", cte="7bit")
    assert mailer.send(message) is Handed.SENT
    assert mailbox.messages[0].endswith(b"one\r\n.\r\n..two\r\n.three\r\n")


def test_an_address_with_letters_of_another_script_goes_out_where_the_server_can(mailbox: Mailbox) -> None:
    message = welcome(Reader(email="jörg@bücher.example"), username="x@y.example")
    with smtp_server(mailbox, enable_SMTPUTF8=True) as server:
        assert SmtpMailer("127.0.0.1", server.port, security="none").send(message) is Handed.SENT
    assert mailbox.recipients == [["jörg@xn--bcher-kva.example"]]
    with smtp_server(mailbox, enable_SMTPUTF8=False) as server, pytest.raises(DeliveryError) as refused:
        SmtpMailer("127.0.0.1", server.port, security="none").send(message)
    assert refused.value.permanent
    assert len(mailbox.messages) == 1


@pytest.mark.parametrize(
    ("step", "reply", "permanent"),
    [
        ("recipient", "550 5.1.1 <ana.rivera@mail.example> no such user", True),
        ("recipient", "451 4.7.1 greylisted, come back later", False),
        ("data", "554 5.7.1 rejected as spam", True),
        ("data", "452 4.3.1 disk full", False),
        ("sender", "550 5.7.1 sender not allowed", False),
    ],
)
def test_a_refusal_says_whether_trying_again_can_help_and_names_nobody(
    mailer: SmtpMailer, mailbox: Mailbox, step: str, reply: str, permanent: bool
) -> None:
    setattr(mailbox, step, reply)
    with pytest.raises(DeliveryError) as refused:
        mailer.send(welcome())
    assert refused.value.permanent is permanent
    assert reply[:3] in str(refused.value)
    assert "ana.rivera" not in str(refused.value)
    assert mailbox.messages == []
    setattr(mailbox, step, "250 OK")
    assert mailer.send(welcome()) is Handed.SENT


def test_a_line_that_drops_after_the_final_dot_leaves_it_open(mailer: SmtpMailer, mailbox: Mailbox) -> None:
    mailbox.drop = True
    assert mailer.send(welcome()) is Handed.UNKNOWN
    mailbox.drop = False
    assert mailer.send(welcome()) is Handed.SENT
    assert len(mailbox.messages) == 2


@pytest.mark.parametrize("step", ["sender", "recipient", "data"])
def test_a_server_that_is_closing_down_gets_no_more_mail_for_now(
    mailer: SmtpMailer, mailbox: Mailbox, step: str
) -> None:
    setattr(mailbox, step, "421 4.3.2 shutting down")
    with pytest.raises(RetriableError, match="421"):
        mailer.send(welcome())
    assert mailbox.messages == []


def test_a_connection_that_went_stale_is_opened_again(mailbox: Mailbox) -> None:
    with smtp_server(mailbox) as first:
        mailer = SmtpMailer("127.0.0.1", first.port, security="none", timeout=5)
        mailer.send(welcome())
        port = first.port
    with smtp_server(mailbox) as second:
        mailer._port = second.port
        assert mailer.send(welcome()) is Handed.SENT
        mailer.close()
    with pytest.raises(RetriableError, match=f"127.0.0.1:{port}"):
        SmtpMailer("127.0.0.1", port, security="none", timeout=5).send(welcome())


def test_a_mail_with_a_second_recipient_never_leaves(mailer: SmtpMailer, mailbox: Mailbox) -> None:
    for header in ("Cc", "Bcc"):
        message = welcome()
        message[header] = "second@mail.example"
        with pytest.raises(DeliveryError, match="exactly one"):
            mailer.send(message)
    message = welcome()
    message.replace_header("To", "a@mail.example, b@mail.example")
    with pytest.raises(DeliveryError, match="exactly one"):
        mailer.send(message)
    assert mailbox.messages == []


def test_starttls_is_required_and_the_password_travels_inside_it(mailbox: Mailbox, tmp_path: Path) -> None:
    context, trust = certificate(tmp_path)
    login = {"authenticator": accepts("portal", "s3cret"), "auth_required": True}
    with smtp_server(mailbox, tls_context=context, require_starttls=True, **login) as server:
        mailer = SmtpMailer("127.0.0.1", server.port, username="portal", password="s3cret", tls=trust)
        assert "STARTTLS" in mailer.check()
        assert mailer.send(welcome()) is Handed.SENT
        mailer.close()
        wrong = SmtpMailer("127.0.0.1", server.port, username="portal", password="canary", tls=trust)
        with pytest.raises(RetriableError, match="login was refused") as refused:
            wrong.send(welcome())
    assert mailbox.encrypted == [True]
    assert "canary" not in f"{refused.value}{wrong!r}"


def test_a_server_without_starttls_gets_nothing(mailbox: Mailbox) -> None:
    with smtp_server(mailbox) as server, pytest.raises(RetriableError, match="does not offer"):
        SmtpMailer("127.0.0.1", server.port).send(welcome())
    assert mailbox.messages == []


def test_a_certificate_nobody_trusts_stops_the_mail(mailbox: Mailbox, tmp_path: Path) -> None:
    context, _ = certificate(tmp_path)
    with smtp_server(mailbox, tls_context=context) as server, pytest.raises(RetriableError, match="No safe connection"):
        SmtpMailer("127.0.0.1", server.port).send(welcome())
    assert mailbox.messages == []


def test_tls_from_the_first_byte(mailbox: Mailbox, tmp_path: Path) -> None:
    context, trust = certificate(tmp_path)
    with smtp_server(mailbox, ssl_context=context) as server:
        mailer = SmtpMailer("127.0.0.1", server.port, security="tls", tls=trust)
        assert "TLS" in mailer.check()
        assert mailer.send(welcome()) is Handed.SENT
        mailer.close()
    assert mailbox.encrypted == [True]
