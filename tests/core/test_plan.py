"""From what an account should be to the actions that make it so: every transition, each with its reason."""

from typing import Any

import pytest

from adapter.core.accounts import decide_account, nobody
from adapter.core.facts import Authority, Contact, Fact, Role
from adapter.core.plan import Action, ActionKind, plan_account
from adapter.core.policy import Access, Band, Policy
from adapter.core.reasons import FIRST_RUN
from adapter.core.state import Account, AccountStatus, EffectState, GrantState
from tests.core.personas import ANNAS, LEO, MIA, anna, ben, leo, mia
from tests.core.practice import Practice, decided, invited, registered

NONE, EXCLUSIVE, UNKNOWN = Authority.NONE, Authority.EXCLUSIVE, Authority.UNKNOWN
TEENS = Policy(bands=(Band(0, Access.FULL), Band(12, Access.LIMITED), Band(18, Access.NONE)))


def kinds(actions: list[Action]) -> list[str]:
    return [action.action for action in actions]


def said(actions: list[Action]) -> list[tuple[str, str | None, str]]:
    return [(action.action, action.patient, action.reason) for action in actions]


def practice_with(*facts: Fact, status: AccountStatus = AccountStatus.INVITED) -> Practice:
    """A practice that has synced these facts; Anna has had her Welcome email, and has registered if so said."""
    practice = Practice()
    practice.sync(*facts)
    after = {
        AccountStatus.PENDING: lambda same: same,
        AccountStatus.INVITED: invited,
        AccountStatus.REGISTERED: registered,
    }
    practice.accounts[ANNAS] = after[status](practice.accounts[ANNAS])
    return practice


def settled(practice: Practice, *facts: Fact) -> bool:
    """Whether the same facts again lead to no action at all."""
    return practice.sync(*facts) == []


# ---- open ----------------------------------------------------------------------------------------------------------


def test_a_new_parent_gets_an_account_a_grant_and_one_welcome_email() -> None:
    practice = Practice()
    assert said(practice.sync(mia(), anna())) == [
        ("open-account", None, "eligible"),
        ("grant", MIA, "eligible"),
        ("queue-welcome", None, "eligible"),
    ]
    account = practice.accounts[ANNAS]
    assert (account.status, account.email, account.name) == (AccountStatus.PENDING, ANNAS, "Anna Rivera")
    assert account.grants[MIA].state is GrantState.ACTIVE
    assert settled(practice, mia(), anna())


def test_siblings_make_one_account_and_one_welcome_email() -> None:
    actions = Practice().sync(mia(), leo(), anna("mia"), anna("leo"))
    assert kinds(actions) == ["open-account", "grant", "grant", "queue-welcome"]


def test_a_sibling_who_comes_later_needs_no_second_welcome_email() -> None:
    practice = practice_with(mia(), anna())
    assert said(practice.sync(mia(), leo(), anna(), anna("leo"))) == [("grant", LEO, "eligible")]


def test_every_action_names_the_record_version_that_caused_it() -> None:
    assert {action.source for action in Practice().sync(mia(), anna())} == {"RelatedPerson/anna-mia/_history/1"}


@pytest.mark.parametrize(
    "contact", [anna(authority=NONE), anna(authority=UNKNOWN), anna(email=""), anna(active=False), anna(role=Role.SELF)]
)
def test_a_contact_who_may_not_see_anything_gets_no_account(contact: Contact) -> None:
    practice = Practice()
    assert practice.sync(mia(), contact) == []
    assert practice.accounts == {}


@pytest.mark.parametrize(
    ("facts", "action", "reason"),
    [
        ([mia(), anna(role=Role.OTHER)], "hold-grant", "role-not-allowed"),
        ([mia(birth_date=""), anna()], "hold-grant", "birthdate-unusable"),
        ([mia(), anna(unusable="$: unreadable")], "hold-grant", "record-unusable"),
        ([mia(), anna(), ben(email=ANNAS, authority=NONE)], "hold-grant", "shared-email"),
        ([mia(), anna(), ben(authority=EXCLUSIVE, email="")], "suspend-grant", "authority-conflict"),
    ],
)
def test_what_is_held_has_an_account_but_no_welcome_email(facts: list[Fact], action: str, reason: str) -> None:
    practice = Practice()
    assert said(practice.sync(*facts)) == [("open-account", None, reason), (action, MIA, reason)]
    assert practice.accounts[ANNAS].status is AccountStatus.PENDING
    assert settled(practice, *facts)


def test_what_was_held_is_granted_when_the_chart_is_corrected() -> None:
    practice = Practice()
    practice.sync(mia(birth_date=""), anna())
    assert said(practice.sync(mia(), anna())) == [("grant", MIA, "eligible"), ("queue-welcome", None, "eligible")]


# ---- suspend, end, change ------------------------------------------------------------------------------------------

LOSSES: list[tuple[str, list[Fact], str]] = [
    ("authority-none", [mia(), anna(authority=NONE)], "end-grant"),
    ("contact-ended", [mia(), anna(end="2026-03-01")], "end-grant"),
    ("contact-inactive", [mia(), anna(active=False)], "end-grant"),
    ("contact-gone", [mia()], "end-grant"),
    ("contact-moved", [mia(), leo(active=False), anna(patient=LEO)], "end-grant"),
    ("role-self", [mia(), anna(role=Role.SELF)], "end-grant"),
    ("dependent-is-adult", [mia(birth_date="2000"), anna()], "end-grant"),
    ("patient-deceased", [mia(deceased=True), anna()], "suspend-grant"),
    ("patient-merged", [mia(replaced_by=("Patient/x",)), anna()], "suspend-grant"),
    ("patient-inactive", [mia(active=False), anna()], "suspend-grant"),
    ("authority-unknown", [mia(), anna(authority=UNKNOWN)], "suspend-grant"),
    ("email-missing", [mia(), anna(email="")], "suspend-grant"),
    ("authority-conflict", [mia(), anna(), ben(authority=EXCLUSIVE)], "suspend-grant"),
]


@pytest.mark.parametrize(("reason", "facts", "change"), [pytest.param(*case, id=case[0]) for case in LOSSES])
def test_the_last_chart_takes_the_account_with_it(reason: str, facts: list[Fact], change: str) -> None:
    practice = practice_with(mia(), anna())
    mine = [action for action in practice.sync(*facts) if action.account == ANNAS]
    if reason == "patient-merged":  # a human decides where the access goes: links and registration stay meanwhile
        assert said(mine) == [(change, MIA, reason)] and practice.accounts[ANNAS].status == "invited"
        return
    account, status = {"end-grant": ("close-account", "closed")}.get(change, ("suspend-account", "suspended"))
    assert said(mine) == [(change, MIA, reason), (account, None, reason)]
    assert practice.accounts[ANNAS].status == status
    assert practice.opens(ANNAS) == []
    assert settled(practice, *facts)


HOLDS: list[tuple[str, list[Fact]]] = [
    ("role-unknown", [mia(), anna(role=Role.UNKNOWN)]),
    ("patient-mismatch", [anna()]),
    ("record-unusable", [mia(unusable="$: unreadable"), anna()]),
    ("birthdate-unusable", [mia(birth_date=""), anna()]),
    ("shared-email", [mia(), anna(), ben(email=ANNAS, authority=NONE)]),
    ("authority-conflict", [mia(), anna(), anna(ref="RelatedPerson/again", authority=NONE)]),
    ("internal-error", [mia(), anna(end="soon")]),
]


@pytest.mark.parametrize(("reason", "facts"), [pytest.param(*case, id=case[0]) for case in HOLDS])
@pytest.mark.parametrize("status", [AccountStatus.INVITED, AccountStatus.REGISTERED])
def test_a_hold_closes_the_chart_but_is_no_evidence_against_the_account(
    reason: str, facts: list[Fact], status: AccountStatus
) -> None:
    practice = practice_with(mia(), anna(), status=status)
    assert said(practice.sync(*facts)) == [("hold-grant", MIA, reason)]
    assert practice.accounts[ANNAS].status is status
    assert practice.opens(ANNAS) == []
    assert settled(practice, *facts)
    assert said(practice.sync(mia(), anna())) == [("grant", MIA, "eligible")]


def test_the_other_chart_stays_open() -> None:
    practice = practice_with(mia(), leo(), anna(), anna("leo"))
    assert said(practice.sync(mia(), leo(), anna(), anna("leo", authority=NONE))) == [
        ("end-grant", LEO, "authority-none")
    ]
    assert practice.opens(ANNAS) == [MIA]


def test_two_exclusive_contacts_leave_what_stands_and_start_nothing_new() -> None:
    practice = practice_with(mia(), anna(authority=EXCLUSIVE))
    facts = mia(), anna(authority=EXCLUSIVE), ben(authority=EXCLUSIVE)
    assert [action.account for action in practice.sync(*facts)] == ["ben@rivera.example"] * 2
    assert practice.opens(ANNAS) == [MIA]
    assert practice.opens("ben@rivera.example") == []
    assert settled(practice, *facts)


@pytest.mark.parametrize(
    ("facts", "what"),
    [
        ([mia(), anna(authority=EXCLUSIVE)], {"authority": EXCLUSIVE}),
        ([mia(), anna(role=Role.GUARDIAN)], {"role": Role.GUARDIAN}),
    ],
)
def test_a_grant_follows_the_chart_without_a_new_welcome_email(facts: list[Fact], what: dict[str, Any]) -> None:
    practice = practice_with(mia(), anna())
    (action,) = practice.sync(*facts)
    assert (action.action, action.reason) == ("change-grant", "eligible")
    assert action.before and action.grant
    assert (
        {key: getattr(action.grant, key) for key in what} == what != {key: getattr(action.before, key) for key in what}
    )


def test_a_teenagers_chart_is_narrowed_on_the_birthday() -> None:
    practice = Practice(policy=TEENS)
    practice.sync(mia(birth_date="2014-03-03"), anna())
    practice.now = practice.now.replace(day=3)
    (action,) = practice.sync(mia(birth_date="2014-03-03"), anna())
    assert action.action == "change-grant" and action.grant is not None
    assert action.grant.access is Access.LIMITED
    assert practice.opens(ANNAS) == [MIA]


def test_two_exclusive_contacts_do_not_keep_a_teenagers_chart_wide_open() -> None:
    practice = Practice(policy=TEENS)
    teenager = mia(birth_date="2014-03-03")
    practice.sync(teenager, anna(authority=EXCLUSIVE))
    facts = teenager, anna(authority=EXCLUSIVE), ben(authority=EXCLUSIVE)
    practice.sync(*facts)
    assert practice.accounts[ANNAS].grants[MIA].access is Access.FULL
    practice.now = practice.now.replace(day=3)
    assert kinds(practice.sync(*facts)) == ["change-grant"]
    assert practice.accounts[ANNAS].grants[MIA].access is Access.LIMITED
    assert settled(practice, *facts)


def test_a_new_version_of_the_same_record_changes_nothing() -> None:
    practice = practice_with(mia(), anna())
    assert practice.sync(mia(), anna(source="RelatedPerson/anna-mia/_history/2")) == []


def test_a_new_name_is_an_update_of_the_account() -> None:
    practice = practice_with(mia(), anna())
    assert kinds(practice.sync(mia(), anna(names=("Anna Lopez",), language="es"))) == ["update-account"]
    assert (practice.accounts[ANNAS].name, practice.accounts[ANNAS].language) == ("Anna Lopez", "es")
    assert practice.accounts[ANNAS].status is AccountStatus.INVITED


# ---- reopen --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lost", [anna(authority=NONE), anna(authority=UNKNOWN), anna(email="")])
def test_an_account_that_opens_again_gets_a_new_welcome_email(lost: Contact) -> None:
    practice = practice_with(mia(), anna())
    practice.sync(mia(), lost)
    assert kinds(practice.sync(mia(), anna())) == ["grant", "reopen-account", "queue-welcome"]
    assert practice.accounts[ANNAS].generation == 2
    assert settled(practice, mia(), anna())


def test_a_registered_parent_who_comes_back_needs_no_welcome_email() -> None:
    practice = practice_with(mia(), anna(), status=AccountStatus.REGISTERED)
    practice.sync(mia(), anna(authority=NONE))
    assert kinds(practice.sync(mia(), anna())) == ["grant", "reopen-account"]
    assert practice.accounts[ANNAS].status is AccountStatus.REGISTERED


@pytest.mark.parametrize("contact", [anna(authority=UNKNOWN), anna(start="2026-04-01"), anna(email="")])
def test_what_has_ended_stays_ended_until_the_chart_opens_again(contact: Contact) -> None:
    practice = practice_with(mia(), anna())
    practice.sync(mia(), anna(authority=NONE))
    assert practice.sync(mia(), contact) == []


def test_a_closed_account_that_is_held_again_is_suspended_and_opens_nothing() -> None:
    practice = practice_with(mia(), anna())
    practice.sync(mia(), anna(authority=NONE))
    assert kinds(practice.sync(mia(), anna(role=Role.OTHER))) == ["hold-grant", "suspend-account"]
    assert practice.opens(ANNAS) == []


# ---- nothing to do -------------------------------------------------------------------------------------------------


def test_no_contact_and_no_account_need_no_action() -> None:
    assert plan_account(nobody(ANNAS), None, {}, hold_welcome=False) == []


def test_planning_reads_only_what_it_is_given() -> None:
    account = Account("7", ANNAS, ANNAS, "Anna Rivera", "", AccountStatus.INVITED, {}, EffectState.SENT)
    decision = decide_account(ANNAS, decided((mia(), anna())).values())
    actions = plan_account(decision, account, {}, hold_welcome=True)
    assert [(action.action, action.account_id) for action in actions] == [(ActionKind.GRANT, "7")]


def test_the_word_for_a_first_run_is_a_reason_of_its_own() -> None:
    practice = Practice(hold_welcome=True)
    assert practice.sync(mia(), anna())[-1].reason == FIRST_RUN
