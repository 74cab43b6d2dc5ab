"""Why a parent did or did not get the Welcome email: one sentence, the step that fixes it, and how the rules got there."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec

from adapter.core.accounts import AccountDecision, Dependent, Member
from adapter.core.decide import PASSED, Step
from adapter.core.facts import Contact, Patient
from adapter.core.reasons import ELIGIBLE, FIRST_RUN, ORDER, REASONS
from adapter.core.state import Account, AccountStatus, EffectState, Grant, GrantState

IN_CONTACTS = "Enter the person in Family Contacts of the child's chart, with this e-mail address and Authority Joint or Exclusive."
RESEND = "If it did not arrive, check the spam folder and the e-mail address, then send it again with Register."


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


class Row(msgspec.Struct, frozen=True):
    """One contact with its chart and what each rule said."""

    member: Member
    patient: Patient | None
    steps: tuple[Step, ...]


class Explanation(msgspec.Struct, frozen=True):
    """The answer. ``to_json`` is the shape of ``adapter explain --json``."""

    who: str
    verdict: str
    reason: str
    remedy: str
    steps: tuple[Step, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """``{"who","verdict","reason","remedy","steps":[{"rule","outcome","because","source"}]}``"""
        plain: dict[str, Any] = msgspec.to_builtins(self)
        return plain


def explain_address(
    who: str,
    rows: Sequence[Row],
    decision: AccountDecision | None,
    account: Account | None,
    welcome: WelcomeView | None,
    zone_now: datetime,
) -> Explanation:
    """Explains one e-mail address: every contact that has it, and its account."""
    if decision is None or not rows:
        if account is None:
            return Explanation(
                who,
                f"No Welcome email: no Family Contact has the e-mail address {who}.",
                "address-unknown",
                IN_CONTACTS,
            )
        grants = sorted(account.grants.values(), key=lambda grant: grant.patient)
        code = grants[0].reason if grants else "no-open-chart"
        verdict = f"{who} is no longer the address of any Family Contact: {REASONS[code].summary}."
        return Explanation(who, verdict, code, REASONS[code].remedy or IN_CONTACTS, tuple(map(_grant_step, grants)))
    steps = [step for row in rows for step in _labelled(row, several=len(rows) > 1)]
    steps += _mailbox_steps(decision)
    open_charts = [grant for grant in account.grants.values() if grant.state is GrantState.ACTIVE] if account else []
    steps += [_grant_step(grant) for _, grant in sorted(account.grants.items())] if account else []
    name = decision.name or who
    if open_charts and account is not None:
        verdict, reason, remedy = _welcomed(name, account, welcome, zone_now)
        steps.append(_welcome_step(welcome))
        left_out = _left_out(decision, account)
        if left_out is not None and REASONS[left_out.reason].remedy:
            remedy = f"{REASONS[left_out.reason].remedy} {remedy}" if remedy else REASONS[left_out.reason].remedy
        return Explanation(who, verdict + _not_included(left_out), reason, remedy, tuple(steps))
    if any(dependent.fresh is GrantState.ACTIVE for dependent in decision.dependents.values()):
        verdict = f"{name} may have an account, and the next sync opens it."
        return Explanation(who, verdict, ELIGIBLE, "Run a sync: adapter sync.", tuple(steps))
    code, because = _closest(rows, decision)
    return Explanation(
        who, f"{name} did not get the Welcome email because {because}.", code, REASONS[code].remedy, tuple(steps)
    )


def explain_contact(
    who: str, row: Row, of_address: Explanation | None, grant: Grant | None, decision: AccountDecision | None
) -> Explanation:
    """Explains one Family Contact: whether it opens its chart, and if so what became of the Welcome email."""
    contact = row.member.contact
    name = contact.name or who
    dependent = decision.dependents.get(contact.patient) if decision else None
    if of_address is not None and grant is not None and grant.state is GrantState.ACTIVE and row.member.outcome.opens:
        return Explanation(who, of_address.verdict, of_address.reason, of_address.remedy, of_address.steps)
    code = row.member.outcome.headline
    if code == ELIGIBLE and dependent is not None and dependent.reason != ELIGIBLE:
        code = dependent.reason
    steps = row.steps + (tuple(_mailbox_steps(decision)) if decision else ())
    if code == ELIGIBLE:
        return Explanation(
            who,
            f"{name} may open {_chart_of(row)}, and the next sync grants it.",
            code,
            "Run a sync: adapter sync.",
            steps,
        )
    because = _because(row, code)
    return Explanation(
        who,
        f"{name} did not get the Welcome email for {_chart_of(row)} because {because}.",
        code,
        REASONS[code].remedy,
        steps,
    )


def explain_chart(
    who: str, patient: Patient | None, rows: Sequence[Row], grants: Sequence[tuple[str, Grant]]
) -> Explanation:
    """Explains one chart: who may open it, and why the others may not. ``grants`` are pairs of address and grant."""
    if patient is None and not rows:
        return Explanation(
            who,
            f"{who} is not known to the adapter.",
            "chart-unknown",
            f"Read it from the EHR: adapter sync --person {who}.",
        )
    name = patient.name if patient and patient.name else who
    open_to = sorted(email for email, grant in grants if grant.state is GrantState.ACTIVE)
    steps = []
    for row in rows:
        code = row.member.outcome.headline
        source = row.member.contact.source
        label = row.member.contact.name or row.member.contact.ref
        steps.append(Step(label, PASSED if code == ELIGIBLE else code, f"{label}: {_because(row, code)}.", source))
    steps += [
        Step(email, grant.state, f"{email}: {grant.state} ({REASONS[grant.reason].summary}).", grant.source)
        for email, grant in sorted(grants)
    ]
    if open_to:
        return Explanation(who, f"{name}'s chart may be opened by {', '.join(open_to)}.", ELIGIBLE, "", tuple(steps))
    if not rows:
        return Explanation(
            who, f"Nobody may open {name}'s chart: it has no Family Contacts.", "no-contacts", IN_CONTACTS, tuple(steps)
        )
    best = max(rows, key=_closeness)
    code = best.member.outcome.headline
    because = _because(best, code)
    verdict = (
        f"Nobody may open {name}'s chart; closest is {best.member.contact.name or best.member.contact.ref}: {because}."
    )
    return Explanation(who, verdict, code, REASONS[code].remedy, tuple(steps))


def _welcomed(name: str, account: Account, welcome: WelcomeView | None, now: datetime) -> tuple[str, str, str]:
    if account.status is AccountStatus.REGISTERED:
        return (
            f"{name} is registered in the portal",
            ELIGIBLE,
            "A new Welcome email is not needed; a forgotten password is reset in the portal.",
        )
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
            f"{name} did not get the Welcome email yet because the practice's first Welcome emails are held for a release",
            FIRST_RUN,
            f"Look at the accounts, then release them: adapter release {run}.",
        )
    if welcome.state is EffectState.FAILED:
        return (
            f"The Welcome email to {name} could not be delivered to {to}: {welcome.last_error or 'the mail server refused it'}",
            "welcome-failed",
            "Correct the e-mail address in Family Contacts; if it is right, send the Welcome email again with Register.",
        )
    if welcome.state in (EffectState.UNKNOWN, EffectState.SENDING):
        return (
            f"The line to the mail server dropped while the Welcome email to {name} was being sent to {to}: it may or may not have arrived",
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


def _left_out(decision: AccountDecision, account: Account) -> Dependent | None:
    """The first chart that the address is on and the account does not open."""
    for patient, dependent in sorted(decision.dependents.items()):
        grant = account.grants.get(patient)
        if dependent.reason != ELIGIBLE and (grant is None or grant.state is not GrantState.ACTIVE):
            return dependent
    return None


def _not_included(dependent: Dependent | None) -> str:
    """The rest of the sentence: the chart the account does not open, and why."""
    if dependent is None:
        return "."
    chart = dependent.member.outcome.chart_name
    whose = f"{chart}'s chart" if chart else dependent.patient
    return f"; {whose} is not included because {REASONS[dependent.reason].summary}."


def _closest(rows: Sequence[Row], decision: AccountDecision) -> tuple[str, str]:
    """The reason that stands nearest to a grant: the one thing to fix first."""
    held = [
        dependent
        for dependent in decision.dependents.values()
        if dependent.member.outcome.opens and dependent.reason != ELIGIBLE
    ]
    if held:
        return held[0].reason, REASONS[held[0].reason].summary
    best = max(rows, key=_closeness)
    code = best.member.outcome.headline
    return code, _because(best, code)


def _closeness(row: Row) -> tuple[int, str]:
    return ORDER.get(row.member.outcome.headline, -1), row.member.contact.ref


def _because(row: Row, code: str) -> str:
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


def _labelled(row: Row, *, several: bool) -> list[Step]:
    """A row's steps; of several contacts only what decided, each named by its chart."""
    if not several:
        return list(row.steps)
    contact = row.member.contact
    deciding = [step for step in row.steps if step.outcome != PASSED] or [
        Step("contact", PASSED, f"{_describe(contact)}: every rule passed.", contact.source)
    ]
    return [
        Step(f"{contact.patient or contact.ref} {step.rule}", step.outcome, step.because, step.source)
        for step in deciding
    ]


def _mailbox_steps(decision: AccountDecision) -> list[Step]:
    if len(decision.people) < 2:
        return []
    names = " and ".join(person[0].contact.name or person[0].contact.ref for person in decision.people)
    outcome = "shared-email" if decision.shared_charts else PASSED
    return [Step("mailbox", outcome, f"The address is used by {names}.", decision.people[0][0].contact.source)]


def _grant_step(grant: Grant) -> Step:
    return Step(
        "grant", grant.state, f"{grant.patient}: {grant.state}, because {REASONS[grant.reason].summary}.", grant.source
    )


def _welcome_step(welcome: WelcomeView | None) -> Step:
    if welcome is None:
        return Step("welcome", "none", "There is no Welcome email yet.", "")
    return Step(
        "welcome", welcome.state, f"Welcome email {welcome.generation} to {welcome.email}: {welcome.state}.", ""
    )


def _describe(contact: Contact) -> str:
    return f"{contact.role_text or contact.role}, Authority {contact.authority}"


def _chart_of(row: Row) -> str:
    return (
        f"{row.patient.name}'s chart" if row.patient and row.patient.name else row.member.contact.patient or "the chart"
    )
