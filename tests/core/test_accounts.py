"""From contacts to accounts: one address, one account; the same person; the shared mailbox; the patient."""

from typing import Any

import pytest

from adapter.core.accounts import AccountDecision, nobody
from adapter.core.email import email_key
from adapter.core.facts import Authority, Contact, Fact, Role
from adapter.core.state import GrantState
from tests.core.personas import (
    ANNA,
    ANNAS,
    LEO,
    MIA,
    anna,
    anna_as_other_relative,
    anna_as_patient,
    anna_as_self,
    ben,
    contact,
    leo,
    mia,
    rosa,
)
from tests.core.practice import decided, decisions

ACTIVE, HELD = GrantState.ACTIVE, GrantState.HELD
FAMILY = "family@rivera.example"
NONE = Authority.NONE


def account(*facts: Fact, at: str = ANNAS) -> AccountDecision:
    return decisions(decided(facts))[at]


def fresh(decision: AccountDecision) -> dict[str, tuple[str, GrantState | None]]:
    """By chart: the reason, and the state that a new grant would have."""
    return {patient: (one.reason, one.fresh) for patient, one in decision.dependents.items()}


def people(decision: AccountDecision) -> list[list[str]]:
    return sorted(sorted(member.contact.ref for member in person) for person in decision.people)


YES = ("eligible", ACTIVE)
SHARED = ("shared-email", HELD)

# ---- one address is one account ------------------------------------------------------------------------------------


def test_siblings_give_one_account() -> None:
    decision = account(mia(), leo(), anna("mia"), anna("leo"))
    assert fresh(decision) == {MIA: YES, LEO: YES}
    assert len(decision.people) == 1


@pytest.mark.parametrize("written", ["Anna@Rivera.example", "  anna@RIVERA.EXAMPLE ", "ANNA@rivera.example"])
def test_an_address_is_one_account_however_it_is_written(written: str) -> None:
    assert email_key(written) == ANNAS


@pytest.mark.parametrize("other", ["anna+portal@rivera.example", "an.na@rivera.example", "anna@mail.rivera.example"])
def test_dots_tags_and_other_domains_are_other_accounts(other: str) -> None:
    every = decisions(decided((mia(), leo(), anna("mia"), anna("leo", email=other))))
    assert {key: sorted(one.dependents) for key, one in every.items()} == {ANNAS: [MIA], other: [LEO]}


def test_a_sibling_who_may_not_be_seen_does_not_stop_the_other() -> None:
    assert fresh(account(mia(), leo(), anna("mia"), anna("leo", authority=NONE))) == {
        MIA: YES,
        LEO: ("authority-none", None),
    }


def test_the_account_has_the_name_address_and_language_of_a_contact_that_opens_a_chart() -> None:
    refused = anna("leo", names=("A. Rivera",), authority=NONE, language="en")
    decision = account(mia(), leo(), refused, anna("mia", email="Anna@Rivera.example", language="es"))
    assert (decision.email, decision.name) == ("Anna@Rivera.example", "Anna Rivera")


def test_an_address_that_nobody_has_opens_nothing() -> None:
    assert nobody(ANNAS).dependents == {}


# ---- is it the same person? ----------------------------------------------------------------------------------------

# fmt: off
ONE_PERSON: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("the-same-name", {}, {}),
    ("a-nickname", {"names": ("Elizabeth Rivera",)}, {"names": ("Beth Rivera",)}),
    ("another-order", {}, {"names": ("Rivera, Anna",)}),
    ("an-accent", {"names": ("Ana Ruíz",)}, {"names": ("Ana Ruiz",)}),
    ("a-typing-error", {}, {"names": ("Anna Rivrea",)}),
    ("one-birth-date-missing", {"birth_date": "1988-02-11"}, {}),
    ("one-birth-date-partial", {"birth_date": "1988-02-11"}, {"birth_date": "1988"}),
    ("a-former-name", {"names": ("Anna Rivera", "Anna Lopez")}, {"names": ("Anna Lopez",)}),
    ("another-role", {}, {"role": Role.GUARDIAN}),
]
TWO_PEOPLE: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("another-name", {}, {"names": ("Rosa Lopez",)}),
    ("another-birth-date", {"birth_date": "1988-02-11"}, {"birth_date": "1961-07-30"}),
    ("mother-and-father", {"names": ("Alex Rivera",)}, {"names": ("Alex Rivera",), "role": Role.FATHER}),
    ("no-name", {}, {"names": ()}),
    ("neither-has-a-name", {"names": ()}, {"names": ()}),
]
# fmt: on


@pytest.mark.parametrize(("one", "other"), [pytest.param(*case, id=name) for name, *case in ONE_PERSON])
def test_one_person_sees_each_chart_they_are_on(one: dict[str, Any], other: dict[str, Any]) -> None:
    decision = account(mia(), leo(), anna("mia", **one), anna("leo", **other))
    assert fresh(decision) == {MIA: YES, LEO: YES}
    assert decision.shared_charts == ()


@pytest.mark.parametrize(("one", "other"), [pytest.param(*case, id=name) for name, *case in TWO_PEOPLE])
def test_two_people_with_different_charts_are_held(one: dict[str, Any], other: dict[str, Any]) -> None:
    decision = account(mia(), leo(), anna("mia", **one), anna("leo", **other))
    assert fresh(decision) == {MIA: SHARED, LEO: SHARED}
    assert decision.shared_charts == (LEO, MIA)


def test_each_contact_at_the_address_must_be_somebody_who_may_open_the_chart() -> None:
    """Two names and somebody who has had both: only on the chart of the one with both names is nobody a stranger."""
    before, now = anna("mia", names=("Anna Lopez",)), anna("leo", names=("Anna Rivera",))
    both = anna_as_other_relative(names=("Anna Rivera", "Anna Lopez"))
    assert fresh(account(mia(), leo(), anna_as_patient(), before, now, both)) == {ANNA: YES, MIA: SHARED, LEO: SHARED}


@pytest.mark.parametrize("names", [("Anna Rivera",), ()], ids=["with-name", "name-lost"])
def test_losing_a_name_makes_nobody_the_same_person(names: tuple[str, ...]) -> None:
    both = again(names=("Anna Rivera", "Anna Lopez"))
    facts = mia(), leo(), both, anna("mia", names=names), anna("leo", names=("Anna Lopez",))
    assert fresh(account(*facts))[LEO] == SHARED


# ---- a mailbox that several people read ----------------------------------------------------------------------------


def test_a_mother_and_a_father_with_one_mailbox_and_the_same_charts_are_fine() -> None:
    facts = [who(on, email=FAMILY) for who in (anna, ben) for on in ("mia", "leo")]
    decision = account(mia(), leo(), *facts, at=FAMILY)
    assert fresh(decision) == {MIA: YES, LEO: YES}
    assert len(decision.people) == 2
    assert decision.kinship_clash == (LEO, MIA)


def test_only_the_charts_that_not_all_of_them_may_see_are_held() -> None:
    decision = account(
        mia(), leo(), anna("mia", email=FAMILY), anna("leo", email=FAMILY), ben("mia", email=FAMILY), at=FAMILY
    )
    assert fresh(decision) == {MIA: YES, LEO: SHARED}
    assert decision.shared_charts == (LEO,)


NOT_ENTITLED: list[tuple[str, dict[str, Any]]] = [
    ("authority-none", {"authority": NONE}),
    ("authority-unknown", {"authority": Authority.UNKNOWN}),
    ("role-unknown", {"role": Role.UNKNOWN}),
    ("role-not-allowed", {"role": Role.OTHER}),
    ("unusable", {"unusable": "$.name: should be a list"}),
    ("period-garbled", {"end": "soon"}),
    ("wrong-chart", {"patient_problem": "points to another EHR"}),
]


@pytest.mark.parametrize("changes", [pytest.param(changes, id=name) for name, changes in NOT_ENTITLED])
def test_a_mailbox_also_read_by_somebody_who_may_not_see_the_chart_is_held(changes: dict[str, Any]) -> None:
    decision = account(mia(), anna(email=FAMILY), ben(email=FAMILY, **changes), at=FAMILY)
    assert fresh(decision) == {MIA: SHARED}


@pytest.mark.parametrize("gone", [{"active": False}, {"end": "2026-03-01"}, {"start": "2026-03-03"}])
def test_somebody_who_is_no_longer_on_the_chart_does_not_count(gone: dict[str, Any]) -> None:
    decision = account(mia(), anna(email=FAMILY), ben(email=FAMILY, **gone), at=FAMILY)
    assert fresh(decision)[MIA] == YES


def test_a_child_whose_chart_is_closed_does_not_divide_the_mailbox() -> None:
    decision = account(mia(), leo(active=False), anna(email=FAMILY), ben("leo", email=FAMILY), at=FAMILY)
    assert fresh(decision) == {MIA: YES, LEO: ("patient-inactive", None)}


def test_the_other_parent_with_their_own_address_does_not_count() -> None:
    assert fresh(account(mia(), anna(), ben(authority=NONE))) == {MIA: YES}


def test_a_father_and_a_grandmother_with_one_mailbox_are_no_clash_of_kinship() -> None:
    assert account(mia(), ben(email=FAMILY), rosa(email=FAMILY), at=FAMILY).kinship_clash == ()


# ---- one person twice on one chart ---------------------------------------------------------------------------------


def again(**changes: Any) -> Contact:
    """Anna, entered a second time on Mia's chart."""
    return contact("anna-again", "Anna Rivera", "mia", ANNAS, **({"role": Role.GUARDIAN} | changes))


@pytest.mark.parametrize("second", [again(), again(role=Role.MOTHER), again(role=Role.UNKNOWN), again(active=False)])
def test_the_entry_that_opens_the_chart_counts(second: Contact) -> None:
    assert fresh(account(mia(), anna(), second)) == {MIA: YES}


@pytest.mark.parametrize("second", [{"authority": NONE}, {"authority": Authority.UNKNOWN, "last_authority": NONE}])
def test_joint_and_none_for_one_person_is_held_because_nobody_can_tell_which_is_right(second: dict[str, Any]) -> None:
    decision = account(mia(), anna(), again(**second))
    assert fresh(decision) == {MIA: ("authority-conflict", HELD)}
    assert decision.dependents[MIA].standing is HELD


def test_a_mother_who_is_also_the_emergency_contact_keeps_both_her_children() -> None:
    emergency = again(role=Role.UNKNOWN, authority=Authority.UNKNOWN)
    assert fresh(account(mia(), leo(), anna(), anna("leo"), emergency)) == {MIA: YES, LEO: YES}


def test_a_mother_who_is_also_the_guardian_of_one_child_keeps_both() -> None:
    assert fresh(account(mia(), leo(), anna(), anna("leo"), again())) == {MIA: YES, LEO: YES}


def test_the_entry_that_two_exclusives_freeze_counts_before_one_that_has_another_fault() -> None:
    exclusive = Authority.EXCLUSIVE
    facts = mia(), anna(authority=exclusive), again(authority=exclusive, role=Role.UNKNOWN), ben(authority=exclusive)
    dependent = account(*facts).dependents[MIA]
    assert (dependent.member.contact.ref, dependent.standing) == ("RelatedPerson/anna-mia", None)


@pytest.mark.parametrize("first", ["RelatedPerson/0", "RelatedPerson/z"])
def test_a_contradiction_about_one_of_two_people_at_the_address_is_held_whatever_their_ids(first: str) -> None:
    twice = ben(email=FAMILY, ref=first), ben(email=FAMILY, ref="RelatedPerson/y", authority=NONE)
    assert fresh(account(mia(), anna(email=FAMILY), *twice, at=FAMILY)) == {MIA: ("authority-conflict", HELD)}


def test_an_ended_entry_with_authority_none_contradicts_nothing() -> None:
    assert fresh(account(mia(), anna(), again(authority=NONE, end="2026-03-01"))) == {MIA: YES}


# ---- the contact is the patient ------------------------------------------------------------------------------------


def test_a_parent_who_is_a_patient_has_their_own_chart_beside_their_childs() -> None:
    decision = account(mia(), anna_as_patient(), anna(), anna_as_other_relative())
    assert fresh(decision) == {MIA: YES, ANNA: YES}
    assert decision.dependents[ANNA].grant(ACTIVE).is_self
    assert not decision.dependents[MIA].grant(ACTIVE).is_self


def test_a_self_row_opens_nothing_and_stops_nothing() -> None:
    decision = account(mia(), anna_as_patient(), anna(), anna_as_self())
    assert fresh(decision) == {MIA: YES, ANNA: ("role-self", None)}


def test_a_self_row_beside_an_other_relative_row_is_accepted() -> None:
    decision = account(anna_as_patient(), anna_as_self(), anna_as_other_relative())
    assert fresh(decision) == {ANNA: YES}
    assert decision.dependents[ANNA].member.contact.role is Role.OTHER_RELATIVE


def test_a_self_row_is_never_the_reason_where_another_row_has_one() -> None:
    rows = anna_as_self(authority=Authority.EXCLUSIVE), anna_as_other_relative(authority=Authority.UNKNOWN)
    assert fresh(account(anna_as_patient(), *rows)) == {ANNA: ("authority-unknown", None)}


@pytest.mark.parametrize("authority", [NONE, Authority.UNKNOWN])
def test_the_self_row_may_have_any_authority(authority: Authority) -> None:
    decision = account(anna_as_patient(), anna_as_self(authority=authority), anna_as_other_relative())
    assert fresh(decision) == {ANNA: YES}


def test_a_teenagers_own_address_used_by_a_parent_is_held() -> None:
    facts = (mia(birth_date="2010-06-01", emails=(ANNAS,)), anna())
    assert fresh(account(*facts)) == {MIA: SHARED}
