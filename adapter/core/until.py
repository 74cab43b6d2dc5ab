"""Until when a decision holds by itself: the next moment at which time alone ends access, or makes it narrower.

The portal gets this moment with every chart, so that it opens nothing too long even if nobody tells it for weeks.
"""

from datetime import UTC, date, datetime, time, tzinfo
from functools import lru_cache
from itertools import pairwise

from adapter.core.dates import birthday, ends_at
from adapter.core.facts import Contact
from adapter.core.policy import Access, Band, Policy

WIDTH = {Access.NONE: 0, Access.LIMITED: 1, Access.FULL: 2}


def open_until(
    contact: Contact, *, born: date | None, is_self: bool, own_mailbox: bool, policy: Policy, now: datetime
) -> datetime | None:
    """The first moment (UTC) after ``now`` at which the contact may open the chart no more, or less of it.

    ``born`` is the earliest day the patient's birth date can mean, ``own_mailbox`` whether the patient's own record
    has the contact's address; ``now`` is aware, in the practice's time zone. None when time alone changes nothing.
    """
    moments = [ends_at(end, now).astimezone(UTC) for end in (contact.end, contact.email_end) if _is_near(end)]
    if born is not None and not is_self and now.tzinfo is not None:
        today = now.date()
        ages = _narrowing(policy.bands) + ((policy.own_email_from_age,) if own_mailbox else ())
        days = [day for age in ages if (day := birthday(born, age)) > today]
        moments += [_midnight(day, now.tzinfo) for day in days if day.year < date.max.year]
    return min((moment for moment in moments if moment > now), default=None)


def still_open(until: datetime | None, now: datetime) -> bool:
    """Whether a chart that may be opened until then may be opened now."""
    return until is None or now < until


def earlier(a: datetime | None, b: datetime | None) -> datetime | None:
    """The earlier of two such moments; None is never."""
    if a is None or b is None:
        return a or b
    return min(a, b)


def _is_near(text: str) -> bool:
    """Whether a period's end is one that comes: 9999-12-31 means never, in any time zone."""
    return bool(text) and not text.startswith(f"{date.max.year}")


@lru_cache(maxsize=64)
def _narrowing(bands: tuple[Band, ...]) -> tuple[int, ...]:
    """The ages at which a policy's bands open less than before."""
    return tuple(after.from_age for before, after in pairwise(bands) if WIDTH[after.access] < WIDTH[before.access])


@lru_cache(maxsize=16384)
def _midnight(day: date, zone: tzinfo) -> datetime:
    """The first moment of a day in a time zone."""
    return datetime.combine(day, time.min, zone).astimezone(UTC)
