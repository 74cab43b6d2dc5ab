"""Why (not)? The answer about one Family Contact, and about one chart."""

import pytest

from adapter.core.accounts import decide_account
from adapter.core.decide import PASSED
from adapter.core.explain import explain_chart, explain_contact
from adapter.core.facts import Authority, Contact, EmailProblem, Patient
from adapter.core.reasons import REASONS
from tests.core.personas import ANNAS, MIA, anna, ben, mia
from tests.core.practice import row_of, synced

NONE = Authority.NONE


def test_a_contact_that_opens_its_chart_has_the_answer_of_its_address() -> None:
    practice = synced(mia(), anna())
    of_address = practice.explain(ANNAS)
    grant = practice.accounts[ANNAS].grants[MIA]
    answer = explain_contact("RelatedPerson/anna-mia", row_of(anna(), mia()), of_address, grant, None)
    assert answer.who == "RelatedPerson/anna-mia"
    assert (answer.verdict, answer.remedy, answer.steps) == (of_address.verdict, of_address.remedy, of_address.steps)


@pytest.mark.parametrize(
    ("contact", "patient", "verdict"),
    [
        (
            anna(email=""),
            mia(),
            "Anna Rivera did not get the Welcome email for Mia Rivera's chart because the contact has "
            "no e-mail address.",
        ),
        (
            anna(email="", email_problem=EmailProblem.OLD),
            mia(),
            "Anna Rivera did not get the Welcome email for Mia "
            "Rivera's chart because the only e-mail address is marked as old.",
        ),
        (
            anna(),
            None,
            "Anna Rivera did not get the Welcome email for Patient/mia because the chart that the contact "
            "points to was not found in the EHR.",
        ),
        (
            anna(names=(), patient="", patient_problem="it has an identifier only"),
            None,
            "RelatedPerson/anna-mia did not "
            "get the Welcome email for the chart because the contact's chart: it has an identifier only.",
        ),
    ],
)
def test_a_contact_that_may_not_open_its_chart(contact: Contact, patient: Patient | None, verdict: str) -> None:
    answer = explain_contact(contact.ref, row_of(contact, patient), None, None, None)
    assert answer.verdict == verdict
    assert answer.remedy == REASONS[answer.reason].remedy


def test_a_contact_whose_mailbox_is_shared() -> None:
    members = [row_of(one, mia()).member for one in (anna(), ben(email=ANNAS, authority=NONE))]
    decision = decide_account(ANNAS, members)
    answer = explain_contact("RelatedPerson/anna-mia", row_of(anna(), mia()), None, None, decision)
    assert answer.reason == "shared-email"
    assert answer.steps[-1].because == "The address is used by Anna Rivera and Ben Rivera."


def test_a_contact_that_the_next_sync_grants() -> None:
    row = row_of(anna(), mia())
    answer = explain_contact("RelatedPerson/anna-mia", row, None, None, decide_account(ANNAS, [row.member]))
    assert answer.verdict == "Anna Rivera may open Mia Rivera's chart, and the next sync grants it."
    assert answer.remedy == "Run a sync: adapter sync."


# ---- one chart -----------------------------------------------------------------------------------------------------


def test_a_chart_says_who_may_open_it_and_why_the_others_may_not() -> None:
    practice = synced(mia(), anna(), ben(authority=NONE))
    rows = [row_of(anna(), mia(), ben(authority=NONE)), row_of(ben(authority=NONE), mia(), anna())]
    answer = explain_chart(MIA, mia(), rows, [(ANNAS, practice.accounts[ANNAS].grants[MIA])])
    assert answer.verdict == f"Mia Rivera's chart may be opened by {ANNAS}."
    assert [(step.rule, step.outcome, step.because) for step in answer.steps] == [
        ("Anna Rivera", PASSED, "Anna Rivera: relationship, Authority and e-mail address are in order."),
        ("Ben Rivera", "authority-none", "Ben Rivera: the Authority is None."),
        (ANNAS, "active", f"{ANNAS}: active (relationship, Authority and e-mail address are in order)."),
    ]


def test_a_chart_that_nobody_may_open_names_who_is_closest() -> None:
    rows = [row_of(anna(email=""), mia()), row_of(ben(authority=NONE), mia())]
    answer = explain_chart(MIA, mia(), rows, [])
    assert answer.verdict == (
        "Nobody may open Mia Rivera's chart; closest is Anna Rivera: the contact has no e-mail address."
    )
    assert (answer.reason, answer.remedy) == ("email-missing", REASONS["email-missing"].remedy)


def test_a_chart_without_family_contacts() -> None:
    answer = explain_chart(MIA, mia(), [], [])
    assert answer.verdict == "Nobody may open Mia Rivera's chart: it has no Family Contacts."
    assert answer.remedy.startswith("Enter the person in Family Contacts")


def test_a_chart_nobody_knows() -> None:
    answer = explain_chart("Patient/x", None, [], [])
    assert answer.verdict == "Patient/x is not known to the adapter."
    assert answer.remedy == "Read it from the EHR: adapter sync --person Patient/x."
