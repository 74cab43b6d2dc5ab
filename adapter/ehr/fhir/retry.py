"""How long to wait before asking again."""

import random
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

TRIES = 4
LONGEST = 60.0
"""No wait is longer, whatever the server asks for: some send an epoch where RFC 9110 wants seconds."""
RETRIED = frozenset({408, 425, 429, 500, 502, 503, 504})

_FIRST = 0.5
_WINDOW = re.compile(r"\bt=(\d+)")


def wait(tried: int, headers: Mapping[str, str], *, now: datetime) -> float:
    """Seconds to wait after ``tried`` failed tries: what the server asks for, else doubling with jitter."""
    asked = _asked(headers, now)
    if asked is not None:
        return min(max(asked, 0.0), LONGEST)
    return min(_FIRST * 2.0 ** (tried - 1), LONGEST) * random.uniform(0.5, 1.0)


def _asked(headers: Mapping[str, str], now: datetime) -> float | None:
    """``Retry-After`` as seconds or a date (RFC 9110 §10.2.3), else the window of ``RateLimit`` (Medplum, 2026)."""
    after = headers.get("Retry-After", "").strip()
    if after.isdecimal():
        return float(after[:12])
    try:
        at = parsedate_to_datetime(after)
        return (at.replace(tzinfo=at.tzinfo or UTC) - now).total_seconds()
    except ValueError:
        window = _WINDOW.search(headers.get("RateLimit", ""))
        return float(window[1][:12]) if window else None
