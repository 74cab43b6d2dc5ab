"""Exclusive Authority beside others on one chart: who is granted, who is suspended, and what ends a claim."""

from itertools import permutations

import pytest

from adapter.core.decide import PASSED, ChartDecision, decide_chart, steps_of
from adapter.core.facts import Authority, Contact, Role
from adapter.core.policy import Policy
from tests.core.personas import NOW, anna, anna_as_other_relative, ben, mia, rosa

EXCLUSIVE, NONE, UNKNOWN = Authority.EXCLUSIVE, Authority.NONE, Authority.UNKNOWN


def on_mias_chart(*contacts: Contact) -> ChartDecision:
    return decide_chart(mia(), contacts, Policy(), NOW)


def headlines(*contacts: Contact) -> list[str]:
    decision = on_mias_chart(*contacts)
    return [decision.outcomes[contact.ref].headline for contact in contacts]


def test_the_exclusive_contact_is_granted_and_the_others_are_not() -> None:
    assert headlines(anna(authority=EXCLUSIVE), ben(), rosa()) == [
        "eligible",
        "authority-conflict",
        "authority-conflict",
    ]


def test_two_exclusive_contacts_give_nobody_anything_new_and_take_nothing_away() -> None:
    decision = on_mias_chart(anna(authority=EXCLUSIVE), ben(authority=EXCLUSIVE), rosa())
    assert all(one.reasons == ("authority-conflict",) and one.freeze for one in decision.outcomes.values())


def test_one_exclusive_contact_freezes_nothing() -> None:
    decision = on_mias_chart(anna(authority=EXCLUSIVE), ben())
    assert not any(one.freeze for one in decision.outcomes.values())


def test_what_has_another_reason_is_never_frozen() -> None:
    people = anna(authority=EXCLUSIVE), ben(authority=EXCLUSIVE, active=False), rosa(authority=EXCLUSIVE, email="")
    decision = on_mias_chart(*people)
    assert [decision.outcomes[one.ref].freeze for one in people] == [True, False, False]


def test_exclusive_beside_authority_none_is_no_conflict() -> None:
    assert headlines(anna(authority=EXCLUSIVE), ben(authority=NONE)) == ["eligible", "authority-none"]


STILL_EXCLUSIVE = [
    ("without-email", anna(authority=EXCLUSIVE, email="")),
    ("role-unknown", anna(authority=EXCLUSIVE, role=Role.UNKNOWN)),
    ("unusable", anna(authority=EXCLUSIVE, unusable="$.name: should be a list")),
    ("authority-lost", anna(authority=UNKNOWN, last_authority=EXCLUSIVE)),
    ("authority-garbled", anna(authority=UNKNOWN, authority_text="exlusive", last_authority=EXCLUSIVE)),
    ("period-garbled", anna(authority=EXCLUSIVE, end="soon")),
]
NOT_EXCLUSIVE = [
    ("ended", anna(authority=EXCLUSIVE, end="2026-03-01")),
    ("inactive", anna(authority=EXCLUSIVE, active=False)),
    ("not-yet", anna(authority=EXCLUSIVE, start="2026-03-03")),
    ("self", anna(authority=EXCLUSIVE, role=Role.SELF)),
    ("now-none", anna(authority=NONE, last_authority=EXCLUSIVE)),
    ("now-joint", anna(authority=Authority.JOINT, last_authority=EXCLUSIVE)),
]


@pytest.mark.parametrize("exclusive", [pytest.param(one, id=name) for name, one in STILL_EXCLUSIVE])
def test_custody_is_not_lost_by_a_typing_error(exclusive: Contact) -> None:
    assert headlines(ben(), exclusive)[0] == "authority-conflict"


@pytest.mark.parametrize("exclusive", [pytest.param(one, id=name) for name, one in NOT_EXCLUSIVE])
def test_exclusive_authority_ends_when_the_chart_says_so(exclusive: Contact) -> None:
    assert headlines(ben(), exclusive)[0] == "eligible"


def test_one_person_entered_twice_is_in_no_conflict_with_herself() -> None:
    for authority in (Authority.JOINT, EXCLUSIVE):
        again = anna_as_other_relative(patient="Patient/mia", authority=authority)
        assert headlines(anna(authority=EXCLUSIVE), again) == ["eligible", "eligible"]


def test_a_father_with_the_mothers_name_and_address_stays_out_when_her_role_is_lost() -> None:
    hers = anna(authority=EXCLUSIVE)
    namesake = anna(ref="RelatedPerson/namesake", role=Role.FATHER)
    assert headlines(hers, namesake) == ["eligible", "authority-conflict"]
    assert headlines(anna(authority=EXCLUSIVE, role=Role.UNKNOWN), namesake) == ["role-unknown", "authority-conflict"]


def test_the_same_name_at_another_address_is_another_person() -> None:
    again = anna_as_other_relative(patient="Patient/mia", authority=EXCLUSIVE, email="anna@work.example")
    assert headlines(anna(authority=EXCLUSIVE), again) == ["authority-conflict"] * 2


def test_the_steps_of_an_exclusive_contact_do_not_find_it_in_conflict_with_itself() -> None:
    alone = anna(authority=EXCLUSIVE, email="")
    steps = {
        step.rule: step.outcome
        for step in steps_of(anna(authority=EXCLUSIVE, email=""), mia(), (alone,), Policy(), NOW)
    }
    assert steps["authority-conflict"] == PASSED


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_three_rows_that_chain_are_one_person_in_any_order(order: tuple[int, ...]) -> None:
    rows = [
        anna_as_other_relative(ref=f"RelatedPerson/{born}", patient="Patient/mia", authority=EXCLUSIVE, birth_date=born)
        for born in ("1988-02-11", "", "1988-02-12")
    ]
    decision = on_mias_chart(*(rows[number] for number in order))
    assert all(one.opens for one in decision.outcomes.values())
