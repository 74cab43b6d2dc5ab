"""Reading a delivery report: a DSN (RFC 3464) or one of the many other forms, by the flufl.bounce library."""

import re
from email import message_from_bytes, policy
from email.message import EmailMessage, Message

from flufl.bounce import all_failures

from adapter.core.bounce import Bounce, BounceKind
from adapter.core.email import email_key

MOST_BYTES = 1024 * 1024
_MESSAGE_ID = re.compile(rb"^message-id:\s*(<[^<>\s]{1,250}>)", re.IGNORECASE | re.MULTILINE)
_STATUS = re.compile(r"[245]\.\d{1,3}\.\d{1,3}")
_FEEDBACK = "message/feedback-report"


def read_report(content: bytes) -> list[Bounce]:
    """What a report says, one for each address; empty for a mail that is no report.

    Anything at all may arrive in such a mailbox, so what cannot be understood is no report.
    """
    if len(content) > MOST_BYTES:
        return []
    try:
        message = message_from_bytes(content, policy=policy.default)
        compatible = message_from_bytes(content)  # the detectors expect the older kind of message
        about = _about(content, message)
        if any(part.get_content_type() == _FEEDBACK for part in message.walk()):
            return _complaint(message, about)
        temporary, permanent = all_failures(compatible)
    except Exception:
        # The standard library's parser raises many things on hostile input, and its detectors more.
        return []
    status = _status(compatible)
    if status.startswith("4"):
        temporary, permanent = temporary | permanent, frozenset()
    kinds = [(address, BounceKind.HARD) for address in permanent]
    kinds += [(address, BounceKind.SOFT) for address in temporary - permanent]
    found = [
        Bounce(kind=kind, email_key=email_key(address.decode("utf-8", "replace")), message_id=about, status=status)
        for address, kind in sorted(kinds)
    ]
    return [one for one in found if one.email_key]


def _about(content: bytes, message: Message) -> str:
    """The Message-ID of the mail that the report is about: the last one in it that is not the report's own."""
    own = str(message.get("Message-ID", "")).strip().encode()
    others = [one for one in _MESSAGE_ID.findall(content) if one != own]
    return others[-1].decode("ascii", "replace") if others else ""


def _complaint(message: EmailMessage, about: str) -> list[Bounce]:
    """An abuse report (RFC 5965)."""
    for part in message.walk():
        if part.get_content_type() == _FEEDBACK:
            content = part.get_payload()
            fields = "\n".join(map(str, content)) if isinstance(content, list) else str(content)
            if re.search(r"^feedback-type:\s*abuse", fields, re.IGNORECASE | re.MULTILINE):
                to = re.search(r"^original-rcpt-to:\s*<?([^<>\s]+)", fields, re.IGNORECASE | re.MULTILINE)
                return [Bounce(kind=BounceKind.COMPLAINT, email_key=email_key(to[1]) if to else "", message_id=about)]
    return []


def _status(message: Message) -> str:
    """The enhanced status code of the first recipient; empty when the report has none."""
    for part in message.walk():
        if part.get_content_type() == "message/delivery-status":
            for block in part.get_payload():
                found = _STATUS.search(str(block.get("Status", ""))) if isinstance(block, Message) else None
                if found:
                    return found[0]
    return ""
