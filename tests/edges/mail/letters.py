"""Messages for the mail tests, and how to look inside one."""

from datetime import UTC, datetime
from email import message_from_string, policy
from email.message import EmailMessage
from typing import Any

from adapter.mail.render import Letterhead, Reader, notice_message, welcome_message

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
LINK = "https://portal.example/register?token=Zk3v0Qm8n1x7bS9eTt2rYw4uLpAaHc6dJfKgNoRqXyE"
PRACTICE = Letterhead(name="Main Street Pediatrics", mail_from="no-reply@portal.example", phone="(555) 010-0100")
ANA = Reader(email="ana.rivera@mail.example", name="Ana María Rivera")


def welcome(reader: Reader = ANA, practice: Letterhead = PRACTICE, **changes: Any) -> EmailMessage:
    """A Welcome email to Ana, or to somebody else."""
    values = {"username": reader.email, "link": LINK, "link_hours": 48, "message_id": "<welcome.1@portal.example>"}
    return welcome_message(practice, reader, **{**values, "now": NOW, **changes})


def notice(reader: Reader = ANA, practice: Letterhead = PRACTICE) -> EmailMessage:
    """A notice to an old address."""
    return notice_message(practice, reader, message_id="<notice.1@portal.example>", now=NOW)


def received(message: EmailMessage) -> EmailMessage:
    """The message as it arrives: written to bytes and read again."""
    parsed = message_from_string(message.as_bytes(policy=policy.SMTPUTF8).decode(), policy=policy.default)
    assert isinstance(parsed, EmailMessage)
    return parsed


def part(message: EmailMessage, kind: str) -> str:
    """The decoded text of the ``plain`` or the ``html`` part."""
    body = message.get_body((kind,))
    assert body is not None
    content: str = body.get_content()
    return content.replace("\r\n", "\n")
