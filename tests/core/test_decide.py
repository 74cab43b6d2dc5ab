"""Deciding one contact on its chart: one line for every rule and every way to break it, with its reason code."""

from itertools import pairwise
from typing import Any

import pytest

from adapter.core.decide import PASSED, ChartDecision, Outcome, decide_chart, steps_of
from adapter.core.facts import Authority, Contact, EmailProblem, Patient, Role
from adapter.core.policy import Policy
from adapter.core.reasons import ORDER, REASONS
from adapter.core.rules import RULES
from tests.core.personas import NOW, anna, anna_as_patient, anna_as_self, ben, leo, mia

EXCLUSIVE, NONE, UNKNOWN = Authority.EXCLUSIVE, Authority.NONE, Authority.UNKNOWN
NO_EMAIL: dict[str, Any] = {"email": "", "email_key": ""}
INVALID: dict[str, Any] = NO_EMAIL | {"email_problem": EmailProblem.INVALID}
OLD: dict[str, Any] = NO_EMAIL | {"email_problem": EmailProblem.OLD}


def decide(patient: Patient | None, *contacts: Contact, policy: Policy | None = None) -> ChartDecision:
    return decide_chart(patient, contacts, policy or Policy(), NOW)


def outcome(patient: Patient | None, contact: Contact, *others: Contact, policy: Policy | None = None) -> Outcome:
    return decide(patient, contact, *others, policy=policy).outcomes[contact.ref]


def headlines(patient: Patient | None, *contacts: Contact) -> list[str]:
    decision = decide(patient, *contacts)
    return [decision.outcomes[contact.ref].headline for contact in contacts]


# fmt: off
ONE_CONTACT = [
    # 1 the record
    ("contact-unusable", mia(), anna(unusable="$.name: should be a list"), ["record-unusable"]),
    ("patient-unusable", mia(unusable="$.birthDate: should be text"), anna(), ["record-unusable"]),
    # 2 the chart it points to
    ("no-such-chart", None, anna(), ["patient-mismatch", "birthdate-unusable"]),
    ("another-chart", leo(), anna(), ["patient-mismatch"]),
    ("foreign-reference", mia(), anna(patient_problem="points to another EHR"), ["patient-mismatch"]),
    ("unresolved-reference", None, anna(patient="", patient_problem="has an identifier only"),
     ["patient-mismatch", "birthdate-unusable"]),
    # 3 the state of the chart
    ("chart-inactive", mia(active=False), anna(), ["patient-inactive"]),
    ("chart-merged", mia(replaced_by=("Patient/mia2",)), anna(), ["patient-merged"]),
    ("patient-died", mia(deceased=True), anna(), ["patient-deceased"]),
    # 4 the state of the contact
    ("contact-inactive", mia(), anna(active=False), ["contact-inactive"]),
    ("contact-begins-tomorrow", mia(), anna(start="2026-03-03"), ["contact-not-yet"]),
    ("contact-begins-in-an-hour", mia(), anna(start="2026-03-02T10:00:00-05:00"), ["contact-not-yet"]),
    ("contact-began-today", mia(), anna(start="2026-03-02"), []),
    ("contact-ended-yesterday", mia(), anna(end="2026-03-01"), ["contact-ended"]),
    ("contact-ended-last-month", mia(), anna(end="2026-02"), ["contact-ended"]),
    ("contact-ended-an-hour-ago", mia(), anna(end="2026-03-02T08:00:00-05:00"), ["contact-ended"]),
    ("contact-ends-today", mia(), anna(end="2026-03-02"), []),
    ("contact-ends-this-year", mia(), anna(end="2026"), []),
    ("contact-never-ends", mia(), anna(end="9999-12-31"), []),
    ("period-garbled", mia(), anna(end="next summer"), ["internal-error"]),
    # 5 and 6 the Authority
    ("authority-none", mia(), anna(authority=NONE), ["authority-none"]),
    ("authority-not-stated", mia(), anna(authority=UNKNOWN), ["authority-unknown"]),
    ("authority-in-other-words", mia(), anna(authority=UNKNOWN, authority_text="shared"), ["authority-unknown"]),
    ("authority-nonsense", mia(), anna(authority="full"), ["authority-unknown"]),
    ("authority-exclusive", mia(), anna(authority=EXCLUSIVE), []),
    # 7 and 8 the Role
    ("role-self", anna_as_patient(), anna_as_self(), ["role-self"]),
    ("role-unknown", mia(), anna(role=Role.UNKNOWN, role_text="Emergency contact"), ["role-unknown"]),
    ("role-other", mia(), anna(role=Role.OTHER), ["role-not-allowed"]),
    # 9 the address
    ("email-missing", mia(), anna(email=""), ["email-missing"]),
    ("email-invalid", mia(), anna(**INVALID), ["email-invalid"]),
    ("email-old", mia(), anna(**OLD), ["email-missing"]),
    ("email-ended", mia(), anna(email_end="2026-03-01"), ["email-missing"]),
    ("email-ends-today", mia(), anna(email_end="2026-03-02"), []),
    ("email-begins-tomorrow", mia(), anna(email_start="2026-03-03"), ["email-missing"]),
    # 11 the patient's age
    ("birth-date-missing", mia(birth_date=""), anna(), ["birthdate-unusable"]),
    ("birth-date-absurd", mia(birth_date="1850-01-01"), anna(), ["birthdate-unusable"]),
    ("birth-date-in-the-future", mia(birth_date="2026-03-03"), anna(), ["birthdate-unusable"]),
    ("birth-date-garbled", mia(birth_date="2019-15-99"), anna(), ["birthdate-unusable"]),
    ("eighteen-tomorrow", mia(birth_date="2008-03-03"), anna(), []),
    ("eighteen-today", mia(birth_date="2008-03-02"), anna(), ["dependent-is-adult"]),
    ("eighteen-perhaps", mia(birth_date="2008"), anna(), ["dependent-is-adult"]),
    # 12 the patient's own mailbox
    ("own-mailbox", mia(emails=("anna@rivera.example",)), anna(), ["shared-email"]),
    ("own-other-mailbox", mia(emails=("mia@rivera.example",)), anna(), []),
    # 13 in order
    ("in-order", mia(), anna(), []),
    ("born-today", mia(birth_date="2026-03-02"), anna(), []),
]
# fmt: on


@pytest.mark.parametrize(
    ("patient", "contact", "reasons"), [pytest.param(*case, id=name) for name, *case in ONE_CONTACT]
)
def test_each_rule(patient: Patient | None, contact: Contact, reasons: list[str]) -> None:
    decided = outcome(patient, contact)
    assert list(decided.reasons) == reasons
    assert decided.headline == (reasons[0] if reasons else "eligible")
    assert decided.opens is (not reasons)


ALLOWED = sorted(set(Role) - {Role.SELF, Role.OTHER, Role.UNKNOWN})


@pytest.mark.parametrize("role", ALLOWED)
def test_every_known_kin_guardian_and_other_relative_may_hold_a_grant(role: Role) -> None:
    assert outcome(mia(), anna(role=role)).opens


@pytest.mark.parametrize("role", sorted(set(Role) - {Role.GUARDIAN}))
def test_a_practice_may_allow_fewer_roles(role: Role) -> None:
    decided = outcome(mia(), anna(role=role), policy=Policy(allowed_roles=frozenset({Role.GUARDIAN})))
    assert decided.headline in ("role-not-allowed", "role-unknown", "role-self")


def test_every_reason_is_collected_and_the_first_is_the_headline() -> None:
    chart: dict[str, Any] = {
        "active": False,
        "replaced_by": ("Patient/mia2",),
        "deceased": True,
        "emails": ("anna@rivera.example",),
    }
    patient = mia(unusable="$: unreadable", birth_date="", **chart)
    period: dict[str, Any] = {"active": False, "start": "2026-04", "end": "2026-02"}
    contact = anna(patient_problem="points to another EHR", authority=NONE, role=Role.OTHER, **period)
    decided = outcome(patient, contact, ben(authority=EXCLUSIVE))
    assert decided.reasons == (
        "record-unusable",
        "patient-mismatch",
        "patient-merged",
        "patient-inactive",
        "patient-deceased",
        "contact-inactive",
        "contact-not-yet",
        "contact-ended",
        "authority-none",
        "role-not-allowed",
        "authority-conflict",
        "birthdate-unusable",
        "shared-email",
    )
    assert decided.headline == "record-unusable"


def test_the_other_reasons_are_collected_in_the_order_of_the_rules_too() -> None:
    decided = outcome(mia(birth_date="1990"), anna(authority=UNKNOWN, role=Role.SELF, **INVALID))
    assert decided.reasons == ("authority-unknown", "role-self", "email-invalid", "dependent-is-adult")


def test_every_reason_a_rule_can_give_is_in_the_table_in_the_order_of_the_rules() -> None:
    given = [reasons[0] for _, _, _, reasons in ONE_CONTACT if reasons and reasons[0] != "internal-error"]
    assert set(given) <= set(REASONS)
    groups = [{code for code in given if code.startswith(start)} for start in ("record", "patient", "contact", "auth")]
    groups += [{"role-self"}, {"role-unknown", "role-not-allowed"}, {"email-missing", "email-invalid"}]
    groups += [{"authority-conflict"}, {"birthdate-unusable"}, {"dependent-is-adult"}, {"shared-email"}]
    for earlier, later in pairwise(groups):
        assert max(ORDER[code] for code in earlier) < min(ORDER[code] for code in later)


# ---- rule 6: Authority is never guessed ----------------------------------------------------------------------------

ASSUMING = Policy(authority_when_unknown={Role.MOTHER: Authority.JOINT})


def test_a_practice_may_say_which_authority_a_role_has_when_the_chart_states_none() -> None:
    assert outcome(mia(), anna(authority=UNKNOWN), policy=ASSUMING).opens
    assert outcome(mia(), ben(authority=UNKNOWN), policy=ASSUMING).headline == "authority-unknown"


def test_words_nobody_understands_are_never_replaced_by_an_assumption() -> None:
    contact = anna(authority=UNKNOWN, authority_text="see papers")
    assert outcome(mia(), contact, policy=ASSUMING).headline == "authority-unknown"


@pytest.mark.parametrize("known", [Authority.JOINT, EXCLUSIVE, NONE])
def test_an_authority_that_was_known_and_got_lost_is_not_assumed(known: Authority) -> None:
    contact = anna(authority=UNKNOWN, last_authority=known)
    assert outcome(mia(), contact, policy=ASSUMING).headline == "authority-unknown"


def test_an_assumption_never_overrules_none() -> None:
    assert outcome(mia(), anna(authority=NONE), policy=ASSUMING).headline == "authority-none"


# ---- who reads the mailbox -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("patient", "contact", "current"),
    [
        (mia(), anna(), True),
        (mia(), anna(authority=NONE), True),
        (mia(), anna(unusable="$: unreadable"), True),
        (mia(), anna(end="garbled"), True),
        (mia(), anna(active=False), False),
        (mia(), anna(end="2026-03-01"), False),
        (mia(deceased=True), anna(), False),
        (mia(active=False), anna(), False),
    ],
)
def test_everybody_on_a_live_chart_today_reads_their_mailbox(patient: Patient, contact: Contact, current: bool) -> None:
    assert outcome(patient, contact).current is current


# ---- step by step --------------------------------------------------------------------------------------------------


def test_the_steps_name_every_rule_and_agree_with_the_decision() -> None:
    patient, people = mia(birth_date="2020"), (anna(authority=UNKNOWN, email=""), ben(authority=EXCLUSIVE))
    for contact in people:
        steps = steps_of(contact, patient, people, Policy(), NOW)
        assert [step.rule for step in steps] == [rule.name for rule in RULES]
        failed = tuple(step.outcome for step in steps if step.outcome != PASSED)
        assert failed == outcome(patient, contact, *people).reasons


def test_each_step_names_the_version_of_the_record_it_rests_on() -> None:
    steps = {step.rule: step.source for step in steps_of(anna(), mia(), (anna(),), Policy(), NOW)}
    assert steps["authority"] == "RelatedPerson/anna-mia/_history/1"
    assert steps["age"] == "Patient/mia/_history/1"


def test_a_rule_that_fails_says_so_in_its_step() -> None:
    steps = {step.rule: step.outcome for step in steps_of(anna(end="soon"), mia(), (), Policy(), NOW)}
    assert steps["contact-not-ended"] == "internal-error"
    assert steps["authority"] == PASSED


def test_an_error_inside_one_decision_holds_that_contact_and_no_other() -> None:
    assert headlines(mia(), anna(start="whenever"), ben()) == ["internal-error", "eligible"]


@pytest.mark.parametrize(
    ("patient", "contact"),
    [(mia(birth_date=20190504), anna()), (mia(), anna(role=[], authority=UNKNOWN))],
    ids=["birth-date", "role"],
)
def test_an_error_that_concerns_the_chart_holds_everybody_on_it(patient: Patient, contact: Contact) -> None:
    decision = decide(patient, contact, ben())
    assert {one.reasons for one in decision.outcomes.values()} == {("internal-error",)}
    assert decision.review_on == NOW.date()
    assert {step.outcome for step in steps_of(contact, patient, (contact,), Policy(), NOW)} == {"internal-error"}
