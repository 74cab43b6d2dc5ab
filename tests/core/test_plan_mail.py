"""The one Welcome email of an account: queued, held, cancelled, sent again; and the account that moves."""

import msgspec
import pytest

from adapter.core.facts import Authority, Role
from adapter.core.plan import Action, plan_move
from adapter.core.reasons import FIRST_RUN
from adapter.core.state import AccountStatus, EffectState
from tests.core.personas import ANNAS, LEO, MIA, anna, ben, leo, mia
from tests.core.practice import Practice, decided, decisions, invited, registered

NEW = "anna@work.example"


def kinds(actions: list[Action]) -> list[str]:
    return [action.action for action in actions]


def with_welcome(state: EffectState) -> Practice:
    """A practice in which Anna's Welcome email is in this state."""
    practice = Practice()
    practice.sync(mia(), anna())
    practice.accounts[ANNAS] = msgspec.structs.replace(practice.accounts[ANNAS], welcome=state)
    return practice


# ---- queue, hold, cancel, again ------------------------------------------------------------------------------------


def test_the_first_welcome_emails_of_a_practice_are_held() -> None:
    practice = Practice(hold_welcome=True)
    last = practice.sync(mia(), anna())[-1]
    assert (last.action, last.reason) == ("hold-welcome", FIRST_RUN)
    assert practice.welcome(ANNAS) is EffectState.HELD
    assert practice.sync(mia(), anna()) == []


@pytest.mark.parametrize("state", sorted(set(EffectState) - {EffectState.CANCELLED}))
def test_an_account_gets_its_welcome_email_once(state: EffectState) -> None:
    assert with_welcome(state).sync(mia(), anna()) == []


@pytest.mark.parametrize("waiting", [EffectState.QUEUED, EffectState.HELD])
def test_a_welcome_email_that_has_not_left_is_cancelled_with_the_last_chart(waiting: EffectState) -> None:
    practice = with_welcome(waiting)
    actions = practice.sync(mia(), anna(authority=Authority.NONE))
    assert kinds(actions) == ["end-grant", "close-account", "cancel-welcome"]
    assert actions[-1].reason == "authority-none"
    assert practice.sync(mia(), anna(authority=Authority.NONE)) == []


@pytest.mark.parametrize(
    "state", [EffectState.SENT, EffectState.SENDING, EffectState.UNKNOWN, EffectState.FAILED, EffectState.CANCELLED]
)
def test_a_welcome_email_that_is_under_way_or_done_cannot_be_cancelled(state: EffectState) -> None:
    actions = with_welcome(state).sync(mia(), anna(authority=Authority.NONE))
    assert kinds(actions) == ["end-grant", "close-account"]


def test_a_cancelled_welcome_email_is_queued_again_when_the_chart_opens_again() -> None:
    practice = with_welcome(EffectState.QUEUED)
    practice.sync(mia(), anna(authority=Authority.UNKNOWN))
    assert kinds(practice.sync(mia(), anna()))[-1] == "queue-welcome"
    assert practice.welcome(ANNAS) is EffectState.QUEUED


def test_a_welcome_email_that_still_waits_serves_the_account_that_opens_again() -> None:
    practice = with_welcome(EffectState.QUEUED)
    practice.accounts[ANNAS] = msgspec.structs.replace(practice.accounts[ANNAS], status=AccountStatus.SUSPENDED)
    assert kinds(practice.sync(mia(), anna())) == ["reopen-account"]


def test_a_held_account_never_had_a_welcome_email_to_cancel() -> None:
    practice = Practice()
    practice.sync(mia(), anna(role=Role.OTHER))
    assert practice.welcome(ANNAS) is None


def test_an_incomplete_read_cancels_but_never_queues() -> None:
    practice = with_welcome(EffectState.QUEUED)
    actions = practice.sync(mia(), anna(authority=Authority.NONE), only_restrict=True)
    assert kinds(actions)[-1] == "cancel-welcome"
    assert practice.sync(mia(), anna(), only_restrict=True) == []


# ---- move ----------------------------------------------------------------------------------------------------------


def test_a_new_address_on_every_chart_moves_the_account_and_sends_a_new_welcome_email() -> None:
    practice = Practice()
    practice.sync(mia(), leo(), anna(), anna("leo"))
    practice.accounts[ANNAS] = invited(practice.accounts[ANNAS])
    facts = mia(), leo(), anna(email=NEW), anna("leo", email=NEW)
    actions = practice.sync(*facts)
    assert [(action.action, action.account, action.reason) for action in actions] == [
        ("move-account", ANNAS, "email-changed"),
        ("queue-welcome", NEW, "eligible"),
    ]
    assert (actions[0].new_key, actions[0].account_id) == (NEW, f"id-{ANNAS}")
    assert list(practice.accounts) == [NEW]
    assert practice.opens(NEW) == [LEO, MIA]
    assert practice.sync(*facts) == []


def test_a_registered_parent_who_moves_confirms_the_new_address_first() -> None:
    practice = Practice()
    practice.sync(mia(), anna())
    practice.accounts[ANNAS] = registered(practice.accounts[ANNAS])
    practice.sync(mia(), anna(email=NEW))
    account = practice.accounts[NEW]
    assert (account.status, account.registered, account.welcome) == (AccountStatus.PENDING, False, EffectState.QUEUED)


def test_a_new_address_on_one_chart_only_makes_two_accounts() -> None:
    practice = Practice()
    practice.sync(mia(), leo(), anna(), anna("leo"))
    practice.accounts[ANNAS] = invited(practice.accounts[ANNAS])
    actions = practice.sync(mia(), leo(), anna(), anna("leo", email=NEW))
    assert [(action.action, action.account, action.reason) for action in actions] == [
        ("end-grant", ANNAS, "email-changed"),
        ("open-account", NEW, "eligible"),
        ("grant", NEW, "eligible"),
        ("queue-welcome", NEW, "eligible"),
    ]


def test_an_account_that_two_people_use_does_not_follow_one_of_them() -> None:
    practice = Practice()
    practice.sync(mia(), leo(), anna("mia"), anna("leo"))
    account = practice.accounts[ANNAS]
    members = decided((mia(), leo(), anna("mia", email=NEW), anna("leo", email="else@rivera.example")))
    assert plan_move(decisions(members)[NEW], account, members) is None


def test_an_account_whose_grants_have_all_ended_does_not_move() -> None:
    practice = Practice()
    practice.sync(mia(), anna())
    practice.sync(mia(), anna(authority=Authority.NONE))
    members = decided((mia(), anna(email=NEW)))
    assert plan_move(decisions(members)[NEW], practice.accounts[ANNAS], members) is None


def test_a_contact_that_is_gone_keeps_nobody_from_moving() -> None:
    practice = Practice()
    practice.sync(mia(), leo(), anna("mia"), anna("leo"))
    later = (mia(), leo(), anna("mia", email=NEW))
    assert [action.action for action in practice.sync(*later)][:1] == ["move-account"]
    assert practice.opens(NEW) == ["Patient/mia"] and practice.sync(*later) == []


def test_an_account_does_not_move_to_an_address_that_opens_nothing() -> None:
    practice = Practice()
    practice.sync(mia(), leo(), anna("mia"), anna("leo"))
    later = (mia(), anna("mia", email=NEW, email_end="2020-01-01"))
    assert "move-account" not in [action.action for action in practice.sync(*later)]
    assert practice.sync(*later) == []


def test_a_move_into_a_mailbox_that_somebody_else_reads_opens_nothing() -> None:
    practice = Practice()
    practice.sync(mia(), anna())
    practice.sync(mia(), anna(email=NEW), ben(email=NEW, authority=Authority.NONE))
    assert practice.opens(NEW) == []
    assert practice.welcome(NEW) is None
