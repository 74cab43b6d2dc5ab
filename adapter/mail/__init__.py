"""Sending mail: one recipient, one message, and an honest answer about whether it left.

``folder`` and ``smtp`` have the same shape; ``render`` makes the messages they send.
"""

from collections.abc import Callable
from email.message import EmailMessage
from enum import StrEnum
from typing import Protocol


class Handed(StrEnum):
    """What is known after a message was handed over. ``unknown``: the line dropped before the answer."""

    SENT = "sent"
    UNKNOWN = "unknown"


Sign = Callable[[bytes, str], bytes]
"""Gives a message of this sender with its signature."""


def unsigned(content: bytes, _sender: str) -> bytes:
    """For mail that nobody signs, or that the mail server does."""
    return content


class Mailer(Protocol):
    """A way for mail to leave. Two exist: ``mail.folder`` and ``mail.smtp``.

    ``at_once`` is how many mails may be under way at the same time, each handed over by a thread of its own.
    """

    at_once: int

    def send(self, message: EmailMessage) -> Handed:
        """Hands one message to its one recipient.

        Raises DeliveryError when this message was refused (``permanent`` says whether for good), and RetriableError
        when no message can be sent now: the server cannot be reached, or does not let us in.
        """
        ...

    def check(self) -> str:
        """One line on where mail goes, after looking that it can. Raises RetriableError or FatalError."""
        ...

    def close(self) -> None:
        """Lets go of any connection. The mailer may be used again."""
        ...
