"""FHIR dates and periods as the rules need them: earliest birth date, age, first and last moment of a period."""

import calendar
import re
from datetime import date, datetime, time, timedelta
from functools import lru_cache

OLDEST_YEARS = 130

_DATE = re.compile(r"(\d{4})(?:-(\d{2})(?:-(\d{2}))?)?\Z")


def earliest_birth(text: str, today: date) -> date | None:
    """The earliest day a FHIR ``birthDate`` can mean; None when missing, malformed, to come, or over 130 years ago.

    A partial date counts as its first day, so that nobody is taken for younger than they may be.
    Source: https://hl7.org/fhir/R4/datatypes.html#date
    """
    born = _first_day(text)
    if born is None or born > today or today.year - born.year > OLDEST_YEARS:
        return None
    return born


def birthday(born: date, age: int) -> date:
    """The day a person reaches ``age``; born on 29 February, it is 28 February where the year has no 29th."""
    year = born.year + age
    if year > date.max.year:
        return date.max
    try:
        return born.replace(year=year)
    except ValueError:
        return date(year, 2, 28)


@lru_cache(maxsize=16384)
def age_on(born: date, day: date) -> int:
    """Whole years between a birth date and a day."""
    years = day.year - born.year
    return years if birthday(born, years) <= day else years - 1


def starts_at(text: str, now: datetime) -> datetime:
    """The first moment a FHIR date or dateTime can mean, in ``now``'s time zone where it names none.

    Raises ValueError when the text is neither. Source: https://hl7.org/fhir/R4/datatypes.html#Period
    """
    day = _first_day(text)
    if day is not None:
        return datetime.combine(day, time.min, now.tzinfo)
    return _moment(text, now)


def ends_at(text: str, now: datetime) -> datetime:
    """The first moment after a FHIR date or dateTime used as the end of a period: a day counts to its end, a year too.

    Raises ValueError when the text is neither.
    """
    match = _DATE.match(text)
    day = _first_day(text)
    if match is None or day is None:
        return _moment(text, now) + timedelta(microseconds=1)
    if match[2] is None:
        last = date(day.year, 12, 31)
    elif match[3] is None:
        last = date(day.year, day.month, calendar.monthrange(day.year, day.month)[1])
    else:
        last = day
    if last == date.max:
        return datetime.max.replace(tzinfo=now.tzinfo)
    return datetime.combine(last + timedelta(days=1), time.min, now.tzinfo)


@lru_cache(maxsize=8192)
def _first_day(text: str) -> date | None:
    match = _DATE.match(text)
    if match is None:
        return None
    try:
        return date(int(match[1]), int(match[2] or 1), int(match[3] or 1))
    except ValueError:
        return None


def _moment(text: str, now: datetime) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=now.tzinfo)
