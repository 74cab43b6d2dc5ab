"""Using the link in a Welcome email: what the reader must know beside it, and when it works no more."""

import hashlib
import hmac
import re
from collections.abc import Sequence
from datetime import date, datetime
from enum import StrEnum

import msgspec

from adapter.core.facts import Patient
from adapter.core.state import AccountStatus
from adapter.core.welcome import WelcomeStop

MOST_TRIES = 5
"""Wrong answers that a link takes; with the last of them it closes."""
_WHOLE_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_INVITABLE = (AccountStatus.PENDING, AccountStatus.INVITED)


class SecondFact(StrEnum):
    """What the reader must know of one of the account's charts, beside having the mail."""

    BIRTH_DATE = "birth-date"
    RECORD_NUMBER = "record-number"


class LinkStop(StrEnum):
    """Why a link that is known does not work any more. The reader sees the same page for all of them."""

    EXPIRED = "link-expired"
    REGISTERED = "account-registered"


class Link(msgspec.Struct, frozen=True, kw_only=True):
    """What is stored of a link, and of the account it was made for, at this moment."""

    status: AccountStatus
    address_current: bool
    expires_at: datetime | None
    closed_at: datetime | None
    """When it was used or killed."""
    tries: int


def link_stop(link: Link, now: datetime) -> LinkStop | WelcomeStop | None:
    """Why the link does not work; None when it does. Every doubt is a reason."""
    if link.status is AccountStatus.REGISTERED:
        return LinkStop.REGISTERED
    if link.closed_at is not None or link.tries >= MOST_TRIES:
        return WelcomeStop.LINK_CLOSED
    if link.expires_at is None or link.expires_at <= now:
        return LinkStop.EXPIRED
    if link.status not in _INVITABLE:
        return WelcomeStop.ACCOUNT_CLOSED if link.status is AccountStatus.CLOSED else WelcomeStop.ACCOUNT_SUSPENDED
    return None if link.address_current else WelcomeStop.ADDRESS_CHANGED


def date_answer(year: str, month: str, day: str) -> str:
    """A date as it is compared (``YYYY-MM-DD``); empty when these three are no day."""
    numbers = [number.strip() for number in (year, month, day)]
    if len(numbers[0]) != 4 or not all(number.isascii() and number.isdecimal() for number in numbers):
        return ""
    try:
        return date(*map(int, numbers)).isoformat()
    except ValueError:
        return ""


def number_answer(text: str) -> str:
    """A record number as it is compared: its letters and digits alone."""
    return "".join(char for char in text[:64].upper() if char.isalnum())


def knows(fact: SecondFact, answer: str, charts: Sequence[Patient]) -> bool:
    """Whether the answer is right for one of these charts. Takes as long whichever of them it is, or none.

    A birth date that is recorded in part is no secret and never right.
    """
    given, right = _digest(answer), False
    for chart in charts:
        expected = fact_of(fact, chart)
        same = hmac.compare_digest(_digest(expected), given)
        right |= same & bool(expected)
    return right


def fact_of(fact: SecondFact, chart: Patient) -> str:
    """What is the right answer for a chart; empty when it has none."""
    if fact is SecondFact.RECORD_NUMBER:
        return number_answer(chart.mrn)
    return chart.birth_date if _WHOLE_DATE.fullmatch(chart.birth_date) else ""


def _digest(text: str) -> bytes:
    """Of one length whatever the text, so that comparing takes the same time."""
    return hashlib.sha256(text.encode()).digest()
