"""What became of an account's last Welcome email, in a sentence for whoever is about to send it again."""

from datetime import datetime

import msgspec

from adapter.core.redeem import MOST_TRIES
from adapter.core.state import EffectState


class LastWelcome(msgspec.Struct, frozen=True, kw_only=True):
    """The newest Welcome email of an account. ``sent_at`` is when it left, ``error`` says what went wrong."""

    state: EffectState
    email: str
    sent_at: datetime | None
    error: str
    link_expires_at: datetime | None
    link_closed_at: datetime | None
    link_tries: int

    @property
    def same_link(self) -> bool:
        """Whether sending it again means this one, with the same link: nobody knows whether it arrived."""
        return self.state is EffectState.UNKNOWN and self.link_closed_at is None


def what_became(last: LastWelcome | None, now: datetime) -> str:
    """The sentences; ``now`` is in the practice's time zone."""
    if last is None:
        return "No Welcome email has been sent to this account yet."
    if last.state is EffectState.UNKNOWN:
        again = " It is sent again with the same link." if last.same_link else ""
        return f"Nobody knows whether the last one, to {last.email}, left.{again}"
    if last.state is EffectState.FAILED:
        why = f": {last.error}" if last.error else "."
        return f"The last one, to {last.email}, could not be delivered{why}"
    if last.state is EffectState.SENT and last.sent_at is not None:
        return f"The last one went to {last.email} on {_at(last.sent_at, now)}. {_link(last, now)}"
    return f"The last one, to {last.email}, is {last.state}."


def _link(last: LastWelcome, now: datetime) -> str:
    if last.link_tries >= MOST_TRIES:
        return "Its link was closed after five wrong answers."
    if last.link_closed_at is not None:
        return "Its link does not work any more."
    if last.link_expires_at is None or last.link_expires_at <= now:
        return "Its link was not used and has expired."
    return f"Its link was not used yet; it works until {_at(last.link_expires_at, now)}."


def _at(moment: datetime, now: datetime) -> str:
    return f"{moment.astimezone(now.tzinfo):%d %B %Y at %H:%M}"
