"""Taking a run back, one account at a time: the exact inverse, what blocks it, what stays closed, what has left."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from adapter.core.facts import Authority, Role
from adapter.core.plan import ActionKind
from adapter.core.policy import Access
from adapter.core.reasons import UNDONE
from adapter.core.state import Account, AccountStatus, EffectState, Grant, GrantState, Standing
from adapter.core.undo import Change, Terms, Undoing, undo_account
from tests.core.one_run import Run, trail
from tests.core.personas import ANNAS, LEO, MIA, NOW, anna, leo, mia
from tests.core.practice import Practice, applied, invited, registered

K = ActionKind
NEW = "anna@new.example"


def kinds(undoing: Undoing) -> list[ActionKind]:
    return [action.action for action in undoing.actions]


def opened() -> Run:
    """A run that has opened the account."""
    run = Run()
    practice = Practice()
    run.changes, run.after = trail(practice.sync(mia(), anna())), practice.accounts[ANNAS]
    return run


def closed(was: Any = invited) -> Run:
    """A run in which Anna's Authority became None."""
    return Run(was).sync(mia(), anna(authority=Authority.NONE))


def held(was: Any = invited) -> Run:
    """A run in which nobody could read Anna's role."""
    return Run(was).sync(mia(), anna(role=Role.UNKNOWN))


def grant_of(account: Account, **changes: Any) -> dict[str, Grant]:
    return {MIA: msgspec.structs.replace(account.grants[MIA], **changes)}


@pytest.mark.parametrize(
    ("was", "expected"),
    [
        (invited, [K.GRANT, K.REOPEN_ACCOUNT]),
        (registered, [K.GRANT, K.REOPEN_ACCOUNT]),
        (None, [K.GRANT, K.REOPEN_ACCOUNT, K.QUEUE_WELCOME]),
    ],
)
def test_a_closed_account_is_as_it_was(was: Any, expected: list[ActionKind]) -> None:
    run = closed(was)
    undoing = run.undo()
    assert kinds(undoing) == expected
    after = applied(run.after, undoing.actions)
    assert after is not None
    assert (after.grants, after.status, after.welcome) == (run.before.grants, run.before.status, run.before.welcome)
    assert {action.reason for action in undoing.actions} == {UNDONE}
    assert not undoing.moved and not undoing.stays and not undoing.left


def test_every_action_says_what_it_changes_and_from_what() -> None:
    run = closed()
    grant, reopen = run.undo().actions
    assert (grant.patient, grant.grant, grant.before) == (MIA, run.before.grants[MIA], run.after.grants[MIA])
    assert (grant.account, grant.account_id, grant.source) == (ANNAS, run.after.id, run.before.grants[MIA].source)
    assert grant.was is None
    assert (reopen.status, reopen.was, reopen.source) == (AccountStatus.INVITED, Standing.of(run.after), "")
    assert (reopen.email, reopen.name, reopen.language) == (ANNAS, "Anna Rivera", run.before.language)
    assert (reopen.account, reopen.account_id, reopen.new_key) == (ANNAS, run.after.id, "")


@pytest.mark.parametrize(
    ("was", "dead"), [(invited, True), (registered, False), (None, False)], ids=["invited", "registered", "pending"]
)
def test_only_a_link_that_had_left_is_dead(was: Any, dead: bool) -> None:
    assert closed(was).undo().dead_link is dead


def test_the_link_of_an_account_that_is_open_is_not_dead() -> None:
    assert not held(invited).undo().dead_link


def test_an_account_that_the_run_opened_is_closed_with_all_it_had() -> None:
    run = opened()
    undoing = run.undo()
    assert kinds(undoing) == [K.END_GRANT, K.CLOSE_ACCOUNT, K.CANCEL_WELCOME]
    ended = undoing.actions[0].grant
    assert ended is not None
    assert (ended.state, ended.reason, ended.access, ended.until) == (GrantState.ENDED, UNDONE, Access.NONE, None)
    assert undoing.actions[1].status is AccountStatus.CLOSED


@pytest.mark.parametrize("welcome", list(EffectState))
def test_a_welcome_email_that_waits_is_cancelled_and_one_that_left_is_told(welcome: EffectState) -> None:
    undoing = opened().undo(welcome=welcome)
    assert (K.CANCEL_WELCOME in kinds(undoing)) is (welcome in (EffectState.QUEUED, EffectState.HELD))
    assert undoing.left is (welcome in (EffectState.SENT, EffectState.SENDING, EffectState.UNKNOWN))


def test_a_welcome_email_of_another_run_is_none_of_this_one_s() -> None:
    undoing = held(None).undo(welcome=EffectState.QUEUED)
    assert K.CANCEL_WELCOME not in kinds(undoing)
    assert not held().undo().left
    assert undo_account(held().changes, held().after, {}, notice_left=True).left


@pytest.mark.parametrize(("hold", "expected"), [(True, K.HOLD_WELCOME), (False, K.QUEUE_WELCOME)])
def test_a_welcome_email_that_waited_waits_again_as_it_did(hold: bool, expected: ActionKind) -> None:
    state = EffectState.HELD if hold else EffectState.QUEUED
    run = closed(lambda account: msgspec.structs.replace(account, welcome=state))
    assert kinds(run.undo())[-1] is expected
    assert kinds(run.undo(registered=True)) == [K.GRANT, K.REOPEN_ACCOUNT]
    assert kinds(run.undo(welcome=EffectState.FAILED)) == [K.GRANT, K.REOPEN_ACCOUNT]
    shut = undo_account(run.changes, run.after, {MIA: "patient-deceased"})
    assert kinds(shut) == []


def test_what_now_speaks_against_a_chart_keeps_it_closed_and_the_account_too() -> None:
    run = closed()
    undoing = undo_account(run.changes, run.after, {MIA: "patient-deceased"})
    assert undoing.stays == {MIA: "patient-deceased"} and undoing.actions == []


def test_a_chart_opens_again_only_as_far_as_it_may_now() -> None:
    run = closed()
    narrow = msgspec.structs.replace(run.before.grants[MIA], access=Access.LIMITED)
    assert undo_account(run.changes, run.after, {MIA: narrow}).actions[0].grant == narrow


@pytest.mark.parametrize(
    "changes", [{"state": GrantState.HELD}, {"access": Access.LIMITED}, {"contact": "RelatedPerson/z"}]
)
def test_a_chart_that_has_moved_since_blocks_it_all(changes: dict[str, Any]) -> None:
    run = closed()
    undoing = run.undo(grants=grant_of(run.after, **changes))
    assert undoing.moved == [MIA] and undoing.actions == []


def test_a_chart_that_is_gone_since_blocks_it_all() -> None:
    assert closed().undo(grants={}).moved == [MIA]


def test_a_new_reason_or_version_alone_blocks_nothing() -> None:
    run = closed()
    grants = grant_of(run.after, reason="role-self", source="RelatedPerson/anna-mia/_history/9")
    assert not run.undo(grants=grants).moved


STATUSES = list(AccountStatus)


@pytest.mark.parametrize("status", STATUSES)
def test_an_account_that_the_run_shut_must_still_be_shut(status: AccountStatus) -> None:
    assert closed().undo(status=status).moved == ([] if status is AccountStatus.CLOSED else ["account"])


@pytest.mark.parametrize("status", STATUSES)
def test_an_account_that_the_run_opened_may_have_grown(status: AccountStatus) -> None:
    blocks = status in (AccountStatus.SUSPENDED, AccountStatus.CLOSED)
    assert opened().undo(status=status).moved == (["account"] if blocks else [])


def test_a_trail_that_does_not_say_what_was_before_is_not_taken_back() -> None:
    run = closed()
    old = [msgspec.structs.replace(change, was=None) for change in run.changes]
    assert undo_account(old, run.after, {}).moved == ["account"]
    new = opened()
    assert [change.was for change in new.changes if change.action is K.OPEN_ACCOUNT] == [None]
    assert not new.undo().moved


def moved_away(was: Any = invited) -> Run:
    """A run in which Anna has a new address."""
    run = Run(was).sync(mia(), anna(email=NEW))
    (run.after,) = run.practice.accounts.values()
    return run


def test_an_account_goes_back_to_its_old_address() -> None:
    run = moved_away(lambda account: msgspec.structs.replace(registered(account), registered_at=NOW))
    back = run.undo().actions[0]
    assert (back.action, back.account, back.new_key) == (K.MOVE_BACK, NEW, ANNAS)
    assert (back.email, back.status, back.registered_at) == (ANNAS, AccountStatus.REGISTERED, NOW)
    assert (back.was, back.account_id) == (Standing.of(run.after), run.after.id)
    assert {action.account for action in run.undo().actions[1:]} <= {ANNAS}
    assert K.UPDATE_ACCOUNT not in kinds(run.undo()) and K.REOPEN_ACCOUNT not in kinds(run.undo())


def test_an_account_that_has_moved_on_or_has_registered_meanwhile_stays() -> None:
    run = moved_away()
    assert run.undo(email_key="anna@third.example").moved == ["account"]
    assert run.undo(registered_at=NOW + timedelta(days=1)).moved == ["account"]
    assert not run.undo().moved


def test_registering_blocks_nothing_where_nobody_has_moved() -> None:
    assert not held().undo(registered_at=NOW).moved


def test_a_new_name_is_taken_back() -> None:
    run = Run(invited).sync(mia(), anna(names=("Anna Lopez",)))
    (update,) = run.undo().actions
    assert (update.action, update.name, update.status) == (K.UPDATE_ACCOUNT, "Anna Rivera", AccountStatus.INVITED)


def test_a_hold_is_taken_back_on_an_account_that_was_open_all_the_time() -> None:
    run = held()
    assert [change.action for change in run.changes] == [K.HOLD_GRANT]
    assert kinds(run.undo()) == [K.GRANT]


def test_a_grant_that_only_changed_changes_back() -> None:
    run = Run(invited).sync(mia(), anna(role=Role.GUARDIAN))
    (back,) = run.undo().actions
    assert (back.action, back.grant) == (K.CHANGE_GRANT, run.before.grants[MIA])


def test_a_second_chart_ends_and_the_first_one_stays() -> None:
    run = Run(invited).sync(mia(), anna(), leo(), anna("leo"))
    undoing = run.undo()
    assert [(action.action, action.patient) for action in undoing.actions] == [(K.END_GRANT, LEO)]


def test_of_two_changes_to_one_chart_the_first_says_how_it_was() -> None:
    run = held()
    middle = run.after
    run.changes = run.changes + trail(run.practice.sync(mia(), anna(authority=Authority.NONE)))
    run.after = run.practice.accounts[ANNAS]
    undoing = run.undo()
    assert middle.grants[MIA].state is GrantState.HELD
    assert undoing.actions[0].grant == run.before.grants[MIA]


def test_a_new_grant_that_was_ended_at_once_has_nothing_to_take_back() -> None:
    account = Run(invited).before
    ended = grant_of(account, state=GrantState.ENDED, access=Access.NONE, reason="authority-none")
    change = Change(action=K.END_GRANT, patient=MIA, after=Terms.of(ended[MIA]))
    assert undo_account([change], msgspec.structs.replace(account, grants=ended), {}).actions == []


def test_a_reopened_account_is_shut_again() -> None:
    run = closed()
    run.before = run.after
    run.sync(mia(), anna())
    undoing = run.undo()
    assert kinds(undoing)[:2] == [K.END_GRANT, K.CLOSE_ACCOUNT]
    assert applied(run.after, undoing.actions[:2]) is not None


def test_the_last_status_of_the_run_is_the_one_that_must_still_stand() -> None:
    run = closed()
    shut = run.changes + [
        msgspec.structs.replace(change, became=Standing(AccountStatus.SUSPENDED))
        for change in run.changes
        if change.action is K.CLOSE_ACCOUNT
    ]
    assert undo_account(shut, run.after, {}).moved == ["account"]
    suspended = msgspec.structs.replace(run.after, status=AccountStatus.SUSPENDED)
    assert not undo_account(shut, suspended, {}).moved
