"""Why a parent did or did not get the Welcome email: one sentence, the step that fixes it, and how it came about."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec

from adapter.core.accounts import AccountDecision, Dependent
from adapter.core.chain import (
    NOTHING_MORE,
    Chain,
    delivered_steps,
    grant_steps,
    said_steps,
    waiting_steps,
)
from adapter.core.decide import PASSED, Step
from adapter.core.facts import Patient
from adapter.core.reasons import BRAKE_ON, ELIGIBLE, OPENING, ORDER, REASONS
from adapter.core.sentences import (
    Row,
    WelcomeView,
    because_of,
    chart_of,
    describe,
    mailbox_steps,
    welcome_step,
    welcomed,
)
from adapter.core.state import Account, Grant, GrantState

__all__ = ["Explanation", "Row", "WelcomeView", "explain_address", "explain_chart", "explain_contact"]

IN_CONTACTS = (
    "Enter the person in Family Contacts of the child's chart, with this e-mail address and Authority Joint or "
    "Exclusive."
)


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
    chain: Chain = NOTHING_MORE,
) -> Explanation:
    """Explains one e-mail address: every contact that has it, its account, and what became of it."""
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
        return Explanation(
            who, verdict, code, REASONS[code].remedy or IN_CONTACTS, tuple(grant_steps(account.grants, chain, zone_now))
        )
    steps = [step for row in rows for step in _labelled(row, several=len(rows) > 1)]
    steps += mailbox_steps(decision)
    steps += said_steps(chain, zone_now)
    open_charts = [grant for grant in account.grants.values() if grant.state is GrantState.ACTIVE] if account else []
    steps += grant_steps(account.grants, chain, zone_now) if account else []
    steps += waiting_steps(chain)
    name = decision.name or who
    if open_charts and account is not None:
        verdict, reason, remedy = welcomed(name, account, welcome, zone_now)
        steps.append(welcome_step(welcome, zone_now))
        steps += delivered_steps(account, chain, zone_now)
        left_out = _left_out(decision, account)
        if left_out is not None and REASONS[left_out.reason].remedy:
            remedy = f"{REASONS[left_out.reason].remedy} {remedy}" if remedy else REASONS[left_out.reason].remedy
        return Explanation(who, verdict + _not_included(left_out), reason, remedy, tuple(steps))
    if any(dependent.fresh is GrantState.ACTIVE for dependent in decision.dependents.values()):
        if chain.waits:
            verdict = (
                f"{name} did not get the Welcome email yet because there were more changes than is ordinary, and those "
                "wait for a release."
            )
            remedy = f"Look at what waits, then release it: adapter release {chain.waits[0].run}."
            return Explanation(who, verdict, BRAKE_ON, remedy, tuple(steps))
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
    if code in OPENING and dependent is not None and dependent.reason not in OPENING:
        code = dependent.reason
    steps = row.mapped + row.steps + (tuple(mailbox_steps(decision)) if decision else ())
    if of_address is not None:
        steps += tuple(step for step in of_address.steps if step.rule in ("suspension", "decision", "brake"))
    if code in OPENING:
        return Explanation(
            who,
            f"{name} may open {chart_of(row)}, and the next sync grants it.",
            code,
            "Run a sync: adapter sync.",
            steps,
        )
    because = because_of(row, code)
    return Explanation(
        who,
        f"{name} did not get the Welcome email for {chart_of(row)} because {because}.",
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
        steps.append(Step(label, PASSED if code in OPENING else code, f"{label}: {because_of(row, code)}.", source))
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
    because = because_of(best, code)
    verdict = (
        f"Nobody may open {name}'s chart; closest is {best.member.contact.name or best.member.contact.ref}: {because}."
    )
    return Explanation(who, verdict, code, REASONS[code].remedy, tuple(steps))


def _left_out(decision: AccountDecision, account: Account) -> Dependent | None:
    """The first chart that the address is on and the account does not open."""
    for patient, dependent in sorted(decision.dependents.items()):
        grant = account.grants.get(patient)
        if dependent.reason not in OPENING and (grant is None or grant.state is not GrantState.ACTIVE):
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
        if dependent.member.outcome.opens and dependent.reason not in OPENING
    ]
    if held:
        return held[0].reason, REASONS[held[0].reason].summary
    best = max(rows, key=_closeness)
    code = best.member.outcome.headline
    return code, because_of(best, code)


def _closeness(row: Row) -> tuple[int, str]:
    return ORDER.get(row.member.outcome.headline, -1), row.member.contact.ref


def _labelled(row: Row, *, several: bool) -> list[Step]:
    """A row's steps; of several contacts only what decided, each named by its chart."""
    if not several:
        return [*row.mapped, *row.steps]
    contact = row.member.contact
    deciding = [step for step in row.steps if step.outcome != PASSED] or [
        Step("contact", PASSED, f"{describe(contact)}: every rule passed.", contact.source)
    ]
    return [
        Step(f"{contact.patient or contact.ref} {step.rule}", step.outcome, step.because, step.source)
        for step in (*_in_one(row.mapped), *deciding)
    ]


def _in_one(mapped: Sequence[Step]) -> list[Step]:
    """What the mapping found of one of several contacts, in one step."""
    if not mapped:
        return []
    return [Step(mapped[0].rule, PASSED, " ".join(step.because for step in mapped), mapped[0].source)]
