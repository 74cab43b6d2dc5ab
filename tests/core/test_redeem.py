"""When a link works, and which answers are right."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from adapter.core.facts import Patient
from adapter.core.redeem import MOST_TRIES, Link, SecondFact, date_answer, knows, link_stop, number_answer
from adapter.core.state import AccountStatus

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
GOOD = Link(
    status=AccountStatus.INVITED, address_current=True, expires_at=NOW + timedelta(hours=1), closed_at=None, tries=0
)
MIA = Patient("Patient/mia", "Patient/mia/_history/1", birth_date="2019-04-27", mrn="MRN 47-11")
BEN = Patient("Patient/ben", "Patient/ben/_history/1", birth_date="2021-12-01", mrn="")
DATE, NUMBER = SecondFact.BIRTH_DATE, SecondFact.RECORD_NUMBER


@pytest.mark.parametrize(
    ("changes", "stop"),
    [
        ({}, None),
        ({"status": AccountStatus.PENDING}, None),
        ({"tries": MOST_TRIES - 1}, None),
        ({"status": AccountStatus.REGISTERED}, "account-registered"),
        ({"status": AccountStatus.SUSPENDED}, "account-suspended"),
        ({"status": AccountStatus.CLOSED}, "account-closed"),
        ({"address_current": False}, "welcome-address-changed"),
        ({"expires_at": NOW}, "link-expired"),
        ({"expires_at": None}, "link-expired"),
        ({"closed_at": NOW - timedelta(days=1)}, "welcome-link-closed"),
        ({"closed_at": NOW + timedelta(days=1)}, "welcome-link-closed"),  # a clock that went back opens nothing
        ({"tries": MOST_TRIES}, "welcome-link-closed"),
    ],
)
def test_a_link_works_for_an_invited_parent_until_it_expires_or_is_used(
    changes: dict[str, object], stop: str | None
) -> None:
    assert link_stop(msgspec.structs.replace(GOOD, **changes), NOW) == stop


@pytest.mark.parametrize(
    ("answer", "right"),
    [("2019-04-27", True), ("2021-12-01", True), ("2019-04-28", False), ("", False), ("2019", False)],
)
def test_the_birth_date_of_any_dependent_is_right(answer: str, right: bool) -> None:
    assert knows(DATE, answer, [MIA, BEN]) is right
    assert knows(DATE, answer, [BEN, MIA]) is right


@pytest.mark.parametrize("recorded", ["", "2019", "2019-04"])
def test_what_is_recorded_in_part_is_no_secret(recorded: str) -> None:
    vague = msgspec.structs.replace(MIA, birth_date=recorded)
    assert not knows(DATE, recorded, [vague])
    assert not knows(DATE, "2019-04-27", [vague])
    assert not knows(DATE, "", [])


def test_a_record_number_is_right_however_it_is_written() -> None:
    for typed in ("MRN 47-11", "mrn4711", " MRN-47 11 "):
        assert knows(NUMBER, number_answer(typed), [BEN, MIA])
    for typed in ("4711", "", " - "):
        assert not knows(NUMBER, number_answer(typed), [BEN, MIA])


@pytest.mark.parametrize(
    ("typed", "answer"),
    [
        (("2019", "4", "27"), "2019-04-27"),
        ((" 2019", "04 ", "27"), "2019-04-27"),
        (("2019", "2", "30"), ""),
        (("19", "4", "27"), ""),
        (("2019", "0004", "27"), "2019-04-27"),
        (("2019", "", "27"), ""),
        (("2019", "April", "27"), ""),
        (("2019", "٤", "27"), ""),
        (("20190", "4", "27"), ""),
        (("-2019", "4", "27"), ""),
    ],
)
def test_three_numbers_are_a_day_or_no_answer(typed: tuple[str, str, str], answer: str) -> None:
    assert date_answer(*typed) == answer
