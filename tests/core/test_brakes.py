"""Brakes, as a table and as properties: what is ordinary, what waits, and what acts whatever the number."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter.core.brakes import EXPLICIT, Brake, Seen, Trip, cause, enough, grant_brake, least, restrained, trip
from adapter.core.facts import Authority, Fact, Role
from adapter.core.plan import ActionKind, plan_account
from adapter.core.policy import Access, Brakes, Limit
from adapter.core.reasons import REASONS
from adapter.core.state import AccountStatus, Grant, GrantState
from adapter.core.until import WIDTH
from tests.core.personas import ANNAS, anna, leo, mia
from tests.core.practice import Practice, decided, decisions, invited

ALL = tuple(Brake)
LIMITS = Brakes()
GRANTS = st.builds(
    Grant,
    patient=st.just("Patient/mia"),
    contact=st.just("RelatedPerson/anna"),
    role=st.just(Role.MOTHER),
    authority=st.just(Authority.JOINT),
    access=st.sampled_from(Access),
    state=st.sampled_from(GrantState),
    reason=st.sampled_from(sorted(REASONS)),
    source=st.just(""),
)
ON = st.frozensets(st.sampled_from(Brake))

NUMBERS = st.integers(0, 100_000)


def test_every_explicit_reason_is_a_reason() -> None:
    assert set(REASONS) >= EXPLICIT
    assert not {"contact-gone", "authority-unknown", "email-missing", "record-unusable"} & EXPLICIT


@pytest.mark.parametrize(
    ("seen", "base", "within"),
    [
        (Seen(5), 100, None),  # the floor for small practices
        (Seen(6), 100, "run"),
        (Seen(6), 300, None),  # 2 % of 300
        (Seen(7), 300, "run"),
        (Seen(3, day=3), 100, "day"),
        (Seen(3, day=2), 100, None),
        (Seen(1, week=5), 100, "week"),
        (Seen(1, week=4), 100, None),
        (Seen(5, week=20), 500, None),  # 5 % of 500
        (Seen(6, week=20), 500, "week"),
        (Seen(1), 0, None),
    ],
)
def test_more_revocations_than_the_default_are_not_ordinary(seen: Seen, base: int, within: str | None) -> None:
    tripped = trip(LIMITS, Brake.REVOCATION, seen, base)
    assert (tripped.within if tripped else None) == within


def test_a_slow_bleed_of_one_percent_a_day_trips_within_a_week() -> None:
    base = 1000
    days = [day for day in range(1, 8) if trip(LIMITS, Brake.REVOCATION, Seen(10, week=10 * (day - 1)), base)]
    assert days[0] == 6


@given(st.sampled_from(Brake), st.integers(0, 50), st.integers(0, 50), st.integers(0, 50), st.integers(0, 2000))
def test_more_changes_never_take_a_brake_off(brake: Brake, run: int, day: int, week: int, base: int) -> None:
    seen = Seen(run, day, day + week)
    more = [Seen(run + 1, day, day + week), Seen(run, day + 1, day + week + 1), Seen(run, day, day + week + 1)]
    if trip(LIMITS, brake, seen, base):
        assert all(trip(LIMITS, brake, each, base) for each in more)


@given(st.sampled_from(Brake), st.integers(0, 500), st.integers(0, 500), st.integers(0, 500))
def test_nothing_trips_below_the_least(brake: Brake, run: int, before: int, base: int) -> None:
    if run + before <= least(LIMITS, brake):
        assert trip(LIMITS, brake, Seen(run, before, before), base) is None


@given(brake=st.sampled_from(Brake), run=NUMBERS, day=NUMBERS, week=NUMBERS, base=st.integers(0, 10_000_000))
def test_to_count_further_than_enough_changes_nothing(brake: Brake, run: int, day: int, week: int, base: int) -> None:
    seen = Seen(run, day, week)
    most = enough(LIMITS, brake, seen)
    if most is not None:
        assert trip(LIMITS, brake, seen, min(base, most)) == (trip(LIMITS, brake, seen, base) if base < most else None)
        assert base < most or trip(LIMITS, brake, seen, base) is None


@pytest.mark.parametrize(
    ("seen", "limit", "expected"),
    [
        (Seen(5), LIMITS.revocation, 0),  # ordinary in the smallest practice
        (Seen(6), LIMITS.revocation, 350),  # 2 % of 350 is 7
        (Seen(1, week=6), LIMITS.revocation, 160),  # 5 % of 160 is 8
        (Seen(6, day=4, week=4), LIMITS.revocation, 550),  # the largest of the three counts
        (Seen(6), Limit(5, 0, 5, 5), None),
        (Seen(6), Limit(5, 2, 5, 0), None),
        (Seen(5), Limit(5, 0, 5, 0), 0),
    ],
)
def test_so_much_there_must_be_for_so_many_changes(seen: Seen, limit: Limit, expected: int | None) -> None:
    assert enough(Brakes(revocation=limit), Brake.REVOCATION, seen) == expected


@pytest.mark.parametrize(("limit", "expected"), [(Limit(5, 2, 9, 5), 5), (Limit(9, 2, 5, 5), 5)])
def test_the_least_is_the_smaller_of_the_two_counts(limit: Limit, expected: int) -> None:
    assert least(Brakes(grant=limit), Brake.GRANT) == expected


@given(st.integers(1, 500), st.integers(0, 2000))
def test_a_limit_of_nothing_holds_every_change(run: int, base: int) -> None:
    strict = Brakes(grant=Limit(0, 0, 0, 0))
    assert trip(strict, Brake.GRANT, Seen(run), base) is not None


@given(st.none() | GRANTS, GRANTS, ON)
def test_a_brake_never_opens_or_widens(before: Grant | None, after: Grant, on: frozenset[Brake]) -> None:
    kept = restrained(before, after, on)
    if kept is not None and kept.state is GrantState.ACTIVE:
        assert kept == after
        if Brake.GRANT in on:
            assert before is not None and before.state is GrantState.ACTIVE
            assert WIDTH[kept.access] <= WIDTH[before.access]


@given(GRANTS, GRANTS, ON)
def test_only_what_the_chart_states_closes_a_chart_while_the_brake_is_on(
    before: Grant, after: Grant, on: frozenset[Brake]
) -> None:
    kept = restrained(before, after, on | {Brake.REVOCATION})
    if before.state is GrantState.ACTIVE and after.state is not GrantState.ACTIVE:
        explicit = after.reason in EXPLICIT
        assert (kept is not None) == explicit
        assert kept is None or kept.state in (GrantState.SUSPENDED, GrantState.HELD)


A, H, S, E = GrantState.ACTIVE, GrantState.HELD, GrantState.SUSPENDED, GrantState.ENDED


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (None, A, Brake.GRANT),
        (None, H, None),
        (H, A, Brake.GRANT),
        (E, A, Brake.GRANT),
        (A, A, None),
        (A, H, Brake.REVOCATION),
        (A, S, Brake.REVOCATION),
        (A, E, Brake.REVOCATION),
        (S, E, Brake.REVOCATION),  # for good
        (S, H, None),
        (H, E, None),
        (E, E, None),
        (E, S, None),
    ],
)
def test_which_brake_counts_a_change(before: GrantState | None, after: GrantState, expected: Brake | None) -> None:
    assert grant_brake(_grant(before) if before else None, _grant(after)) is expected


def test_a_chart_that_would_open_wider_waits_whatever_the_reason() -> None:
    wide = _grant(A, "dependent-is-adult")
    narrow = msgspec.structs.replace(wide, access=Access.LIMITED)
    assert restrained(narrow, wide, {Brake.GRANT}) is None
    assert restrained(wide, narrow, {Brake.GRANT}) == narrow


@given(st.none() | GRANTS, GRANTS)
def test_without_a_brake_every_change_happens(before: Grant | None, after: Grant) -> None:
    assert restrained(before, after, ()) == after
    assert grant_brake(before, after) in (None, Brake.GRANT, Brake.REVOCATION)


def test_a_contact_that_is_gone_keeps_the_chart_open_and_the_account_as_it_is() -> None:
    practice = _anna_invited()
    now = decisions(decided([mia(), leo(), anna("leo")]))[ANNAS]
    actions = plan_account(now, practice.accounts[ANNAS], {}, hold_welcome=False, brakes=ALL)
    assert actions == []


def test_an_authority_none_suspends_the_chart_and_the_account_where_it_would_end_them() -> None:
    practice = _anna_invited()
    nos: list[Fact] = [mia(), leo(), anna(authority=Authority.NONE), anna("leo", authority=Authority.NONE)]
    members = decided(nos)
    account = practice.accounts[ANNAS]
    free = plan_account(decisions(members)[ANNAS], account, members, hold_welcome=False)
    assert {action.action for action in free} == {ActionKind.END_GRANT, ActionKind.CLOSE_ACCOUNT}
    kept = plan_account(decisions(members)[ANNAS], account, members, hold_welcome=False, brakes=ALL)
    assert {action.action for action in kept} == {ActionKind.SUSPEND_GRANT, ActionKind.SUSPEND_ACCOUNT}
    assert {action.reason for action in kept} == {"authority-none"}


def test_a_new_account_waits_as_a_whole() -> None:
    members = decided([mia(), anna()])
    decision = decisions(members)[ANNAS]
    assert plan_account(decision, None, members, hold_welcome=False, brakes=(Brake.GRANT,)) == []
    opened = plan_account(decision, None, members, hold_welcome=False, brakes=(Brake.WELCOME,))
    assert [action.action for action in opened] == [ActionKind.OPEN_ACCOUNT, ActionKind.GRANT]


def test_what_was_suspended_meanwhile_is_not_ended_while_the_brake_is_on() -> None:
    account = _anna_invited().accounts[ANNAS]
    grants = {
        chart: msgspec.structs.replace(grant, state=GrantState.SUSPENDED, reason="authority-none")
        for chart, grant in account.grants.items()
    }
    account = msgspec.structs.replace(account, grants=grants, status=AccountStatus.SUSPENDED)
    members = decided([mia(), leo(), anna(authority=Authority.NONE), anna("leo", authority=Authority.NONE)])
    kept = plan_account(decisions(members)[ANNAS], account, members, hold_welcome=False, brakes=ALL)
    assert kept == []


def test_the_cause_says_how_many_of_what_and_why() -> None:
    tripped = trip(LIMITS, Brake.REVOCATION, Seen(212), 230)
    assert tripped is not None
    reasons = {"contact-gone": 200, "authority-unknown": 12}
    said = cause(tripped, reasons, rules_changed=False)
    assert said == (
        "212 of 230 open charts would be closed because the contact was removed from the chart (200); the chart does "
        "not say which Authority the contact has (12). More than 5 is not ordinary, so they wait for a human."
    )
    assert "because the mapping or the policy changed; " in cause(tripped, reasons, rules_changed=True)


@pytest.mark.parametrize(
    ("tripped", "expected"),
    [
        (
            Trip(Brake.GRANT, 1_200, 25, 3_000, "run"),
            "1,200 charts, with 3,000 open now, would be opened. "
            "More than 25 is not ordinary, so they wait for a human.",
        ),
        (
            Trip(Brake.WELCOME, 60, 50, 10, "week"),
            "60 Welcome emails, with 10 accounts now, would be sent within 7 days. "
            "More than 50 is not ordinary, so they wait for a human.",
        ),
        (
            Trip(Brake.ADDRESS_CHANGE, 6, 5, 40, "day"),
            "6 of 40 accounts would move to another address within 24 hours. "
            "More than 5 is not ordinary, so they wait for a human.",
        ),
    ],
)
def test_the_cause_of_each_kind_in_its_words(tripped: Trip, expected: str) -> None:
    assert cause(tripped, {"authority-none": 3}, rules_changed=False) == expected


def test_the_cause_names_the_two_commonest_reasons_and_what_acts_meanwhile() -> None:
    tripped = Trip(Brake.REVOCATION, 12, 5, 40, "run")
    reasons = {"contact-gone": 2, "authority-none": 7, "email-missing": 3, "no-such-reason": 0}
    said = cause(tripped, reasons, rules_changed=False)
    assert f"because {REASONS['authority-none'].summary} (7); {REASONS['email-missing'].summary} (3). More" in said
    assert said.endswith("wait for a human; what the charts themselves state acts meanwhile, as a suspension.")
    assert "because" not in cause(tripped, {"no-such-reason": 12}, rules_changed=False)


def _grant(state: GrantState, reason: str = "eligible") -> Grant:
    joint = (Role.MOTHER, Authority.JOINT, Access.FULL)
    return Grant("Patient/mia", "RelatedPerson/anna", *joint, state, reason, source="")


def _anna_invited() -> Practice:
    practice = Practice()
    practice.sync(mia(), leo(), anna(), anna("leo"))
    practice.accounts[ANNAS] = invited(practice.accounts[ANNAS])
    return practice
