"""What comes back: a mailbox that delivery reports arrive in. ``maildir`` and ``imap`` have the same shape."""

from collections.abc import Callable, Sequence
from typing import Protocol

from adapter.core.bounce import Bounce

Take = Callable[[Sequence[Bounce]], None]
"""Keeps what one report says. A report is marked as read only after this returned."""


class BounceBox(Protocol):
    """A mailbox of delivery reports."""

    def collect(self, take: Take) -> int:
        """Reads every new report and marks it as read; returns how many there were.

        Raises RetriableError when the mailbox cannot be read now, FatalError when it never can.
        """
        ...

    def check(self) -> str:
        """One line on the mailbox, after looking that it can be read."""
        ...
