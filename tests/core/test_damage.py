"""Losing or damaging a field opens nothing: not to the contact, nor to the others on the chart or at the address.

Not damage, because FHIR gives absence a meaning: active, deceased, replaced-by and the ends of a period. Two losses may
open something by the rules and are left out where it is said: somebody's own e-mail address (they read that mailbox no
longer), and a birth date that told two people of one name apart (it counts only when both have one).
"""

from itertools import combinations

import msgspec
from hypothesis import assume, given
from hypothesis import strategies as st

from adapter.core.decide import Outcome, decide_chart
from adapter.core.facts import Authority, Contact, Patient, Role
from adapter.core.persons import same_person
from adapter.core.policy import Access, Policy
from adapter.core.state import GrantState
from tests.core.families import ADDRESSES, EMAIL, IDENTITY, RIGHTS, Family, damaged, families
from tests.core.personas import NOW
from tests.core.practice import Practice, decided

WIDTH = {Access.NONE: 0, Access.LIMITED: 1, Access.FULL: 2}
Opened = dict[tuple[str, str], int]


def width(outcome: Outcome) -> int:
    """How far the chart is open to the contact; 0 when it is not."""
    return WIDTH[outcome.access] if outcome.opens else 0


def on_charts(family: Family) -> dict[str, int]:
    """By contact: how far the chart's own rules open it."""
    return {ref: width(member.outcome) for ref, member in decided(family.facts, policy=family.policy).items()}


def in_the_portal(*families: Family) -> Opened:
    """By address and chart: how far the portal opens it after these families were synced, one after the other."""
    practice = Practice(policy=families[0].policy)
    for family in families:
        practice.sync(*family.facts)
    return {
        (address, patient): WIDTH[grant.access]
        for address in ADDRESSES
        if address in practice.accounts
        for patient, grant in practice.accounts[address].grants.items()
        if grant.state is GrantState.ACTIVE
    }


def no_wider(after: Opened, before: Opened) -> bool:
    return all(opened <= before.get(key, 0) for key, opened in after.items())


def told_apart_by_birth_date_only(family: Family, contact: Contact) -> bool:
    """Whether somebody of the same name is on the contact's chart or at the contact's address, or is the patient."""
    patient = next(one for one in family.patients if one.ref == contact.patient)
    namesakes = [one.names for one in family.contacts if one is not contact and one.email_key == contact.email_key]
    return any(same_person(contact.names, "", names, "") for names in [patient.names, *namesakes])


a_contact = st.integers(0, 4)


def chosen(family: Family, number: int) -> Contact:
    return family.contacts[number % len(family.contacts)]


# ---- the contact itself --------------------------------------------------------------------------------------------


@given(families(), a_contact, st.sampled_from([*EMAIL, *IDENTITY, *RIGHTS]))
def test_damage_never_opens_the_chart_to_the_contact_itself(family: Family, number: int, damage: str) -> None:
    contact = chosen(family, number)
    assume(damage != "birth date" or not told_apart_by_birth_date_only(family, contact))
    after = on_charts(family.with_contact(damaged(contact, damage)))
    assert after[contact.ref] <= on_charts(family)[contact.ref]


@given(families(), a_contact, st.sampled_from([*EMAIL, *RIGHTS]))
def test_damage_to_anything_a_grant_needs_closes_the_chart_to_the_contact(
    family: Family, number: int, damage: str
) -> None:
    contact = chosen(family, number)
    worse = damaged(contact, damage)
    assume(worse != contact)  # an Authority that was never stated cannot get lost
    assert on_charts(family.with_contact(worse))[contact.ref] == 0


@given(families(), st.sampled_from(["birth_date", "names", "links", "unusable", "language", "mrn"]))
def test_damage_to_a_chart_never_opens_it(family: Family, field: str) -> None:
    lost = {"birth_date": "", "names": (), "links": (), "unusable": "$: is not an object", "language": "", "mrn": ""}
    patient: Patient = msgspec.structs.replace(family.patients[0], **{field: lost[field]})
    worse = Family((patient, *family.patients[1:]), family.contacts, family.policy)
    before, after = on_charts(family), on_charts(worse)
    assert all(after[ref] <= before[ref] for ref in after)


@given(families(), st.sampled_from(["31.02.2019", "20190504", "2019-5-4", "9999-99-99", "yesterday"]))
def test_a_garbled_birth_date_of_the_patient_closes_the_chart_to_everybody_but_the_patient(
    family: Family, garbled: str
) -> None:
    patient: Patient = msgspec.structs.replace(family.patients[0], birth_date=garbled)
    group = family.on_chart(patient)
    outcomes = decide_chart(patient, group, family.policy, NOW).outcomes
    assert all(contact.ref in patient.links for contact in group if outcomes[contact.ref].opens)


@given(families())
def test_a_chart_that_is_gone_opens_to_nobody(family: Family) -> None:
    group = family.on_chart(family.patients[0])
    outcomes = decide_chart(None, group, family.policy, NOW).outcomes
    assert not any(outcome.opens for outcome in outcomes.values())


@given(families())
def test_a_policy_without_bands_opens_no_chart_but_ones_own(family: Family) -> None:
    policy: Policy = msgspec.structs.replace(family.policy, bands=())
    before = on_charts(family)
    members = decided(family.facts, policy=policy)
    assert all(width(member.outcome) <= before[ref] for ref, member in members.items())
    assert all(member.outcome.is_self for member in members.values() if member.outcome.opens)


# ---- the others on the chart: custody is remembered ----------------------------------------------------------------


@given(families(), a_contact, st.sampled_from([*EMAIL, *RIGHTS]))
def test_damage_to_an_exclusive_contact_never_opens_the_chart_to_somebody_else(
    family: Family, number: int, damage: str
) -> None:
    contact = chosen(family, number)
    exclusive: Contact = msgspec.structs.replace(contact, authority=Authority.EXCLUSIVE, authority_text="")
    before = on_charts(family.with_contact(exclusive))
    after = on_charts(family.with_contact(damaged(exclusive, damage)))
    assert all(after[ref] <= before[ref] for ref in after)


@given(families(), a_contact, st.sampled_from([*EMAIL, *RIGHTS]), st.sampled_from([*EMAIL, *RIGHTS]))
def test_nor_does_a_second_damage(family: Family, number: int, first: str, second: str) -> None:
    contact = chosen(family, number)
    exclusive: Contact = msgspec.structs.replace(contact, authority=Authority.EXCLUSIVE, authority_text="")
    once = damaged(exclusive, first)
    before, after = on_charts(family.with_contact(exclusive)), on_charts(family.with_contact(damaged(once, second)))
    assert all(after[ref] <= before[ref] for ref in after)


# ---- the others at the address, and the whole portal ---------------------------------------------------------------


def mother_and_father_of_one_name(family: Family) -> bool:
    """Only their roles tell these two apart; without the role nobody can."""
    return any(
        {one.role, other.role} == {Role.MOTHER, Role.FATHER}
        and one.email_key == other.email_key
        and same_person(one.names, one.birth_date, other.names, other.birth_date)
        for one, other in combinations(family.contacts, 2)
    )


@given(families(), a_contact, st.sampled_from([*RIGHTS, "names", "birth date garbled"]))
def test_damage_opens_nothing_in_the_portal(family: Family, number: int, damage: str) -> None:
    assume(not damage.startswith("role") or not mother_and_father_of_one_name(family))
    worse = family.with_contact(damaged(chosen(family, number), damage))
    before = in_the_portal(family)
    assert no_wider(in_the_portal(worse), before)
    assert no_wider(in_the_portal(family, worse), before)


@given(families(), a_contact)
def test_taking_the_authority_away_opens_nothing_to_that_mailbox(family: Family, number: int) -> None:
    contact = chosen(family, number)
    without: Contact = msgspec.structs.replace(contact, authority=Authority.NONE)
    before, after = in_the_portal(family), in_the_portal(family.with_contact(without))
    mine = {key: opened for key, opened in after.items() if key[0] == contact.email_key}
    assert no_wider(mine, before)


@given(families(), st.integers(0, 2), st.sampled_from(["birth_date", "names", "links", "unusable"]))
def test_damage_to_a_chart_opens_nothing_in_the_portal(family: Family, number: int, field: str) -> None:
    index = number % len(family.patients)
    lost = {"birth_date": "", "names": (), "links": (), "unusable": "$: is not an object"}
    patient: Patient = msgspec.structs.replace(family.patients[index], **{field: lost[field]})
    worse = Family((*family.patients[:index], patient, *family.patients[index + 1 :]), family.contacts, family.policy)
    before = in_the_portal(family)
    assert no_wider(in_the_portal(worse), before)
    assert no_wider(in_the_portal(family, worse), before)
