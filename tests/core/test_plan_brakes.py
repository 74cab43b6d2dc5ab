"""What a plan leaves out while a brake is on, which brake counts each action, and the order in which a plan chooses."""

from typing import Any

import msgspec
import pytest

from adapter.core.accounts import nobody
from adapter.core.brakes import Brake
from adapter.core.facts import Authority, Contact, Fact, Role
from adapter.core.plan import Action, ActionKind, plan_account
from adapter.core.state import Account, AccountStatus, EffectState, GrantState
from tests.core.personas import ANNAS, LEO, MIA, anna, leo, mia
from tests.core.practice import Practice, decided, decisions, invited

K = ActionKind
NEW = "anna@new.example"


def planned(account: Account | None, *facts: Fact, **how: Any) -> list[Action]:
    members = decided(facts)
    return plan_account(decisions(members)[ANNAS], account, members, **({"hold_welcome": False} | how))


def annas_account(*facts: Fact) -> Account:
    practice = Practice()
    practice.sync(*(facts or (mia(), anna())))
    return practice.accounts[ANNAS]


def test_which_brake_counts_an_action() -> None:
    practice = Practice()
    actions = practice.sync(mia(), anna()) + practice.sync(mia(), anna(email=NEW)) + practice.sync(mia())
    assert {action.action: action.brake for action in actions} == {
        K.OPEN_ACCOUNT: None,
        K.GRANT: Brake.GRANT,
        K.QUEUE_WELCOME: Brake.WELCOME,
        K.MOVE_ACCOUNT: Brake.ADDRESS_CHANGE,
        K.END_GRANT: Brake.REVOCATION,
        K.CLOSE_ACCOUNT: None,
        K.CANCEL_WELCOME: None,
    }


def test_an_action_says_nothing_that_it_was_not_given() -> None:
    action = Action(K.CANCEL_WELCOME, ANNAS, None, "no-open-chart", "")
    assert (action.email, action.name, action.language, action.new_key, action.account_id) == ("",) * 5


@pytest.mark.parametrize("damaged", [anna(unusable="is no JSON"), anna(role=Role.UNKNOWN), anna(email="")])
def test_a_chart_whose_patient_has_died_closes_under_a_brake_whatever_else_is_wrong(damaged: Contact) -> None:
    account = annas_account()
    members = decided((mia(deceased=True), damaged))
    decision = decisions(members).get(ANNAS) or nobody(ANNAS)
    kept = plan_account(decision, account, members, hold_welcome=False, brakes=tuple(Brake))
    assert [one.grant.state for one in kept if one.grant] != [GrantState.ACTIVE] and kept
    alive = decided((mia(), damaged))
    decision = decisions(alive).get(ANNAS) or nobody(ANNAS)
    assert plan_account(decision, account, alive, hold_welcome=False, brakes=tuple(Brake)) == []


def test_a_new_account_of_which_one_chart_waits_waits_with_the_others() -> None:
    held = (leo(), anna("leo", role=Role.UNKNOWN), mia(), anna())
    assert planned(None, *held, brakes=(Brake.GRANT,)) == []
    one_that_waits_before_one_that_does_not = (leo(), anna("leo"), mia(), anna(role=Role.UNKNOWN))
    assert planned(None, *one_that_waits_before_one_that_does_not, brakes=(Brake.GRANT,)) == []


@pytest.mark.parametrize(
    ("welcome", "generation", "hold", "expected"),
    [
        (EffectState.CANCELLED, 1, False, []),  # one that was cancelled is a first one again
        (None, 0, False, []),
        (None, 1, False, [K.QUEUE_WELCOME]),  # an account that moved: that brake has counted it
        (None, 0, True, [K.HOLD_WELCOME]),  # it waits in any case
    ],
)
def test_first_welcome_emails_wait_while_their_brake_is_on(
    welcome: EffectState | None, generation: int, hold: bool, expected: list[ActionKind]
) -> None:
    account = msgspec.structs.replace(annas_account(), welcome=welcome, generation=generation)
    actions = planned(account, mia(), anna(), brakes=(Brake.WELCOME,), hold_welcome=hold)
    assert [action.action for action in actions] == expected


def test_an_account_that_opens_nothing_yet_has_the_first_chart_s_reason() -> None:
    assert LEO < MIA
    opening = planned(None, leo(), anna("leo", role=Role.UNKNOWN), mia(), anna(role=Role.OTHER))[0]
    assert (opening.action, opening.reason) == (K.OPEN_ACCOUNT, "role-unknown")


def test_an_account_moves_by_the_first_of_its_contacts() -> None:
    practice = Practice()
    practice.sync(leo(), anna("leo"), mia(), anna())
    moved = practice.sync(leo(), anna("leo", email=NEW), mia(), anna(email=NEW))
    assert [action.source for action in moved if action.action is K.MOVE_ACCOUNT] == [anna("leo").source]


def test_a_contact_that_is_gone_or_whose_grant_has_ended_keeps_no_account_from_moving() -> None:
    for leos in ([], [anna("leo", authority=Authority.NONE)]):
        practice = Practice()
        practice.sync(leo(), anna("leo"), mia(), anna())
        practice.sync(leo(), *leos, mia(), anna())
        moved = practice.sync(leo(), *leos, mia(), anna(email=NEW))
        assert [action.new_key for action in moved if action.action is K.MOVE_ACCOUNT] == [NEW]
    practice = Practice()
    practice.sync(leo(), anna("leo"), mia(), anna())
    assert K.MOVE_ACCOUNT in {one.action for one in practice.sync(leo(), mia(), anna(email=NEW))}


ENDS, HOLDS = {"authority": Authority.NONE}, {"role": Role.UNKNOWN}


@pytest.mark.parametrize(
    ("leos", "mias", "inactive", "expected"),
    [
        (ENDS, ENDS, False, AccountStatus.CLOSED),
        (ENDS, {}, True, AccountStatus.SUSPENDED),
        (ENDS, HOLDS, False, AccountStatus.INVITED),
        (HOLDS, {}, True, AccountStatus.INVITED),  # a hold is no evidence against anybody
    ],
)
def test_an_account_that_opens_nothing_is_closed_only_if_everything_has_ended(
    leos: dict[str, Any], mias: dict[str, Any], inactive: bool, expected: AccountStatus
) -> None:
    practice = Practice()
    practice.sync(leo(), anna("leo"), mia(), anna())
    practice.accounts[ANNAS] = invited(practice.accounts[ANNAS])
    practice.sync(leo(), anna("leo", **leos), mia(active=not inactive), anna(**mias))
    assert (practice.opens(ANNAS), practice.accounts[ANNAS].status) == ([], expected)
