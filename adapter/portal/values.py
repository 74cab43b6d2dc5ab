"""Words and moments as portals write them: what is written is strict, what is read may be sloppy."""

from datetime import UTC, datetime
from typing import Any

from adapter.core.portal import PortalAccount


def text(value: Any) -> str:
    """A word; empty when it is none."""
    return value if isinstance(value, str) else ""


def moment(value: Any) -> datetime | None:
    """A moment in UTC, as of RFC 3339; None when it cannot be read."""
    try:
        at = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return at.replace(tzinfo=at.tzinfo or UTC).astimezone(UTC) if at else None


def whole(at: datetime | None) -> datetime | None:
    """Whole seconds, never later: not every portal keeps parts of them."""
    return at.astimezone(UTC).replace(microsecond=0) if at else None


def stamp(at: datetime | None) -> str | None:
    """A moment as it is sent."""
    seconds = whole(at)
    return seconds.strftime("%Y-%m-%dT%H:%M:%SZ") if seconds else None


def kept(account: PortalAccount) -> PortalAccount:
    """The account as it comes back: times in whole seconds, and no charts unless it is active."""
    shown = account.dependents if account.active else ()
    return account._replace(dependents=tuple(one._replace(until=whole(one.until)) for one in shown))
