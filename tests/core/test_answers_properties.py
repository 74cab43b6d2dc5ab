"""What holds for every family and answer: no explicit no is overruled, order never matters, damage never widens."""

from typing import Any

import msgspec
from hypothesis import assume, given
from hypothesis import strategies as st

from adapter.core.answers import HOLDS, Answer, Decision
from adapter.core.facts import Authority, Contact
from adapter.core.state import GrantState
from tests.core.answering import answer_everything
from tests.core.families import ADDRESSES, EMAIL, IDENTITY, RIGHTS, Family, damaged, families
from tests.core.practice import Practice, decided
from tests.core.test_damage import chosen, mother_and_father_of_one_name, no_wider, told_apart_by_birth_date_only

WIDTHS = {"none": 0, "limited": 1, "full": 2}
answers = st.sampled_from(
    [(Answer.APPROVE,), (Answer.SAME_PERSON,), (Answer.APPROVE, Answer.SAME_PERSON), (Answer.DIFFERENT_PEOPLE,)]
)


def after(family: Family, said: tuple[Answer, ...]) -> Practice:
    """The practice once every finding was answered so, and it has synced again."""
    practice = Practice(policy=family.policy)
    practice.sync(*family.facts)
    for answer in said:
        answer_everything(practice, answer)
    practice.sync(*family.facts)
    return practice


def opened(practice: Practice) -> dict[tuple[str, str], int]:
    return {
        (address, patient): WIDTHS[grant.access]
        for address in ADDRESSES
        if address in practice.accounts
        for patient, grant in practice.accounts[address].grants.items()
        if grant.state is GrantState.ACTIVE
    }


def with_answers(family: Family, given: list[Decision]) -> Practice:
    practice = Practice(policy=family.policy)
    practice.answers = given
    practice.sync(*family.facts)
    return practice


@given(families(), answers)
def test_no_answer_ever_makes_an_explicit_no_a_grant(family: Family, said: tuple[Answer, ...]) -> None:
    plain = decided(family.facts, policy=family.policy)
    practice = after(family, said)
    for address, patient in opened(practice):
        grant = practice.accounts[address].grants[patient]
        assert HOLDS.issuperset(plain[grant.contact].outcome.reasons)
        beside = [one for one in family.contacts if (one.email_key, one.patient) == (address, patient)]
        assert not any(
            plain[one.ref].outcome.reasons[:1] == ("authority-none",)
            and one.names == plain[grant.contact].contact.names
            for one in beside
        )


@given(families(), answers)
def test_what_is_open_without_an_answer_stays_open_with_one(family: Family, said: tuple[Answer, ...]) -> None:
    before = Practice(policy=family.policy)
    before.sync(*family.facts)
    assume(not says_no_twice(family))
    assert no_wider(opened(before), opened(after(family, said)))


def says_no_twice(family: Family) -> bool:
    """Whether an address has an Authority None: who is one person with it may not open that chart."""
    return any(Authority.NONE in (one.authority, one.last_authority) for one in family.contacts)


@given(families(), answers, st.randoms(use_true_random=False))
def test_the_order_of_answers_and_records_never_matters(family: Family, said: tuple[Answer, ...], random: Any) -> None:
    practice = after(family, said)
    shuffled, facts = list(practice.answers), list(family.facts)
    random.shuffle(shuffled)
    random.shuffle(facts)
    again = Practice(policy=family.policy)
    again.answers = shuffled
    again.sync(*facts)
    assert again.accounts == with_answers(family, practice.answers).accounts


@given(families(), answers, st.integers(0, 4), st.sampled_from([*EMAIL, *IDENTITY, *RIGHTS]))
def test_damage_with_an_answer_in_force_opens_nothing_to_that_contact(
    family: Family, said: tuple[Answer, ...], number: int, damage: str
) -> None:
    contact = chosen(family, number)
    assume(damage != "birth date" or not told_apart_by_birth_date_only(family, contact))
    practice = after(family, said)
    worse = with_answers(family.with_contact(damaged(contact, damage)), practice.answers)
    mine = {key: width for key, width in opened(worse).items() if key == (contact.email_key, contact.patient)}
    rows = [one for one in family.contacts if (one.email_key, one.patient) == (contact.email_key, contact.patient)]
    assume(len(rows) == 1)
    assert no_wider(mine, opened(practice))


@given(families(), answers, st.integers(0, 4), st.sampled_from([*RIGHTS, "names", "birth date garbled"]))
def test_damage_with_an_answer_in_force_opens_nothing_in_the_portal(
    family: Family, said: tuple[Answer, ...], number: int, damage: str
) -> None:
    assume(not damage.startswith("role") or not mother_and_father_of_one_name(family))
    practice = after(family, said)
    worse = with_answers(family.with_contact(damaged(chosen(family, number), damage)), practice.answers)
    assert no_wider(opened(worse), opened(practice))


@given(families(), answers, st.integers(0, 2), st.sampled_from(["birth_date", "names", "links", "unusable"]))
def test_damage_to_a_chart_with_an_answer_in_force_opens_nothing(
    family: Family, said: tuple[Answer, ...], number: int, field: str
) -> None:
    lost = {"birth_date": "", "names": (), "links": (), "unusable": "$: is not an object"}
    index = number % len(family.patients)
    patient = msgspec.structs.replace(family.patients[index], **{field: lost[field]})
    patients = (*family.patients[:index], patient, *family.patients[index + 1 :])
    practice = after(family, said)
    worse = with_answers(Family(patients, family.contacts, family.policy), practice.answers)
    assert no_wider(opened(worse), opened(practice))


@given(families(), st.integers(0, 4), st.sampled_from([*EMAIL, *IDENTITY, *RIGHTS]))
def test_any_change_of_a_contact_ends_what_was_approved_for_it(family: Family, number: int, damage: str) -> None:
    contact = chosen(family, number)
    worse: Contact = damaged(contact, damage)
    assume(worse != contact)
    practice = after(family, (Answer.APPROVE,))
    given = [one for one in practice.answers if one.contact == contact.ref]
    members = decided(family.with_contact(worse).facts, policy=family.policy, answers=given)
    assert members[contact.ref].outcome.approved == ()
