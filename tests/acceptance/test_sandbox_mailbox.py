"""The demo's mailbox over real SMTP."""

import smtplib
from email.message import EmailMessage

import pytest

from adapter.sandbox.mailbox import Mailbox


def mail(to: str, subject: str = "Welcome") -> EmailMessage:
    message = EmailMessage()
    message["From"] = "no-reply@portal.example"
    message["To"] = to
    message["Subject"] = subject
    message.set_content("Hola, señora.\n")
    return message


def test_a_mail_arrives_with_its_envelope_and_its_text() -> None:
    with Mailbox() as mailbox, smtplib.SMTP(mailbox.host, mailbox.port, timeout=5) as smtp:
        smtp.send_message(mail("carmen@ramirez.example", "Bienvenida, señora"))
        (received,) = mailbox.wait_for(1)
    assert received.sender == "no-reply@portal.example"
    assert received.recipients == ("carmen@ramirez.example",)
    assert received.message["Subject"] == "Bienvenida, señora"
    assert received.message.get_content().strip() == "Hola, señora."


@pytest.mark.parametrize("answer", ["550 5.1.1 unknown", "451 4.7.1 try again later"])
def test_a_recipient_can_be_refused(answer: str) -> None:
    with (
        Mailbox(answers={"gone@mail.example": answer}) as mailbox,
        smtplib.SMTP(mailbox.host, mailbox.port, timeout=5) as smtp,
    ):
        with pytest.raises(smtplib.SMTPRecipientsRefused) as refused:
            smtp.send_message(mail("gone@mail.example"))
        code, text = refused.value.recipients["gone@mail.example"]
        assert f"{code} {text.decode()}" == answer
        smtp.send_message(mail("here@mail.example"))
        assert [received.recipients for received in mailbox.messages] == [("here@mail.example",)]


def test_an_answer_may_change_while_the_server_runs() -> None:
    with (
        Mailbox(answers={"slow@mail.example": "451 4.7.1 later"}) as mailbox,
        smtplib.SMTP(mailbox.host, mailbox.port, timeout=5) as smtp,
    ):
        with pytest.raises(smtplib.SMTPRecipientsRefused):
            smtp.send_message(mail("slow@mail.example"))
        mailbox.answers.clear()
        smtp.send_message(mail("slow@mail.example"))
        assert len(mailbox.wait_for(1)) == 1


def test_waiting_for_mail_that_does_not_come_says_how_many_came() -> None:
    with Mailbox() as mailbox, pytest.raises(TimeoutError, match="0 of 1 mails"):
        mailbox.wait_for(1, timeout=0.05)


def test_two_mailboxes_run_side_by_side_and_give_their_ports_back() -> None:
    with Mailbox() as first, Mailbox() as second:
        assert first.port != second.port
        port = first.port
    with Mailbox(port=port) as again:
        assert again.port == port
