"""What a plan says of itself: every action has the reason and the record that caused it, and names only whom it must.

Written for changes to the code that no other test noticed (mutation testing: docs/assurance.md).
"""

from datetime import date, timedelta

import msgspec
import pytest

from adapter.core.accounts import Member, lost_grant, nobody
from adapter.core.decide import Outcome, decide_chart
from adapter.core.facts import Authority, Role
from adapter.core.plan import Action, ActionKind, plan_account
from adapter.core.policy import Access
from adapter.core.state import AccountStatus, EffectState, GrantState
from tests.core.personas import ANNAS, LEO, MIA, NOW, anna, ben, leo, mia
from tests.core.practice import POLICY, Practice, decided, invited, registered, row_of

NEW = "RelatedPerson/anna-mia/_history/2"
ACCOUNT_KINDS = {
    ActionKind.OPEN_ACCOUNT,
    ActionKind.MOVE_ACCOUNT,
    ActionKind.UPDATE_ACCOUNT,
    ActionKind.REOPEN_ACCOUNT,
    ActionKind.SUSPEND_ACCOUNT,
    ActionKind.CLOSE_ACCOUNT,
}


@pytest.fixture
def practice() -> Practice:
    """Anna may see Mia's chart."""
    practice = Practice()
    practice.sync(mia(), anna())
    return practice


def one(actions: list[Action], kind: ActionKind) -> Action:
    """The only action of this kind."""
    (found,) = [action for action in actions if action.action is kind]
    return found


def test_an_account_opens_for_the_chart_that_is_open_not_for_the_first_one() -> None:
    assert LEO < MIA
    actions = Practice().sync(leo(), anna("leo", role=Role.UNKNOWN), mia(), anna())
    opening = one(actions, ActionKind.OPEN_ACCOUNT)
    assert (opening.reason, opening.source) == ("eligible", "RelatedPerson/anna-mia/_history/1")


def test_an_account_that_opens_nothing_yet_says_why() -> None:
    opening = one(Practice().sync(mia(), anna(role=Role.UNKNOWN)), ActionKind.OPEN_ACCOUNT)
    assert opening.reason == "role-unknown"


def test_whatever_follows_from_a_grant_has_its_reason_and_source(practice: Practice) -> None:
    actions = practice.sync(mia(), anna(authority=Authority.NONE, source=NEW))
    kinds = {action.action for action in actions}
    assert kinds == {ActionKind.END_GRANT, ActionKind.CLOSE_ACCOUNT, ActionKind.CANCEL_WELCOME}
    assert {(action.reason, action.source) for action in actions} == {("authority-none", NEW)}


def test_only_what_is_about_the_account_names_its_owner(practice: Practice) -> None:
    actions = Practice().sync(mia(), anna(), leo(), anna("leo")) + practice.sync(mia(), anna(role=Role.UNKNOWN))
    for action in actions:
        named = action.action in ACCOUNT_KINDS
        assert bool(action.email) is bool(action.name) is named
        assert named or not action.language


def test_an_account_that_the_plan_opens_has_no_id_yet_and_a_known_one_has_its_own(practice: Practice) -> None:
    assert {action.account_id for action in Practice().sync(mia(), anna())} == {""}
    later = practice.sync(mia(), anna(authority=Authority.NONE))
    assert {action.account_id for action in later} == {practice.accounts[ANNAS].id}


def test_a_new_name_alone_has_no_grant_behind_it(practice: Practice) -> None:
    update = one(practice.sync(mia(), anna(names=("Anna Lopez",))), ActionKind.UPDATE_ACCOUNT)
    assert (update.name, update.reason, update.source) == ("Anna Lopez", "eligible", "")


def test_a_new_name_with_a_changed_grant_has_the_grants_reason(practice: Practice) -> None:
    changed = anna(names=("Anna Lopez",), role=Role.UNKNOWN, source=NEW)
    update = one(practice.sync(mia(), changed), ActionKind.UPDATE_ACCOUNT)
    assert (update.reason, update.source) == ("role-unknown", NEW)


def test_an_account_found_open_with_nothing_to_open_is_closed_for_just_that(practice: Practice) -> None:
    account = practice.accounts[ANNAS]
    ended = {MIA: msgspec.structs.replace(account.grants[MIA], state=GrantState.ENDED)}
    left = msgspec.structs.replace(account, grants=ended, status=AccountStatus.INVITED, welcome=EffectState.QUEUED)
    actions = plan_account(nobody(ANNAS), left, {}, hold_welcome=False)
    assert [action.action for action in actions] == [ActionKind.CLOSE_ACCOUNT, ActionKind.CANCEL_WELCOME]
    assert {(action.reason, action.source) for action in actions} == {("no-open-chart", "")}


@pytest.mark.parametrize(("was", "status"), [(invited, AccountStatus.PENDING), (registered, AccountStatus.REGISTERED)])
def test_a_reopened_account_is_registered_only_if_it_was(
    practice: Practice, was: object, status: AccountStatus
) -> None:
    assert callable(was)
    practice.accounts[ANNAS] = was(practice.accounts[ANNAS])
    practice.sync(mia(), anna(authority=Authority.NONE))
    assert practice.accounts[ANNAS].status is AccountStatus.CLOSED
    reopening = one(practice.sync(mia(), anna(source=NEW)), ActionKind.REOPEN_ACCOUNT)
    assert (reopening.status, reopening.reason, reopening.source) == (status, "eligible", NEW)


def test_a_move_says_whose_account_it_is_and_which_record_says_so(practice: Practice) -> None:
    moved = anna(email="anna@new.example", names=("Anna Lopez",), language="es", source=NEW)
    move = one(practice.sync(mia(), moved), ActionKind.MOVE_ACCOUNT)
    assert (move.name, move.language, move.source, move.reason) == ("Anna Lopez", "es", NEW, "email-changed")
    assert (move.account, move.new_key, move.email) == (ANNAS, "anna@new.example", "anna@new.example")


def test_a_grant_whose_contact_points_nowhere_is_held_whatever_was_decided_before(practice: Practice) -> None:
    adrift = Member(anna(patient_problem="points to another EHR"), Outcome())
    grant = practice.accounts[ANNAS].grants[MIA]
    assert lost_grant(grant, {grant.contact: adrift}) == (GrantState.HELD, "patient-mismatch")


def test_of_two_rows_that_open_a_chart_the_exclusive_one_counts() -> None:
    practice = Practice()
    practice.sync(mia(), anna(), anna(ref="RelatedPerson/z", authority=Authority.EXCLUSIVE))
    grant = practice.accounts[ANNAS].grants[MIA]
    assert (grant.contact, grant.authority) == ("RelatedPerson/z", Authority.EXCLUSIVE)


def test_of_two_rows_that_open_nothing_the_one_that_is_closest_to_it_counts() -> None:
    practice = Practice()
    practice.sync(mia(), anna(active=False), anna(ref="RelatedPerson/z", role=Role.UNKNOWN))
    assert practice.accounts[ANNAS].grants[MIA].reason == "role-unknown"


def test_the_same_name_with_another_birth_date_is_not_the_one_with_exclusive_authority() -> None:
    exclusive = anna(role=Role.GUARDIAN, birth_date="1988-02-11", authority=Authority.EXCLUSIVE)
    namesake = anna(ref="RelatedPerson/z", role=Role.GUARDIAN, birth_date="1961-07-30")
    members = decided((mia(), exclusive, namesake))
    assert members[exclusive.ref].outcome.opens
    assert members[namesake.ref].outcome.headline == "authority-conflict"


def test_exclusive_authority_ends_with_its_period_to_the_moment() -> None:
    ended = ben(authority=Authority.EXCLUSIVE, end=(NOW - timedelta(microseconds=1)).isoformat())
    lasting = ben(authority=Authority.EXCLUSIVE, end=NOW.isoformat())
    assert decided((mia(), anna(), ended))[anna().ref].outcome.opens
    assert decided((mia(), anna(), lasting))[anna().ref].outcome.headline == "authority-conflict"


def test_half_a_read_that_may_not_open_one_chart_still_closes_the_next() -> None:
    practice = Practice()
    practice.sync(mia(), anna())
    practice.sync(leo(), anna("leo"), mia(), anna(authority=Authority.NONE), only_restrict=True)
    assert practice.opens(ANNAS) == []


def test_a_grant_that_is_lost_opens_nothing(practice: Practice) -> None:
    ended = one(practice.sync(mia()), ActionKind.END_GRANT)
    assert ended.grant is not None and ended.grant.access is Access.NONE


def test_a_period_counts_for_the_review_whoever_stands_before_it() -> None:
    ending = ben(end="2026-03-10")
    assert decide_chart(mia(), (anna(), ending), POLICY, NOW).review_on == date(2026, 3, 11)


def test_every_rule_says_in_words_what_it_found() -> None:
    said = {step.rule: step.because for step in row_of(anna(role_text="Mother"), mia()).steps}
    assert said["authority"] == "The Authority is Joint."
    assert said["role"] == "The Role/Reason Mother is a known one."
    assert said["email"] == f"The e-mail address is {ANNAS}."
    assert said["age"] == "By the patient's age access is full."
    assert said["chart"] == f"The contact is on the chart {MIA}."
    refused = {step.outcome: step.because for step in row_of(anna(), mia(deceased=True)).steps}
    assert refused["patient-deceased"] == "The chart says that the patient has died."


def test_an_account_moves_when_one_of_several_charts_may_be_opened_at_the_new_address() -> None:
    practice = Practice()
    practice.sync(mia(), anna(), leo(), anna("leo"))
    new = {"email": "anna@new.example"}
    move = one(practice.sync(mia(), anna(**new), leo(), anna("leo", role=Role.UNKNOWN, **new)), ActionKind.MOVE_ACCOUNT)
    assert move.new_key == "anna@new.example"
