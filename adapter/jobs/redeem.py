"""Using the link of a Welcome email: the parent shows that they know the family, and the account is registered.

Looking at a link (mail scanners do it before the reader) changes nothing. Everything is decided again, from the facts
as they are, in the transaction that uses the link up.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import msgspec
import sqlalchemy as sa

from adapter.core.accounts import Member, decide_account
from adapter.core.audit import AuditEntry
from adapter.core.decide import decide_chart
from adapter.core.facts import Patient
from adapter.core.findings import Finding
from adapter.core.reasons import LINK_LOCKED, REASONS
from adapter.core.redeem import SecondFact, fact_of, knows, link_stop
from adapter.core.state import AccountStatus, GrantState
from adapter.core.welcome import token_hash
from adapter.jobs.practice import Practice
from adapter.store import accounts, audit, facts, findings, links
from adapter.store.engine import read
from adapter.store.links import FoundLink
from adapter.store.turns import turn

ACTOR = "parent"
"""Nobody has signed in: whoever knew the link and the answer."""


class Result(StrEnum):
    """What became of an attempt. ``closed``: the link works no more, or never did; which, nobody is told."""

    REGISTERED = "registered"
    WRONG = "wrong"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One attempt to use a link; ``account`` and ``username`` are set when it succeeded."""

    result: Result
    tries_left: int = 0
    account: str = ""
    username: str = ""


CLOSED = Attempt(result=Result.CLOSED)


def is_open(engine: sa.Engine, practice: Practice, token: str, *, fact: SecondFact, now: datetime) -> bool:
    """Whether the link of this token works now. Changes nothing."""
    with read(engine) as connection:
        found = links.find(connection, practice.id, token_hash(token))
        return found is not None and bool(_answerable(connection, practice, found, fact, now))


def redeem(
    engine: sa.Engine, practice: Practice, token: str, answer: str, *, fact: SecondFact, now: datetime
) -> Attempt:
    """Registers the account of this link if the answer is right for one of the charts it opens now.

    ``answer`` is as ``core.redeem.date_answer`` or ``number_answer`` gives it. Raises RetriableError when the database
    is busy; nothing has happened then.
    """
    with turn(engine, practice.id) as connection:
        found = links.find(connection, practice.id, token_hash(token))
        if found is None:
            return CLOSED
        charts = _answerable(connection, practice, found, fact, now)
        if not charts:
            return CLOSED
        if not knows(fact, answer, charts):
            return _wrong(connection, practice.id, found, now)
        if not links.use(connection, found, practice=practice.id, now=now):
            return CLOSED
        states = {"before": {"status": found.link.status}, "after": {"status": AccountStatus.REGISTERED}}
        _write(connection, practice.id, found, "register-account", "link-used", states, now)
        findings.settle(connection, practice.id, [_scope(found)], [], now)
        return Attempt(result=Result.REGISTERED, account=found.account_id, username=found.email)


def _answerable(
    connection: sa.Connection, practice: Practice, found: FoundLink, fact: SecondFact, now: datetime
) -> list[Patient]:
    """The charts about which the reader may be asked: those the account opens, if the link works at all."""
    if link_stop(found.link, now) is not None:
        return []
    return [chart for chart in _open_charts(connection, practice, found.email_key, now) if fact_of(fact, chart)]


def _open_charts(connection: sa.Connection, practice: Practice, email_key: str, now: datetime) -> Iterator[Patient]:
    """The charts that the account may open by its grants *and* by the rules, run again over the facts as they are."""
    account = accounts.by_email(connection, practice.id, [email_key]).get(email_key)
    active = {ref for ref, grant in account.grants.items() if grant.state is GrantState.ACTIVE} if account else set()
    members = facts.members_of(connection, practice.id, [email_key])[email_key]
    patients: dict[str, Patient] = {}
    decided: list[Member] = []
    for chart in facts.load_charts(connection, practice.id, sorted({one.contact.patient for one in members})):
        outcomes = decide_chart(chart.patient, chart.contacts, practice.policy, now.astimezone(practice.zone)).outcomes
        decided += [Member(one, outcomes[one.ref]) for one in chart.contacts if one.email_key == email_key]
        if chart.patient is not None:
            patients[chart.ref] = chart.patient
    dependents = decide_account(email_key, decided).dependents if decided else {}
    for ref in sorted(active & dependents.keys() & patients.keys()):
        if dependents[ref].standing in (GrantState.ACTIVE, None):
            yield patients[ref]


def _wrong(connection: sa.Connection, practice: str, found: FoundLink, now: datetime) -> Attempt:
    left = links.count_wrong(connection, found.welcome_id, now=now)
    if left:
        _write(connection, practice, found, "refuse-link", "second-fact-wrong", {"tries_left": left}, now)
        return Attempt(result=Result.WRONG, tries_left=left)
    _write(connection, practice, found, "close-link", LINK_LOCKED, {}, now)
    locked = Finding(
        code=LINK_LOCKED,
        message=f"{found.email}: {REASONS[LINK_LOCKED].summary}.",
        remedy=REASONS[LINK_LOCKED].remedy,
        scope=_scope(found),
        email=found.email_key,
        severity=REASONS[LINK_LOCKED].finding,
    )
    findings.settle(connection, practice, [_scope(found)], [locked], now)
    return CLOSED


def _scope(found: FoundLink) -> str:
    return f"welcome:{found.account_id}"


def _write(
    connection: sa.Connection,
    practice: str,
    found: FoundLink,
    action: str,
    reason: str,
    detail: Mapping[str, object],
    now: datetime,
) -> None:
    entry = AuditEntry(
        action=action,
        account=found.account_id,
        reason=reason,
        source=f"welcome/{found.welcome_id}",
        detail=msgspec.json.encode(detail).decode(),
        actor=ACTOR,
    )
    audit.append(connection, practice, [entry], now)
