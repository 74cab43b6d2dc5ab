"""What a human should look at: which problems, in which words, under an id that stays; and when they close."""

from typing import Any

import msgspec
import pytest

from adapter.core.accounts import Member
from adapter.core.decide import decide_chart
from adapter.core.facts import Authority, Contact, EmailProblem, Fact, Patient, Quarantined, Role
from adapter.core.findings import Finding, account_findings, chart_findings, own_chart_findings, record_finding
from adapter.core.policy import Policy
from adapter.core.reasons import REASONS, Severity
from tests.core.personas import (
    ANNA,
    LEO,
    MIA,
    NOW,
    anna,
    anna_as_other_relative,
    anna_as_patient,
    anna_as_self,
    ben,
    chart,
    contact,
    leo,
    mia,
)
from tests.core.practice import decided, decisions

NONE, EXCLUSIVE, UNKNOWN = Authority.NONE, Authority.EXCLUSIVE, Authority.UNKNOWN
FAMILY = "family@rivera.example"
INVALID: dict[str, Any] = {"email": "", "email_key": "", "email_problem": EmailProblem.INVALID}


def on_chart(patient: Patient | None, *contacts: Contact) -> list[Finding]:
    ref = contacts[0].patient
    return chart_findings(ref, patient, contacts, decide_chart(patient, contacts, Policy(), NOW))


def at_address(*facts: Fact) -> list[Finding]:
    return account_findings(decisions(decided(facts))[FAMILY])


def of_own_chart(own: Contact, *others: Fact) -> list[Finding]:
    members = decided((own, *others))
    mine = members.pop(own.ref)
    here: list[Member] = [other for other in members.values() if other.contact.patient == own.patient]
    elsewhere = [other for other in members.values() if other.contact.patient != own.patient]
    return own_chart_findings(mine, here, elsewhere)


# ---- on one chart --------------------------------------------------------------------------------------------------

# fmt: off
FOUND: list[tuple[str, Patient | None, Contact, str]] = [
    ("authority-unknown", mia(), anna(authority=UNKNOWN), "Anna Rivera (mother) on Mia Rivera's chart"),
    ("role-unknown", mia(), anna(role=Role.UNKNOWN, role_text="Emergency"), "Anna Rivera (Emergency) on Mia Rivera's"),
    ("role-not-allowed", mia(), anna(role=Role.OTHER), "Anna Rivera (other) on Mia Rivera's chart"),
    ("email-missing", mia(), anna(email=""), "Anna Rivera (mother) on Mia Rivera's chart: the contact has no current"),
    ("email-invalid", mia(), anna(**INVALID), "Anna Rivera (mother) on Mia Rivera's chart"),
    ("birthdate-unusable", mia(birth_date=""), anna(), "Anna Rivera (mother) on Mia Rivera's chart"),
    ("shared-email", mia(emails=(FAMILY,)), anna(email=FAMILY), "Anna Rivera (mother) on Mia Rivera's chart"),
    ("patient-mismatch", None, anna(), "Anna Rivera (mother) on Patient/mia: the contact does not point to"),
    ("internal-error", mia(), anna(end="soon"), "Anna Rivera (mother) on Mia Rivera's chart"),
    ("email-missing", mia(), anna(email="", names=(), role=Role.GUARDIAN), "RelatedPerson/anna-mia (guardian) on Mia"),
]
NORMAL: list[tuple[str, Patient, Contact]] = [
    ("eligible", mia(), anna()),
    ("authority-none", mia(), anna(authority=NONE)),
    ("none-and-no-email", mia(), anna(authority=NONE, email="")),
    ("inactive-and-no-email", mia(), anna(active=False, email="")),
    ("ended", mia(), anna(end="2026-03-01")),
    ("not-yet", mia(), anna(start="2026-03-03")),
    ("deceased", mia(deceased=True), anna(email="")),
    ("merged", mia(replaced_by=("Patient/x",)), anna()),
    ("self", anna_as_patient(), anna_as_self(email="")),
    ("adult", mia(birth_date="2000-01-01"), anna()),
    ("damaged-contact", mia(), anna(unusable="$: unreadable")),
    ("damaged-chart", mia(unusable="$: unreadable"), anna()),
]
# fmt: on


@pytest.mark.parametrize(("code", "patient", "contact", "says"), FOUND)
def test_a_problem_names_the_person_the_chart_the_reason_and_the_step(
    code: str, patient: Patient | None, contact: Contact, says: str
) -> None:
    (finding,) = on_chart(patient, contact)
    assert (finding.code, finding.patient, finding.contact) == (code, MIA, contact.ref)
    assert finding.message.startswith(says)
    assert REASONS[code].summary in finding.message
    assert finding.remedy == REASONS[code].remedy != ""
    assert finding.severity is REASONS[code].finding


@pytest.mark.parametrize(
    ("patient", "contact"), [pytest.param(patient, contact, id=name) for name, patient, contact in NORMAL]
)
def test_what_is_normal_or_found_elsewhere_is_no_finding(patient: Patient, contact: Contact) -> None:
    assert on_chart(patient, contact) == []


def test_exclusive_beside_others_is_a_finding_for_each_of_the_others() -> None:
    found = on_chart(mia(), anna(authority=EXCLUSIVE), ben())
    assert [(finding.code, finding.contact) for finding in found] == [("authority-conflict", "RelatedPerson/ben-mia")]
    assert found[0].severity is Severity.ERROR
    assert "custody papers" in found[0].remedy


def test_two_exclusives_are_a_finding_for_both() -> None:
    assert len(on_chart(mia(), anna(authority=EXCLUSIVE), ben(authority=EXCLUSIVE))) == 2


def test_every_reason_that_asks_for_a_human_says_what_to_do() -> None:
    assert [reason.code for reason in REASONS.values() if reason.finding and not reason.remedy] == []


# ---- at one address ------------------------------------------------------------------------------------------------


def test_a_shared_mailbox_names_who_uses_it_and_the_chart_that_is_held() -> None:
    (finding,) = at_address(
        mia(),
        leo(),
        anna(email=FAMILY),
        ben(email=FAMILY, names=("Ben Hill",), role=Role.GUARDIAN),
        anna("leo", email=FAMILY),
    )
    assert (finding.code, finding.patient, finding.email) == ("shared-email", LEO, FAMILY)
    assert finding.message == (
        f"{FAMILY} is used by Anna Rivera and Ben Hill, and not all of them may see Leo Rivera's chart: held."
    )
    assert finding.severity is Severity.ERROR


def test_a_mother_and_a_father_under_one_address_are_worth_a_look_though_nothing_is_held() -> None:
    (finding,) = at_address(mia(), anna(email=FAMILY), ben(email=FAMILY))
    assert (finding.code, finding.patient, finding.severity) == ("shared-email", MIA, Severity.WARNING)
    assert "a mother and a father" in finding.message
    assert "Mia Rivera's chart" in finding.message


def test_a_clash_of_kinship_is_found_beside_a_chart_that_is_held() -> None:
    found = at_address(mia(), leo(), anna(email=FAMILY), ben(email=FAMILY), anna("leo", email=FAMILY))
    assert [(finding.patient, finding.severity) for finding in found] == [
        (LEO, Severity.ERROR),
        (MIA, Severity.WARNING),
    ]


def test_a_clash_of_kinship_where_neither_may_see_the_chart_does_not_say_that_they_may() -> None:
    (finding,) = at_address(mia(), anna(email=FAMILY, authority=NONE), ben(email=FAMILY, authority=NONE))
    assert "may see" not in finding.message


def test_one_person_with_one_address_is_no_finding() -> None:
    assert at_address(mia(), leo(), anna(email=FAMILY), anna("leo", email=FAMILY)) == []


# ---- the parent who is also a patient ------------------------------------------------------------------------------


def test_self_alone_in_the_own_chart_of_a_parent_is_a_finding_with_the_faqs_remedy() -> None:
    (finding,) = of_own_chart(anna_as_self(), anna_as_patient(), mia(), anna())
    assert (finding.code, finding.patient, finding.contact) == ("self-only", ANNA, "RelatedPerson/anna-self")
    assert finding.message == (
        "Anna Rivera is Self in their own chart and a Family Contact on Mia Rivera's chart: "
        "they do not see themselves in the portal."
    )
    assert "change the Role/Reason from Self to Other Relative" in finding.remedy
    assert "the same e-mail address as in the child's chart" in finding.remedy


def test_self_beside_other_relative_is_no_finding() -> None:
    assert of_own_chart(anna_as_self(), anna_as_patient(), anna_as_other_relative(), mia(), anna()) == []


@pytest.mark.parametrize(
    "others",
    [(), (mia(), ben()), (mia(), anna(active=False)), (mia(), anna(birth_date="1961-07-30"))],
    ids=["nobody", "somebody-else", "no-longer", "a-namesake"],
)
def test_self_of_a_patient_who_is_nobodys_contact_is_no_finding(others: tuple[Fact, ...]) -> None:
    assert of_own_chart(anna_as_self(birth_date="1988-02-11"), anna_as_patient(), *others) == []


@pytest.mark.parametrize("role", [Role.SELF, Role.OTHER_RELATIVE])
def test_a_second_chart_of_the_same_patient_makes_nobody_a_parent(role: Role) -> None:
    twin = chart("anna2", "Anna Rivera", "1988-02-11"), contact("2", "Anna Rivera", "anna2", FAMILY, role=role)
    assert of_own_chart(anna_as_self(), anna_as_patient(), *twin) == []


def test_a_self_row_on_another_chart_makes_nobody_a_parent() -> None:
    assert of_own_chart(anna_as_self(), anna_as_patient(), mia(), anna(role=Role.SELF)) == []


def test_self_that_has_ended_is_no_finding() -> None:
    assert of_own_chart(anna_as_self(active=False), anna_as_patient(), mia(), anna()) == []


def test_different_addresses_in_the_two_charts_are_a_finding_that_names_both() -> None:
    (finding,) = of_own_chart(anna_as_other_relative(email="anna@work.example"), anna_as_patient(), mia(), anna())
    assert finding.code == "email-mismatch"
    for part in ("Anna Rivera", "anna@work.example", ANNA, "anna@rivera.example", "Mia Rivera's chart", MIA):
        assert part in finding.message
    assert finding.remedy == "Use the same e-mail address for this person in both charts."


@pytest.mark.parametrize("email", ["anna@rivera.example", ""])
def test_the_same_address_or_none_in_the_own_chart_is_no_mismatch(email: str) -> None:
    assert of_own_chart(anna_as_other_relative(email=email), anna_as_patient(), mia(), anna()) == []


def test_the_order_of_the_other_charts_does_not_matter() -> None:
    facts = mia(), anna(email="1@rivera.example"), leo(), anna("leo", email="2@rivera.example"), anna_as_patient()
    own = anna_as_other_relative(email="anna@work.example")
    assert of_own_chart(own, *facts) == of_own_chart(own, *reversed(facts))


# ---- damaged records -----------------------------------------------------------------------------------------------


def test_a_damaged_record_names_where_it_stood_and_what_is_wrong() -> None:
    finding = record_finding(
        Quarantined("RelatedPerson/7", "RelatedPerson/7", "$.name", "should be a list", "contacts.ndjson:12")
    )
    assert finding.message == "RelatedPerson/7 (contacts.ndjson:12) was put aside: $.name: should be a list."
    assert (finding.contact, finding.patient, finding.severity) == ("RelatedPerson/7", None, Severity.ERROR)
    assert record_finding(Quarantined("Patient/7", "", "$", "is not an object")).patient == "Patient/7"


def test_a_record_without_an_id_is_named_by_its_place() -> None:
    finding = record_finding(Quarantined("", "", "$", "is not JSON", "contacts.ndjson:12"))
    assert finding.message.startswith("A record at contacts.ndjson:12 was put aside")
    assert (finding.contact, finding.patient) == (None, None)


# ---- identity ------------------------------------------------------------------------------------------------------


def test_two_runs_that_meet_the_same_problem_make_the_same_finding() -> None:
    (first,), (again,) = on_chart(mia(), anna(email="")), on_chart(mia(names=("Mia R.",)), anna(email="", names=()))
    assert first.message != again.message
    assert first.id("main-street") == again.id("main-street")
    assert len(first.id("main-street")) == 12


def test_another_problem_person_chart_address_or_practice_is_another_finding() -> None:
    (first,) = on_chart(mia(), anna(email=""))
    changes = [{"code": "email-invalid"}, {"patient": LEO}, {"contact": "RelatedPerson/x"}, {"email": FAMILY}]
    others = [msgspec.structs.replace(first, **change).id("main-street") for change in changes]
    ids = {first.id("main-street"), first.id("elm-street"), *others}
    assert len(ids) == 6


@pytest.mark.parametrize(
    ("broken", "fixed"),
    [
        (on_chart(mia(), anna(email="")), on_chart(mia(), anna())),
        (on_chart(mia(), anna(authority=UNKNOWN)), on_chart(mia(), anna(authority=NONE))),
        (on_chart(mia(), anna(authority=EXCLUSIVE), ben()), on_chart(mia(), anna(), ben())),
        (at_address(mia(), anna(email=FAMILY), ben(email=FAMILY)), at_address(mia(), anna(email=FAMILY), ben())),
    ],
)
def test_a_finding_closes_when_the_chart_is_right(broken: list[Finding], fixed: list[Finding]) -> None:
    assert len(broken) == 1
    assert fixed == []


def test_the_scope_says_what_must_be_decided_again_before_a_finding_may_close() -> None:
    scopes = {
        on_chart(mia(), anna(email=""))[0].scope,
        at_address(mia(), anna(email=FAMILY), ben(email=FAMILY))[0].scope,
        of_own_chart(anna_as_self(), anna_as_patient(), mia(), anna())[0].scope,
        record_finding(Quarantined("RelatedPerson/7", "", "$", "is not an object")).scope,
    }
    assert scopes == {
        "chart:Patient/mia",
        f"address:{FAMILY}",
        "own-chart:RelatedPerson/anna-self",
        "record:RelatedPerson/7",
    }
