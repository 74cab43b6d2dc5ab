"""Deciding and planning a batch, from rows to rows: functions of their arguments alone, but for the ids of new rows."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import date, datetime

import msgspec

from adapter.core.accounts import decide_account, nobody
from adapter.core.brakes import Brake
from adapter.core.chart_merges import withhold
from adapter.core.decide import Outcome, decide_chart
from adapter.core.facts import Contact, Role
from adapter.core.findings import Finding, account_findings, chart_findings
from adapter.core.persons import name_key
from adapter.core.plan import Action, plan_account
from adapter.core.policy import Policy
from adapter.core.revoked import withdraw
from adapter.store.rows import Writer, opened
from adapter.store.stored import (
    StoredAddress,
    StoredChart,
    StoredMember,
    decode_contact,
    decode_outcome,
    decode_patient,
    encode,
)

encode_actions = msgspec.msgpack.Encoder().encode


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """By what a run decides."""

    policy: Policy
    now: datetime
    """Aware, in the practice's time zone."""
    hold_welcome: bool
    only_restrict: bool
    first: bool
    """There are no accounts yet."""
    brakes: tuple[Brake, ...] = ()
    """The brakes that are on: what they hold is not planned."""
    writer: Writer | None = None
    """Who writes the rows of the first accounts; None where nothing but the plan is wanted."""


class DecidedCharts(msgspec.Struct, gc=False, array_like=True):
    """What follows from a batch of charts."""

    outcomes: list[tuple[str, str]]
    """Contact reference and outcome (JSON) where it is another one than before."""
    reviews: list[tuple[str, date | None]]
    """Chart and the day on which time alone may change it, where that is another one than before."""
    found: list[Finding]
    addresses: list[str]
    """The e-mail keys of everybody on these charts, in an order that is always the same; they may repeat."""
    own_charts: set[str]
    """Contacts that are the patient, or were."""
    names: set[str]
    """``name_key`` of everybody else, when there are accounts already."""
    merged: list[str] = []
    """Charts that were merged into others."""


class PlannedAccounts(msgspec.Struct, gc=False, array_like=True):
    """What follows for a batch of addresses: ``actions`` as ``encode_actions`` writes them."""

    actions: bytes
    counts: dict[str, int]
    braked: dict[str, int]
    """How many of them each brake counts, by ``brake:reason``."""
    found: list[Finding]
    opened: bytes = b""
    """Their rows as ``spool.PlanSpool`` keeps them, where they do nothing but open a practice's first accounts."""


def decide_charts(charts: Sequence[StoredChart], terms: Terms) -> DecidedCharts:
    """Decides each chart by itself. Outcomes that stay are not repeated."""
    decided = DecidedCharts([], [], [], [], set(), set(), [])
    for chart in charts:
        patient = decode_patient(chart.patient) if chart.patient is not None else None
        contacts = tuple([decode_contact(facts) for _, facts, _ in chart.contacts])
        decision = decide_chart(patient, contacts, terms.policy, terms.now)
        decided.found += chart_findings(chart.ref, patient, contacts, decision)
        if chart.decisions:  # the findings stay, answered or not; beside them those that the answer has uncovered
            decision = decide_chart(patient, contacts, terms.policy, terms.now, chart.decisions)
            more = chart_findings(chart.ref, patient, contacts, decision)
            decided.found += [finding for finding in more if finding not in decided.found]
        # An incomplete run opens nothing, so what was due for it is due for the next one too.
        if patient is not None and patient.replaced_by:
            decided.merged.append(chart.ref)
        # What ends sooner than was known ends all the same.
        sooner = decision.review_on is not None and (chart.review_on is None or decision.review_on < chart.review_on)
        differs = decision.review_on != chart.review_on
        if patient is not None and differs and (sooner or not terms.only_restrict):
            decided.reviews.append((chart.ref, decision.review_on))
        decided.addresses += [key for _, key in sorted((one.ref, one.email_key) for one in contacts) if key]
        for contact, (ref, _, before) in zip(contacts, chart.contacts, strict=True):
            outcome = decision.outcomes[contact.ref]
            encoded = encode(outcome).decode()
            if encoded != before:
                decided.outcomes.append((ref, encoded))
            was = outcome if encoded == before or not before else decode_outcome(before)
            if own_chart(contact, outcome) or own_chart(contact, was):
                decided.own_charts.add(ref)
            elif not terms.first:
                decided.names.add(name_key(contact.names))
    return decided


def plan_accounts(
    addresses: Sequence[StoredAddress], contacts_now: Sequence[StoredMember], terms: Terms
) -> PlannedAccounts:
    """Decides each address by itself and plans the difference; ``contacts_now`` is as in ``plan_account``."""
    actions: list[Action] = []
    found: list[Finding] = []
    now = {member.contact.ref: member for member in map(StoredMember.decode, contacts_now)}
    for address in addresses:
        members = [member.decode() for member in address.members]
        decision = decide_account(address.email_key, members) if members else nobody(address.email_key)
        found += account_findings(decision)
        answers = [one for one in address.decisions if one.on(terms.now)]
        if answers and members:  # as with the charts
            decision = decide_account(address.email_key, members, answers)
            found += [finding for finding in account_findings(decision) if finding not in found]
        if address.revoked:
            decision = withdraw(decision, address.revoked)
        if address.waits:
            decision = withhold(decision, address.account, address.waits)
        actions += plan_account(
            decision,
            address.account,
            now,
            hold_welcome=terms.hold_welcome,
            only_restrict=terms.only_restrict,
            brakes=tuple(Brake) if address.halted else terms.brakes,
            merged=address.merged,
            shut=address.shut,
        )
    counts = Counter(str(action.action) for action in actions)
    rows = opened(actions, terms.writer) if terms.first and terms.writer else None
    return PlannedAccounts(
        encode_actions(actions),
        counts,
        {} if terms.first else braked(actions),
        found,
        encode_actions(rows) if rows else b"",
    )


def braked(actions: Iterable[Action]) -> Counter[str]:
    """How many of these actions each brake counts, by ``brake:reason``."""
    return Counter(f"{brake}:{action.reason}" for action in actions if (brake := action.brake))


def own_chart(contact: Contact, outcome: Outcome) -> bool:
    """Whether the contact is the patient, or is said to be."""
    return contact.role is Role.SELF or outcome.is_self
