"""How long to wait before asking again."""

import random
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

TRIES = 4
LONGEST = 60.0
"""No wait is longer, whatever the server asks for: a run that waits for hours is better tried again."""
RETRIED = frozenset({408, 425, 429, 500, 502, 503, 504})
OVERLOADED = frozenset({408, 429, 503, 504})
"""Of these, the ones that say the EHR is asked too hard."""

_FIRST = 0.5
_JITTER = 0.1
_WINDOW = re.compile(r"\b(?:t|reset)=(\d+)")
_EPOCH = 1e9
"""Seconds since 2001: nobody asks for a wait of 30 years, so a larger number is a time (SMART's bulk server, 2026)."""


def wait(tried: int, headers: Mapping[str, str], *, now: datetime) -> float:
    """Seconds to wait after ``tried`` failed tries: a little more than the server asks for, else doubling with jitter.

    Those who were refused together do not come back together.
    """
    rest = asked(headers, now)
    if rest is not None:
        return min(rest + random.uniform(0, rest * _JITTER), LONGEST)
    return min(_FIRST * 2.0 ** (tried - 1), LONGEST) * random.uniform(0.5, 1.0)


def asked(headers: Mapping[str, str], now: datetime) -> float | None:
    """What the server asks for, if that makes sense: ``Retry-After`` (RFC 9110 §10.2.3), else a rate limit's window.

    A date is taken against the server's own clock, and one that has passed says nothing.
    """
    after = headers.get("Retry-After", "").strip()
    now = _date(headers.get("Date", "")) or now
    if after.isdecimal() and after.isascii():
        return _number(after, now)
    if at := _date(after):
        return _until(at.timestamp(), now)
    # RateLimit: Medplum, 2026; RateLimit-Reset: earlier drafts of the same header (IETF httpapi-ratelimit-headers)
    window = _WINDOW.search(headers.get("RateLimit", ""))
    reset = window[1] if window else headers.get("RateLimit-Reset", "").strip()
    return _number(reset, now) if reset.isdecimal() and reset.isascii() else None


def _number(digits: str, now: datetime) -> float | None:
    seconds = float(digits[:18])
    if seconds < _EPOCH:
        return seconds
    return _until(seconds / 1000 if seconds > _EPOCH * 1000 else seconds, now)


def _until(stamp: float, now: datetime) -> float | None:
    left = stamp - now.timestamp()
    return left if left > 0 else None


def _date(text: str) -> datetime | None:
    try:
        at = parsedate_to_datetime(text)
    except ValueError:
        return None
    return at.replace(tzinfo=at.tzinfo or UTC)
