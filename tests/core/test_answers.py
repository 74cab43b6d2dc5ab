"""A human's answers: each makes one hold a grant, for exactly the facts it was given for, and never an explicit no."""

from datetime import UTC, timedelta
from typing import Any

import msgspec
import pytest

from adapter.core.answers import HOLDS, Answer, answers_to
from adapter.core.facts import Authority, Contact, Fact, Patient, Role
from adapter.core.policy import Access, Band, Policy
from adapter.core.reasons import APPROVED, REASONS
from adapter.core.state import GrantState
from tests.core.answering import FAMILYS, after, answered, practice, shared
from tests.core.personas import ANNAS, LEO, MIA, NOW, anna, ben, leo, mia, rosa

APPROVE, DISMISS, SAME, DIFFERENT = Answer


# ---- what an approval opens ----------------------------------------------------------------------------------------

# fmt: off
HELD: list[tuple[str, list[Fact]]] = [
    ("a role that nobody mapped", [mia(), anna(role=Role.UNKNOWN, role_text="Auntie")]),
    ("a role that the practice gives no access", [mia(), anna(role=Role.OTHER)]),
    ("an address that is in the child's own record", [mia(emails=(ANNAS,)), anna()]),
]
# fmt: on


@pytest.mark.parametrize(("what", "facts"), HELD)
def test_an_approved_hold_is_a_grant(what: str, facts: list[Fact]) -> None:
    one = practice(*facts)
    assert one.opens(ANNAS) == []
    assert after(one, APPROVE).opens(ANNAS) == [MIA]
    grant = one.accounts[ANNAS].grants[MIA]
    assert (grant.state, grant.reason, grant.access) == (GrantState.ACTIVE, APPROVED, Access.FULL)


@pytest.mark.parametrize("facts", [facts for _, facts in HELD])
def test_a_dismissal_changes_nothing_about_access(facts: list[Fact]) -> None:
    one = practice(*facts)
    before = one.accounts
    assert after(one, DISMISS).accounts == before


@pytest.mark.parametrize("facts", [facts for _, facts in HELD])
def test_a_withdrawn_answer_closes_the_chart_again(facts: list[Fact]) -> None:
    one = after(practice(*facts), APPROVE)
    one.answers.clear()
    one.sync(*facts)
    assert one.opens(ANNAS) == []


@pytest.mark.parametrize("facts", [facts for _, facts in HELD])
def test_what_was_approved_stays_a_finding_that_can_be_looked_up(facts: list[Fact]) -> None:
    one = practice(*facts)
    before = one.findings()
    assert before
    assert after(one, APPROVE).findings() == before


def test_an_approval_of_one_thing_is_none_of_the_next() -> None:
    """The role is approved; that there is no e-mail address is not."""
    one = after(practice(mia(), anna(role=Role.OTHER, email="")), APPROVE)
    assert [finding.code for finding in one.findings()] == ["role-not-allowed"]
    assert one.accounts == {}


def test_access_by_age_counts_for_what_is_approved_too() -> None:
    bands = (Band(0, Access.FULL), Band(5, Access.LIMITED), Band(18, Access.NONE))
    one = after(practice(mia(), anna(role=Role.OTHER), policy=Policy(bands=bands)), APPROVE)
    assert one.accounts[ANNAS].grants[MIA].access is Access.LIMITED


# ---- never an explicit no ------------------------------------------------------------------------------------------

# fmt: off
EXPLICIT: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("Authority None", {}, {"authority": Authority.NONE}),
    ("no Authority", {}, {"authority": Authority.UNKNOWN}),
    ("an inactive contact", {}, {"active": False}),
    ("an ended contact", {}, {"end": "2026-03-01"}),
    ("a contact that has not begun", {}, {"start": "2026-04-01"}),
    ("Role Self", {}, {"role": Role.SELF}),
    ("a damaged contact", {}, {"unusable": "$: bad"}),
    ("a contact of another chart", {}, {"patient_problem": "points elsewhere"}),
    ("an inactive chart", {"active": False}, {}),
    ("a merged chart", {"replaced_by": ("Patient/x",)}, {}),
    ("a patient who has died", {"deceased": True}, {}),
    ("a damaged chart", {"unusable": "$: bad"}, {}),
    ("an adult patient", {"birth_date": "2008-03-01"}, {}),
    ("a birth date that cannot be right", {"birth_date": "1788-01-01"}, {}),
]
# fmt: on


@pytest.mark.parametrize(("what", "of_chart", "of_contact"), EXPLICIT)
@pytest.mark.parametrize("hold", [{"role": Role.UNKNOWN}, {"role": Role.OTHER}, {}])
def test_no_answer_opens_a_chart_against(
    what: str, of_chart: dict[str, Any], of_contact: dict[str, Any], hold: dict[str, Any]
) -> None:
    facts = (mia(emails=(ANNAS,), **of_chart), anna(**(hold | of_contact)))
    for answer in Answer:
        assert after(practice(*facts), answer).opens(ANNAS) == []


@pytest.mark.parametrize(
    "others", [(ben(authority=Authority.EXCLUSIVE),), (ben(), rosa(authority=Authority.EXCLUSIVE))]
)
def test_no_answer_opens_a_chart_against_somebodys_exclusive_authority(others: tuple[Contact, ...]) -> None:
    for answer in Answer:
        assert after(practice(mia(), anna(role=Role.OTHER), *others), answer).opens(ANNAS) == []


def test_two_people_with_exclusive_authority_stay_held_whatever_is_answered() -> None:
    facts = (mia(), anna(role=Role.OTHER, authority=Authority.EXCLUSIVE), ben(authority=Authority.EXCLUSIVE))
    for answer in Answer:
        assert after(practice(*facts), answer).opens(ANNAS) == []


# ---- bound to the facts, and to time -------------------------------------------------------------------------------

# fmt: off
CHANGES: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("the role's words", {}, {"role_text": "Uncle"}),
    ("the role", {}, {"role": Role.OTHER}),
    ("the name", {}, {"names": ("Anna Lopez",)}),
    ("the contact's birth date", {}, {"birth_date": "1988-02-11"}),
    ("the Authority", {}, {"authority": Authority.EXCLUSIVE}),
    ("an end that is far away", {}, {"end": "2030"}),
    ("the patient's name", {"names": ("Maria Rivera",)}, {}),
    ("the patient's birth date", {"birth_date": "2019-05-05"}, {}),
    ("the patient's own address", {"emails": ("mia@rivera.example",)}, {}),
    ("a link", {"links": ("Patient/x",)}, {}),
]
# fmt: on


@pytest.mark.parametrize(("what", "of_chart", "of_contact"), CHANGES)
def test_an_approval_ends_with_any_change_of(what: str, of_chart: dict[str, Any], of_contact: dict[str, Any]) -> None:
    known: dict[str, Any] = {"role": Role.UNKNOWN, "role_text": "Auntie"}
    one = after(practice(mia(), anna(**known)), APPROVE)
    assert one.opens(ANNAS) == [MIA]
    one.sync(mia(**of_chart), anna(**(known | of_contact)))
    assert one.opens(ANNAS) == []


def test_what_no_rule_reads_ends_no_approval() -> None:
    one = after(practice(mia(), anna(role=Role.OTHER)), APPROVE)
    child: Patient = msgspec.structs.replace(mia(), source="Patient/mia/_history/9", language="es", mrn="7")
    one.sync(child, anna(role=Role.OTHER, source="RelatedPerson/anna-mia/_history/2", language="es"))
    assert one.opens(ANNAS) == [MIA]


def test_an_approval_ends_when_age_narrows_access() -> None:
    bands = (Band(0, Access.FULL), Band(12, Access.LIMITED), Band(18, Access.NONE))
    child = mia(birth_date="2014-03-03")
    one = after(practice(child, anna(role=Role.OTHER), policy=Policy(bands=bands)), APPROVE)
    assert one.opens(ANNAS) == [MIA]
    one.now = NOW + timedelta(days=1)
    one.sync(*one.facts)
    assert one.opens(ANNAS) == []


@pytest.mark.parametrize(("facts", "email"), [((mia(), anna(role=Role.OTHER)), ANNAS), (shared(), FAMILYS)])
def test_an_answer_with_a_last_day_ends_then_and_the_portal_knows_it_before(
    facts: tuple[Fact, ...], email: str
) -> None:
    until = (NOW + timedelta(days=3)).astimezone(UTC)
    one = practice(*facts)
    for answer in (APPROVE, SAME):
        after(one, answer, until=until)
    assert MIA in one.opens(email)
    assert one.accounts[email].grants[MIA].until == until
    one.now = NOW + timedelta(days=3)
    one.sync(*facts)
    assert one.opens(email) == []


def test_an_approval_counts_on_its_own_chart_alone() -> None:
    one = practice(mia(), leo(), anna(role=Role.OTHER), anna("leo", role=Role.OTHER))
    one.answers = [answered(one.findings()[0], APPROVE)]
    one.sync(*one.facts)
    assert len(one.opens(ANNAS)) == 1


# ---- what takes which answer ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", sorted(REASONS))
def test_every_finding_takes_only_the_answers_that_the_rules_allow(code: str) -> None:
    takes = answers_to(code, "chart:Patient/mia")
    assert (APPROVE in takes) == (code in HOLDS)
    assert SAME not in takes and DIFFERENT not in takes
    assert (DISMISS in takes) == (code not in ("internal-error", "brake-on"))


def test_only_a_shared_address_asks_who_uses_it() -> None:
    assert answers_to("shared-email", f"address:{FAMILYS}") == tuple(Answer)
    assert answers_to("email-mismatch", f"address:{FAMILYS}") == (DISMISS,)


def test_every_hold_that_can_be_approved_is_one() -> None:
    assert all(REASONS[code].fresh is GrantState.HELD for code in HOLDS)


def test_a_decision_of_other_facts_or_another_kind_lifts_nothing() -> None:
    one = practice(mia(), anna(role=Role.OTHER))
    (finding,) = one.findings()
    given = answered(finding, APPROVE)
    for wrong in (
        {"facts": "0" * 64},
        {"contact": "RelatedPerson/x"},
        {"patient": LEO},
        {"code": "authority-none"},
        {"scope": "address:x"},
        {"answer": SAME},
    ):
        one.answers = [msgspec.structs.replace(given, **wrong)]
        one.sync(*one.facts)
        assert one.opens(ANNAS) == [], wrong
