"""The sentences of an explanation: what became of a Welcome email, and why a rule answered as it did."""

from datetime import datetime

import msgspec

from adapter.core.accounts import AccountDecision, Member
from adapter.core.chain import moment
from adapter.core.decide import PASSED, Step
from adapter.core.facts import Contact, Patient
from adapter.core.reasons import ELIGIBLE, FIRST_RUN, REASONS
from adapter.core.state import Account, AccountStatus, EffectState

RESEND = "If it did not arrive, check the spam folder and the e-mail address, then send it again with Register."

NOT_NEEDED = "A new Welcome email is not needed; a forgotten password is reset in the portal."


class WelcomeView(msgspec.Struct, frozen=True):
    """The latest Welcome email of an account and what became of it."""

    state: EffectState
    email: str
    generation: int
    sent_count: int
    last_sent_at: datetime | None
    link_expires_at: datetime | None
    last_error: str | None
    run: int | None = None
    id: str = ""


class Row(msgspec.Struct, frozen=True):
    """One contact with its chart and what each rule said."""

    member: Member
    patient: Patient | None
    steps: tuple[Step, ...]
    mapped: tuple[Step, ...] = ()
    """What the mapping profile found, before any rule."""


def welcomed(name: str, account: Account, welcome: WelcomeView | None, now: datetime) -> tuple[str, str, str]:
    if account.status is AccountStatus.REGISTERED:
        return f"{name} {has_registered(account, now)}", ELIGIBLE, NOT_NEEDED
    if welcome is None:
        return (
            f"{name} has an account; the Welcome email is queued by the next sync",
            ELIGIBLE,
            "Run a sync: adapter sync.",
        )
    to = welcome.email
    if welcome.state is EffectState.SENT and welcome.last_sent_at:
        at = welcome.last_sent_at.astimezone(now.tzinfo)
        return f"The Welcome email to {name} was sent to {to} on {at:%d %B %Y at %H:%M}", ELIGIBLE, RESEND
    if welcome.state is EffectState.HELD:
        run = welcome.run or "RUN"
        return (
            f"{name} did not get the Welcome email yet because the practice's first Welcome emails are held for "
            "a release",
            FIRST_RUN,
            f"Look at the accounts, then release them: adapter release {run}.",
        )
    if welcome.state is EffectState.FAILED:
        return (
            f"The Welcome email to {name} could not be delivered to {to}: "
            f"{welcome.last_error or 'the mail server refused it'}",
            "welcome-failed",
            "Correct the e-mail address in Family Contacts; if it is right, send the email again with Register.",
        )
    if welcome.state is EffectState.SENDING:
        return f"The Welcome email to {name} is being sent to {to} now", "welcome-sending", "Look again in a minute."
    if welcome.state is EffectState.UNKNOWN:
        return (
            f"The line to the mail server dropped while the Welcome email to {name} was being sent to {to}: "
            "it may or may not have arrived",
            "welcome-unknown",
            "Ask the parent whether it arrived; if not, send it again with Register. The link inside stays the same.",
        )
    if welcome.state is EffectState.CANCELLED:
        return f"The Welcome email to {name} was cancelled", "welcome-cancelled", "Send it again with Register."
    waits = f" (last try: {welcome.last_error})" if welcome.last_error else ""
    return (
        f"The Welcome email to {name} is queued for {to} and leaves with the next delivery{waits}",
        "welcome-queued",
        "Nothing to do; it leaves within minutes.",
    )


def has_registered(account: Account, now: datetime) -> str:
    """When somebody registered, as far as it is known; in the time zone of ``now``."""
    if account.registered_at is None:
        return "is registered in the portal"
    at = account.registered_at.astimezone(now.tzinfo)
    return f"registered in the portal on {at.day} {at:%B %Y}"


def because_of(row: Row, code: str) -> str:
    """The reason in words; what the step found where it says more than the table."""
    detailed = {
        "authority-unknown",
        "role-unknown",
        "email-missing",
        "authority-conflict",
        "contact-ended",
        "record-unusable",
        "patient-mismatch",
    }
    if code in detailed:
        step = next((step for step in row.steps if step.outcome == code), None)
        if step:
            words = step.because.rstrip(".")
            return words[:1].lower() + words[1:] if words.startswith("The ") else words
    return REASONS[code].summary


def mailbox_steps(decision: AccountDecision) -> list[Step]:
    if len(decision.people) < 2:
        return []
    names = " and ".join(person[0].contact.name or person[0].contact.ref for person in decision.people)
    outcome = "shared-email" if decision.shared_charts else PASSED
    return [Step("mailbox", outcome, f"The address is used by {names}.", decision.people[0][0].contact.source)]


def welcome_step(welcome: WelcomeView | None, now: datetime) -> Step:
    if welcome is None:
        return Step("welcome", "none", "There is no Welcome email yet.", "")
    told = f"Welcome email {welcome.generation} to {welcome.email}: {welcome.state}"
    at = welcome.last_sent_at if welcome.state is EffectState.SENT else None
    when = f" on {moment(at, now)}" if at else ""
    error = f" (last try: {welcome.last_error})" if welcome.last_error and not at else ""
    return Step("welcome", welcome.state, f"{told}{when}{error}.", f"welcome/{welcome.id}" if welcome.id else "")


def describe(contact: Contact) -> str:
    return f"{contact.role_text or contact.role}, Authority {contact.authority}"


def chart_of(row: Row) -> str:
    return (
        f"{row.patient.name}'s chart" if row.patient and row.patient.name else row.member.contact.patient or "the chart"
    )
