"""Until when a decision holds by itself: birthdays, periods, other people's claims, in the practice's time zone."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from adapter.core.accounts import Member, decide_account
from adapter.core.decide import Outcome, decide_chart
from adapter.core.facts import Authority, Contact, Patient
from adapter.core.plan import Action, ActionKind, plan_account
from adapter.core.policy import Access, Band, Policy
from adapter.core.state import Account, AccountStatus
from tests.core.personas import ANNAS, NOW, anna, anna_as_other_relative, anna_as_patient, ben, mia

TEENS = Policy(bands=(Band(0, Access.FULL), Band(12, Access.LIMITED), Band(18, Access.NONE)))


def outcome(patient: Patient, *contacts: Contact, policy: Policy | None = None, now: datetime = NOW) -> Outcome:
    return decide_chart(patient, contacts, policy or Policy(), now).outcomes[contacts[0].ref]


# Midnight in New York is 5:00 UTC in winter, 4:00 in summer.
@pytest.mark.parametrize(
    ("born", "policy", "until"),
    [
        pytest.param("2019-05-04", Policy(), datetime(2037, 5, 4, 4, tzinfo=UTC), id="eighteenth-birthday"),
        pytest.param("2019-05-04", TEENS, datetime(2031, 5, 4, 4, tzinfo=UTC), id="narrower-at-twelve"),
        pytest.param("2012-01-09", TEENS, datetime(2030, 1, 9, 5, tzinfo=UTC), id="narrowed-already"),
        pytest.param("2012-02-29", Policy(), datetime(2030, 2, 28, 5, tzinfo=UTC), id="leap-day-counts-as-28-february"),
        pytest.param("2012-02", Policy(), datetime(2030, 2, 1, 5, tzinfo=UTC), id="earliest-day-of-a-month"),
        pytest.param("2012", Policy(), datetime(2030, 1, 1, 5, tzinfo=UTC), id="earliest-day-of-a-year"),
        pytest.param("2019-05-04", Policy(bands=(Band(0, Access.FULL),)), None, id="no-band-ends-it"),
    ],
)
def test_access_ends_by_itself_on_the_birthday(born: str, policy: Policy, until: datetime | None) -> None:
    assert outcome(mia(birth_date=born), anna(), policy=policy).until == until


def test_the_birthday_begins_at_midnight_where_the_practice_is() -> None:
    for zone, hour in (("Pacific/Auckland", 12), ("UTC", 24), ("Asia/Kolkata", 18.5)):
        now = NOW.astimezone(ZoneInfo(zone))
        until = outcome(mia(), anna(), now=now).until
        assert until is not None
        assert (until - datetime(2037, 5, 3, tzinfo=UTC)).total_seconds() == hour * 3600


@pytest.mark.parametrize(
    ("changes", "until"),
    [
        pytest.param({"end": "2026-03-31"}, datetime(2026, 4, 1, 4, tzinfo=UTC), id="a-day-counts-to-its-end"),
        pytest.param({"end": "2026"}, datetime(2027, 1, 1, 5, tzinfo=UTC), id="a-year-too"),
        pytest.param({"email_end": "2026-03-05"}, datetime(2026, 3, 6, 5, tzinfo=UTC), id="the-address-ends"),
        pytest.param(
            {"end": "2026-06-30", "email_end": "2026-03-05"}, datetime(2026, 3, 6, 5, tzinfo=UTC), id="the-earlier-one"
        ),
        pytest.param({"end": "9999-12-31"}, datetime(2037, 5, 4, 4, tzinfo=UTC), id="9999-is-never"),
    ],
)
def test_access_ends_by_itself_with_a_period(changes: dict[str, str], until: datetime) -> None:
    assert outcome(mia(), anna(**changes)).until == until


def test_a_parents_own_chart_never_closes_by_age() -> None:
    assert outcome(anna_as_patient(), anna_as_other_relative()).until is None


def test_an_exclusive_authority_that_begins_later_ends_the_others_access_then() -> None:
    father = ben(authority=Authority.EXCLUSIVE, start="2026-05-01")
    assert outcome(mia(), anna(), father).until == datetime(2026, 5, 1, 4, tzinfo=UTC)
    assert outcome(mia(), anna(), ben(start="2026-05-01")).until == datetime(2037, 5, 4, 4, tzinfo=UTC)


def test_an_address_becomes_the_patients_own_at_the_age_of_the_policy() -> None:
    policy = Policy(own_email_from_age=13)
    assert outcome(mia(emails=(ANNAS,)), anna(), policy=policy).until == datetime(2032, 5, 4, 4, tzinfo=UTC)


def test_what_opens_nothing_has_no_end() -> None:
    assert outcome(mia(), anna(authority=Authority.NONE)).until is None


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ({}, {"end": "2026-06-30"}, [ActionKind.CHANGE_GRANT]),
        ({"end": "2026-06-30"}, {"end": "2026-05-31"}, [ActionKind.CHANGE_GRANT]),
        ({"end": "2026-05-31"}, {"end": "2026-06-30"}, []),  # wider: not while the EHR could not be read in full
        ({"end": "2026-05-31"}, {"end": "2026-05-31"}, []),
    ],
)
def test_an_earlier_end_is_told_to_the_portal_even_after_half_a_read(
    before: dict[str, str], after: dict[str, str], told: list[ActionKind]
) -> None:
    actions = replan(anna(**before), anna(**after), only_restrict=True)
    assert [action.action for action in actions] == told


def test_a_later_end_is_told_after_a_complete_read() -> None:
    (action,) = replan(anna(end="2026-05-31"), anna(), only_restrict=False)
    assert action.grant is not None
    assert (action.action, action.grant.until) == (ActionKind.CHANGE_GRANT, datetime(2037, 5, 4, 4, tzinfo=UTC))


def replan(before: Contact, after: Contact, *, only_restrict: bool) -> list[Action]:
    """What a run does for Anna's account when her entry changes."""
    granted = decide_account(ANNAS, [Member(before, outcome(mia(), before))]).dependents["Patient/mia"]
    assert granted.fresh is not None
    grants = {"Patient/mia": granted.grant(granted.fresh)}
    account = Account("a1", ANNAS, ANNAS, "Anna Rivera", "", AccountStatus.REGISTERED, grants, registered=True)
    member = Member(after, outcome(mia(), after))
    decision = decide_account(ANNAS, [member])
    return plan_account(decision, account, {after.ref: member}, hold_welcome=False, only_restrict=only_restrict)
