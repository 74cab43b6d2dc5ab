"""What Register says of the last Welcome email before it sends another one."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec
import pytest

from adapter.core.last_welcome import LastWelcome, what_became
from adapter.core.state import EffectState

NOW = datetime(2026, 3, 2, 9, tzinfo=ZoneInfo("America/New_York"))
SENT = LastWelcome(
    state=EffectState.SENT,
    email="ana@mail.example",
    sent_at=datetime(2026, 3, 1, 14, tzinfo=UTC),
    error="",
    link_expires_at=NOW + timedelta(hours=24),
    link_closed_at=None,
    link_tries=0,
)


@pytest.mark.parametrize(
    ("changes", "says", "same"),
    [
        (
            {},
            "went to ana@mail.example on 01 March 2026 at 09:00. Its link was not used yet; it works until 03 M",
            False,
        ),
        ({"link_expires_at": NOW}, "has expired", False),
        ({"link_closed_at": NOW}, "does not work any more", False),
        ({"link_closed_at": NOW, "link_tries": 5}, "five wrong answers", False),
        ({"state": EffectState.UNKNOWN}, "It is sent again with the same link.", True),
        ({"state": EffectState.UNKNOWN, "link_closed_at": NOW}, "Nobody knows whether the last one", False),
        ({"state": EffectState.FAILED, "error": "550 at RCPT TO."}, "could not be delivered: 550 at RCPT TO.", False),
        ({"state": EffectState.CANCELLED}, "is cancelled", False),
    ],
)
def test_what_became_of_the_last_one(changes: dict[str, object], says: str, same: bool) -> None:
    last = msgspec.structs.replace(SENT, **changes)
    assert says in what_became(last, NOW)
    assert last.same_link is same


def test_there_may_have_been_none() -> None:
    assert what_became(None, NOW) == "No Welcome email has been sent to this account yet."
