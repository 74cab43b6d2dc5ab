"""Why (not)? Every sentence that explain can say, and the step that goes with it."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from adapter.core.accounts import decide_account
from adapter.core.decide import PASSED
from adapter.core.explain import Explanation, WelcomeView, explain_address
from adapter.core.facts import Authority, Fact, Role
from adapter.core.reasons import REASONS
from adapter.core.state import Account, AccountStatus, EffectState
from tests.core.personas import ANNAS, NOW, anna, anna_as_patient, anna_as_self, ben, leo, mia
from tests.core.practice import Practice, invited, registered, row_of, synced

NONE, EXCLUSIVE, UNKNOWN = Authority.NONE, Authority.EXCLUSIVE, Authority.UNKNOWN
SENT_AT = datetime(2026, 3, 1, 19, 30, tzinfo=UTC)
SYNC = "Run a sync: adapter sync."


# ---- an address that may open nothing ------------------------------------------------------------------------------

# fmt: off
REFUSED: list[tuple[str, list[Fact], str]] = [
    ("internal-error", [mia(), anna(end="soon")], "the adapter could not decide this contact"),
    ("record-unusable", [mia(), anna(unusable="$.name should be a list")],
     "the contact's record cannot be used: $.name should be a list"),
    ("record-unusable", [mia(unusable="$.name should be a list"), anna()],
     "the chart's record cannot be used: $.name should be a list"),
    ("patient-mismatch", [anna()], "the chart that the contact points to was not found in the EHR"),
    ("patient-mismatch", [mia(), anna(patient_problem="it is in another EHR")],
     "the contact's chart: it is in another EHR"),
    ("patient-inactive", [mia(active=False), anna()], "the chart is inactive"),
    ("patient-merged", [mia(replaced_by=("Patient/x",)), anna()], "the chart was merged into another one"),
    ("patient-deceased", [mia(deceased=True), anna()], "the chart says that the patient has died"),
    ("contact-inactive", [mia(), anna(active=False)], "the contact is inactive"),
    ("contact-not-yet", [mia(), anna(start="2026-04-01")], "the contact's period has not begun"),
    ("contact-ended", [mia(), anna(end="2026-02-28")], "the contact's period ended on 2026-02-28"),
    ("authority-none", [mia(), anna(authority=NONE)], "the Authority is None"),
    ("authority-unknown", [mia(), anna(authority=UNKNOWN)], "the chart states no Authority"),
    ("authority-unknown", [mia(), anna(authority=UNKNOWN, authority_text="shared")],
     'the Authority "shared" is not one the adapter knows'),
    ("role-self", [anna_as_patient(), anna_as_self()],
     "the entry in the person's own chart has the Role/Reason Self"),
    ("role-unknown", [mia(), anna(role=Role.UNKNOWN, role_text="Emergency")],
     'the Role/Reason "Emergency" is not one the adapter knows'),
    ("role-not-allowed", [mia(), anna(role=Role.OTHER)], "the practice gives no portal access to this Role/Reason"),
    ("email-missing", [mia(), anna(email_end="2026-02-28")], "the e-mail address ended on 2026-02-28"),
    ("authority-conflict", [mia(), anna(), ben(authority=EXCLUSIVE)],
     "Ben Rivera has Exclusive Authority on this chart"),
    ("authority-conflict", [mia(), anna(authority=EXCLUSIVE), ben(authority=EXCLUSIVE)],
     "Ben Rivera also has Exclusive Authority on this chart"),
    ("birthdate-unusable", [mia(birth_date=""), anna()], "the patient's birth date is missing or cannot be right"),
    ("dependent-is-adult", [mia(birth_date="2000"), anna()],
     "the patient is of an age at which parents no longer have access"),
    ("shared-email", [mia(emails=(ANNAS,)), anna()],
     "the e-mail address is used by several people who may not all see this chart"),
    ("shared-email", [mia(), anna(), ben(email=ANNAS, authority=NONE)],
     "the e-mail address is used by several people who may not all see this chart"),
]
# fmt: on


@pytest.mark.parametrize(("reason", "facts", "because"), REFUSED)
def test_the_verdict_names_the_reason_and_the_remedy_is_the_faqs(reason: str, facts: list[Fact], because: str) -> None:
    answer = synced(*facts).explain(ANNAS)
    assert answer.verdict == f"Anna Rivera did not get the Welcome email because {because}."
    assert (answer.reason, answer.remedy) == (reason, REASONS[reason].remedy)


def test_the_steps_show_every_rule_for_one_contact() -> None:
    answer = synced(mia(), anna(authority=NONE)).explain(ANNAS)
    outcomes = {step.rule: step.outcome for step in answer.steps}
    assert outcomes["authority"] == "authority-none"
    assert outcomes["email"] == PASSED
    assert all(step.because.endswith(".") and step.source for step in answer.steps)


def test_the_steps_of_several_contacts_name_their_charts_and_only_what_decided() -> None:
    answer = synced(mia(), leo(), anna(), anna("leo", authority=NONE)).explain(ANNAS)
    assert [(step.rule, step.outcome) for step in answer.steps] == [
        ("Patient/leo authority", "authority-none"),
        ("Patient/mia contact", PASSED),
        ("grant", "active"),
        ("welcome", "queued"),
    ]


def test_a_shared_mailbox_shows_who_uses_it() -> None:
    answer = synced(mia(), anna(), ben(email=ANNAS, authority=NONE)).explain(ANNAS)
    (mailbox,) = [step for step in answer.steps if step.rule == "mailbox"]
    assert mailbox.because == "The address is used by Anna Rivera and Ben Rivera."
    assert mailbox.outcome == "shared-email"


def test_of_several_charts_the_one_closest_to_a_grant_is_explained() -> None:
    answer = synced(mia(), leo(deceased=True), anna(role=Role.OTHER), anna("leo")).explain(ANNAS)
    assert answer.reason == "role-not-allowed"


def test_an_address_nobody_has() -> None:
    answer = synced(mia(), anna()).explain("nobody@rivera.example")
    assert answer.verdict == "No Welcome email: no Family Contact has the e-mail address nobody@rivera.example."
    assert answer.reason == "address-unknown"
    assert answer.remedy.startswith("Enter the person in Family Contacts of the child's chart, with this e-mail")


def test_an_address_nobody_has_any_more() -> None:
    practice = synced(mia(), anna())
    practice.sync(mia())
    answer = practice.explain(ANNAS)
    assert answer.verdict == (
        f"{ANNAS} is no longer the address of any Family Contact: the contact was removed from the chart."
    )
    assert answer.reason == "contact-gone"
    assert [(step.rule, step.outcome) for step in answer.steps] == [("grant", "ended")]


def test_an_address_on_one_chart_that_was_changed() -> None:
    practice = synced(mia(), leo(), anna(), anna("leo"))
    practice.sync(mia(), leo(), anna(email="anna@work.example"), anna("leo", email="anna@home.example"))
    answer = practice.explain(ANNAS)
    assert (answer.reason, answer.remedy) == ("email-changed", "Ask about the new address instead.")


def test_a_parent_whose_account_the_next_sync_opens() -> None:
    practice = Practice()
    practice.facts = mia(), anna()
    answer = practice.explain(ANNAS)
    assert answer.verdict == "Anna Rivera may have an account, and the next sync opens it."
    assert (answer.reason, answer.remedy) == ("eligible", SYNC)


# ---- an address with an account ------------------------------------------------------------------------------------


def welcome(state: EffectState, **changes: Any) -> WelcomeView:
    view = WelcomeView(state, ANNAS, 1, 0, None, None, None, run=7)
    return msgspec.structs.replace(view, **changes)


# fmt: off
LEFT: list[tuple[WelcomeView | None, str, str, str]] = [
    (None, "eligible", "Anna Rivera has an account; the Welcome email is queued by the next sync.", SYNC),
    (welcome(EffectState.SENT, last_sent_at=SENT_AT), "eligible",
     f"The Welcome email to Anna Rivera was sent to {ANNAS} on 01 March 2026 at 14:30.",
     "If it did not arrive, check the spam folder and the e-mail address, then send it again with Register."),
    (welcome(EffectState.HELD), "first-run",
     "Anna Rivera did not get the Welcome email yet because the practice's first Welcome emails are held for "
     "a release.",
     "Look at the accounts, then release them: adapter release 7."),
    (welcome(EffectState.FAILED), "welcome-failed",
     f"The Welcome email to Anna Rivera could not be delivered to {ANNAS}: the mail server refused it.",
     "Correct the e-mail address in Family Contacts; if it is right, send the email again with Register."),
    (welcome(EffectState.FAILED, last_error="550 no such user"), "welcome-failed",
     f"The Welcome email to Anna Rivera could not be delivered to {ANNAS}: 550 no such user.",
     "Correct the e-mail address in Family Contacts; if it is right, send the email again with Register."),
    (welcome(EffectState.SENDING), "welcome-sending",
     f"The Welcome email to Anna Rivera is being sent to {ANNAS} now.", "Look again in a minute."),
    (welcome(EffectState.UNKNOWN), "welcome-unknown",
     f"The line to the mail server dropped while the Welcome email to Anna Rivera was being sent to {ANNAS}: "
     "it may or may not have arrived.",
     "Ask the parent whether it arrived; if not, send it again with Register. The link inside stays the same."),
    (welcome(EffectState.CANCELLED), "welcome-cancelled",
     "The Welcome email to Anna Rivera was cancelled.", "Send it again with Register."),
    (welcome(EffectState.QUEUED), "welcome-queued",
     f"The Welcome email to Anna Rivera is queued for {ANNAS} and leaves with the next delivery.",
     "Nothing to do; it leaves within minutes."),
    (welcome(EffectState.QUEUED, last_error="451 try later"), "welcome-queued",
     f"The Welcome email to Anna Rivera is queued for {ANNAS} and leaves with the next delivery "
     "(last try: 451 try later).", "Nothing to do; it leaves within minutes."),
]
# fmt: on


def explained(account: Account, view: WelcomeView | None) -> Explanation:
    row = row_of(anna(), mia())
    return explain_address(ANNAS, [row], decide_account(ANNAS, [row.member]), account, view, NOW)


@pytest.mark.parametrize(("view", "reason", "verdict", "remedy"), LEFT)
def test_what_became_of_the_welcome_email(view: WelcomeView | None, reason: str, verdict: str, remedy: str) -> None:
    answer = explained(synced(mia(), anna()).accounts[ANNAS], view)
    assert (answer.verdict, answer.reason, answer.remedy) == (verdict, reason, remedy)
    assert answer.steps[-1].rule == "welcome"


def test_a_registered_parent_needs_no_welcome_email() -> None:
    answer = explained(registered(synced(mia(), anna()).accounts[ANNAS]), welcome(EffectState.SENT))
    assert answer.verdict == "Anna Rivera is registered in the portal."
    assert answer.remedy == "A new Welcome email is not needed; a forgotten password is reset in the portal."


def test_a_chart_that_is_left_out_is_named_with_its_reason_and_remedy() -> None:
    practice = synced(mia(), leo(), anna(), anna("leo", authority=NONE))
    practice.accounts[ANNAS] = invited(practice.accounts[ANNAS])
    answer = practice.explain(ANNAS)
    assert answer.verdict == (
        f"The Welcome email to Anna Rivera was sent to {ANNAS} on 02 March 2026 at 09:00; "
        "Leo Rivera's chart is not included because the Authority is None."
    )
    assert answer.remedy.startswith("If this parent should have access, set Authority to Joint or Exclusive")


# ---- as JSON -------------------------------------------------------------------------------------------------------


def test_the_answer_as_json_has_the_published_shape() -> None:
    document = synced(mia(), anna()).explain(ANNAS).to_json()
    assert list(document) == ["who", "verdict", "reason", "remedy", "steps"]
    assert {tuple(step) for step in document["steps"]} == {("rule", "outcome", "because", "source")}


def test_an_account_that_is_pending_still_has_an_answer() -> None:
    account = synced(mia(birth_date=""), anna()).accounts[ANNAS]
    assert account.status is AccountStatus.PENDING
    assert explained(account, None).verdict == "Anna Rivera may have an account, and the next sync opens it."
