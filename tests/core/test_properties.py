"""What holds for every family: order never matters, planning settles, every grant has its grounds, time is foreseen."""

from datetime import datetime, timedelta
from typing import Any

import msgspec
from hypothesis import assume, given
from hypothesis import strategies as st

from adapter.core.decide import PASSED, decide_chart, steps_of
from adapter.core.explain import explain_chart
from adapter.core.facts import Authority, Patient, Role
from adapter.core.policy import Access
from adapter.core.reasons import ELIGIBLE, FIRST_RUN, REASONS
from adapter.core.state import AccountStatus, GrantState
from tests.core.families import ADDRESSES, Family, families
from tests.core.personas import NOW
from tests.core.practice import Practice, decided, decisions, row_of

OTHER_ANSWERS = {FIRST_RUN, "address-unknown", "welcome-queued"}


def practice_of(family: Family, *, hold_welcome: bool = False) -> Practice:
    return Practice(policy=family.policy, hold_welcome=hold_welcome)


# ---- order ---------------------------------------------------------------------------------------------------------


@given(families(), st.randoms(use_true_random=False))
def test_the_order_of_records_never_matters(family: Family, random: Any) -> None:
    shuffled = list(family.facts)
    random.shuffle(shuffled)
    members, again = decided(family.facts, policy=family.policy), decided(shuffled, policy=family.policy)
    assert again == members
    assert decisions(again) == decisions(members)
    assert practice_of(family).sync(*shuffled) == practice_of(family).sync(*family.facts)


@given(families())
def test_ids_never_decide_who_may_open_what(family: Family) -> None:
    def renamed(ref: str) -> str:
        return f"RelatedPerson/{9 - int(ref.removeprefix('RelatedPerson/'))}"

    replace = msgspec.structs.replace
    patients = [replace(one, links=tuple(renamed(ref) for ref in one.links)) for one in family.patients]
    contacts = [replace(one, ref=renamed(one.ref)) for one in family.contacts]
    practice, other = practice_of(family), practice_of(family)
    practice.sync(*family.facts)
    other.sync(*patients, *contacts)
    assert {key: practice.opens(key) for key in ADDRESSES} == {key: other.opens(key) for key in ADDRESSES}


@given(families())
def test_one_chart_never_changes_what_is_decided_on_another(family: Family) -> None:
    together = decided(family.facts, policy=family.policy)
    for patient in family.patients:
        alone = decided((patient, *family.on_chart(patient)), policy=family.policy)
        assert {ref: together[ref] for ref in alone} == alone


# ---- planning twice ------------------------------------------------------------------------------------------------


@given(families(), families(), st.booleans())
def test_planning_twice_yields_nothing(family: Family, later: Family, hold: bool) -> None:
    practice = practice_of(family, hold_welcome=hold)
    practice.sync(*family.facts)
    assert practice.sync(*family.facts) == []
    practice.sync(*later.facts)
    assert practice.sync(*later.facts) == []


@given(families(), families())
def test_an_incomplete_read_settles_too_and_opens_nothing(family: Family, later: Family) -> None:
    practice = practice_of(family)
    practice.sync(*family.facts)
    before = {address: practice.opens(address) for address in ADDRESSES}
    practice.sync(*later.facts, only_restrict=True)
    assert practice.sync(*later.facts, only_restrict=True) == []
    assert all(set(practice.opens(address)) <= set(before[address]) for address in ADDRESSES)


@given(families(), families())
def test_what_an_account_opens_is_what_the_decision_says(family: Family, later: Family) -> None:
    practice = practice_of(family)
    practice.sync(*family.facts)
    practice.sync(*later.facts)
    wanted = decisions(decided(later.facts, policy=family.policy))
    for address, account in practice.accounts.items():
        for patient in practice.opens(address):
            dependent = wanted[address].dependents[patient]
            assert dependent.reason == ELIGIBLE or dependent.standing is None
        if address in wanted:
            eligible = {one.patient for one in wanted[address].dependents.values() if one.reason == ELIGIBLE}
            assert eligible <= set(practice.opens(address))
        if account.status in (AccountStatus.CLOSED, AccountStatus.SUSPENDED):
            assert practice.opens(address) == []


# ---- every grant has its grounds -----------------------------------------------------------------------------------


@given(families())
def test_every_grant_has_its_grounds(family: Family) -> None:
    practice = practice_of(family)
    for action in practice.sync(*family.facts):
        assert action.reason in REASONS or action.reason == FIRST_RUN
        assert action.source
        grant = action.grant
        if grant is None:
            continue
        assert grant.reason in REASONS
        contact = next(one for one in family.contacts if one.ref == grant.contact)
        patient = next((one for one in family.patients if one.ref == grant.patient), None)
        assert (contact.patient, contact.email_key) == (grant.patient, action.account)
        if grant.state is not GrantState.ACTIVE:
            continue
        assert grant.reason == ELIGIBLE
        assert patient is not None
        assert patient.active and not patient.deceased and not patient.replaced_by and not patient.unusable
        assert contact.active and not contact.unusable and not contact.patient_problem and contact.email_problem is None
        assert contact.end in ("", "2027") and contact.start in ("", "2026-03-01")
        assert grant.authority in (Authority.JOINT, Authority.EXCLUSIVE)
        assert contact.authority is not Authority.NONE
        assert contact.role in family.policy.allowed_roles and contact.role not in (Role.SELF, Role.UNKNOWN)
        assert grant.access in (Access.FULL, Access.LIMITED)
        assert grant.is_self or action.account not in patient.emails or family.policy.own_email_from_age


@given(families())
def test_nobody_is_granted_beside_somebody_elses_exclusive_authority(family: Family) -> None:
    members = decided(family.facts, policy=family.policy)
    for patient in family.patients:
        opening = [members[one.ref] for one in family.on_chart(patient) if members[one.ref].outcome.opens]
        exclusive = {one.contact.email_key for one in opening if one.outcome.authority is Authority.EXCLUSIVE}
        assert not exclusive or {one.contact.email_key for one in opening} == exclusive
        assert len(exclusive) < 2


@given(families())
def test_a_welcome_email_goes_only_to_an_account_that_opens_something(family: Family) -> None:
    practice = practice_of(family)
    practice.sync(*family.facts)
    assert all((practice.welcome(key) is not None) == bool(practice.opens(key)) for key in practice.accounts)


# ---- time ----------------------------------------------------------------------------------------------------------


@given(families(), st.integers(0, 24 * 366 * 20))
def test_nothing_changes_before_the_day_that_was_foreseen(family: Family, hours: int) -> None:
    for patient in family.patients:
        group = family.on_chart(patient)
        decision = decide_chart(patient, group, family.policy, NOW)
        later = NOW + timedelta(hours=hours)
        if decision.review_on is not None:
            first = datetime.combine(decision.review_on, datetime.min.time(), NOW.tzinfo)
            later = max(NOW, min(later, first - timedelta(microseconds=1)))
        assert decide_chart(patient, group, family.policy, later).outcomes == decision.outcomes


# ---- explaining ----------------------------------------------------------------------------------------------------


@given(families())
def test_the_steps_agree_with_the_decision(family: Family) -> None:
    members = decided(family.facts, policy=family.policy)
    for patient in family.patients:
        group = family.on_chart(patient)
        for contact in group:
            steps = steps_of(contact, patient, group, family.policy, NOW)
            failed = tuple(step.outcome for step in steps if step.outcome != PASSED)
            reasons = members[contact.ref].outcome.reasons
            assert failed == reasons or (reasons == ("internal-error",) and "internal-error" in failed)


@given(families())
def test_every_address_has_an_answer(family: Family) -> None:
    practice = practice_of(family)
    practice.sync(*family.facts)
    for address in ADDRESSES:
        answer = practice.explain(address)
        assert answer.reason in REASONS or answer.reason in OTHER_ANSWERS
        assert answer.verdict.endswith(".")
        assert answer.remedy or answer.reason == "patient-deceased"


@given(families())
def test_every_chart_has_an_answer(family: Family) -> None:
    for patient in family.patients:
        group = family.on_chart(patient)
        rows = [row_of(one, patient, *(other for other in group if other is not one)) for one in group]
        assert explain_chart(patient.ref, patient, rows, []).verdict.endswith(".")


# ---- errors --------------------------------------------------------------------------------------------------------


class Poison:
    """Raises whatever is asked of it."""

    def _raise(self, *_: Any) -> Any:
        raise RuntimeError("poisoned")

    __bool__ = __eq__ = __iter__ = __len__ = __lt__ = __gt__ = __contains__ = __str__ = _raise
    __hash__ = _raise


OF_CONTACT = (
    "unusable", "patient_problem", "active", "start", "end", "role", "authority", "email_key", "email_problem",
    "email_start", "email_end",
)  # fmt: skip
OF_PATIENT = ("unusable", "active", "deceased", "replaced_by", "birth_date", "links", "names")


@given(families(), st.sampled_from(OF_CONTACT), st.data())
def test_an_error_about_a_contact_is_a_hold(family: Family, field: str, data: st.DataObject) -> None:
    contact = data.draw(st.sampled_from(family.contacts))
    patient = next(one for one in family.patients if one.ref == contact.patient)
    broken = msgspec.structs.replace(contact, **{field: Poison()})
    group = tuple(broken if one is contact else one for one in family.on_chart(patient))
    assert not decide_chart(patient, group, family.policy, NOW).outcomes[contact.ref].opens


@given(families(), st.sampled_from(OF_PATIENT))
def test_an_error_about_a_chart_is_a_hold_for_everybody_on_it(family: Family, field: str) -> None:
    patient: Patient = msgspec.structs.replace(family.patients[0], **{field: Poison()})
    group = family.on_chart(patient)
    assume(group)
    outcomes = decide_chart(patient, group, family.policy, NOW).outcomes
    assert {outcome.headline for outcome in outcomes.values()} <= {"internal-error", "record-unusable"}
