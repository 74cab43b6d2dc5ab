"""Delivering accounts: what was decided goes into the portal, a batch at a time, and what was taken away is read back.

Each account is put as it is at that moment, so a revocation overtakes whatever else of it still waits.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta

import msgspec
import sqlalchemy as sa

from adapter.core.audit import AuditEntry
from adapter.core.findings import Finding
from adapter.core.portal import Drift, DriftKind, PortalAccount, PortalDependent, compare, opens_more
from adapter.core.reasons import REASONS
from adapter.core.state import AccountStatus, EffectKind, EffectState
from adapter.core.until import still_open
from adapter.errors import AdapterError, DeliveryError
from adapter.jobs.round import ACTOR, Round
from adapter.portal import Portal
from adapter.store import attempts, audit, findings, outbox, outgoing
from adapter.store.engine import read
from adapter.store.outbox import Claimed
from adapter.store.outgoing import AccountRow, OpenChart
from adapter.store.turns import turn

REFUSED, COLLISION = "portal-refused", "account-collision"
NOT_CONFIRMED = "The portal took the change, but still opens more than it should. It is asked again."
NOT_SHOWN = "The portal took the change, but does not show it. It is asked again."
_SURE = frozenset({"email", "active"})
"""What must be as it was put; a portal may have its own way of writing a name."""
_SHUT = (AccountStatus.SUSPENDED, AccountStatus.CLOSED)
_PROBE = 1
"""Accounts in the first request to a portal that was not well: one knock, not a storm."""


def deliver_accounts(work: Round, practice: str, portal: Portal) -> None:
    """Makes the portal's accounts equal to the store's."""
    with read(work.engine) as connection:
        stuck = attempts.stuck(connection, practice=practice, now=work.now())
        number = _PROBE if attempts.backing_off(connection, practice=practice) else portal.batch
    while batch := work.claim(practice, EffectKind.ACCOUNT, number):
        # Read after the claim is committed: whatever changes from here on has an effect of its own, which waits for us.
        with read(work.engine) as connection:
            subjects = list({one.subject for one in batch})
            wanted = wanted_accounts(*outgoing.accounts(connection, subjects), work.now())
            tried = attempts.tried_before(connection, batch)
        try:
            refused = _put(portal, wanted, [key for key in subjects if key not in wanted], tried, work.now())
        except AdapterError as error:
            with turn(work.engine, practice) as connection:
                work.put_off(connection, EffectKind.ACCOUNT, batch, str(error), at_least=rest_after(error))
            return
        with turn(work.engine, practice) as connection:
            _record(connection, work, practice, batch, wanted, refused, stuck)
        number = portal.batch


def wanted_accounts(
    people: Iterable[AccountRow], charts: Iterable[OpenChart], now: datetime
) -> dict[str, PortalAccount]:
    """The accounts as the portal should have them, by key. A suspended or closed account opens nothing.

    What has ended by itself is left out, whether or not it was decided again since.
    """
    opens: dict[str, list[PortalDependent]] = {}
    for chart in charts:
        if still_open(chart.until, now):
            opens.setdefault(chart.account_id, []).append(PortalDependent._make(chart[1:]))
    accounts = {}
    for one in people:
        active = one.status not in _SHUT
        dependents = tuple(opens.get(one.id, ())) if active else ()
        accounts[one.id] = PortalAccount(one.id, one.email, one.name, active, one.status, dependents, one.language)
    return accounts


def rest_after(error: AdapterError) -> timedelta:
    """How long the other side asks to be left alone."""
    return timedelta(seconds=getattr(error, "retry_after", None) or 0)


def _put(
    portal: Portal, wanted: Mapping[str, PortalAccount], orphans: Sequence[str], tried: Collection[str], now: datetime
) -> dict[str, DeliveryError]:
    """Puts these accounts and reads back those the portal may have had before. Returns what was not taken, and why."""
    for key in orphans:  # nothing was ever decided about them: a finding has named them
        portal.shut(key)
    refused = portal.put_accounts(list(wanted.values()), new=wanted.keys() - tried)
    known = [key for key in wanted if key in tried and key not in refused]
    shown = portal.get_accounts([*known, *orphans]) if known or orphans else {}
    for key in known:
        account = portal.kept(wanted[key])
        if key not in shown:
            refused |= {key: DeliveryError(NOT_SHOWN, permanent=False)} if account.active else {}
        elif words := _not_done(compare(account, shown[key], now)):
            refused[key] = DeliveryError(words, permanent=False)
    for key in orphans:
        if key in shown and opens_more(shown[key], shown[key]._replace(active=False), now):
            refused[key] = DeliveryError(NOT_CONFIRMED, permanent=False)
    return refused


def _not_done(drift: Drift | None) -> str:
    """Why a change that the portal took does not count as done; empty when it does, or only wording differs."""
    if drift is None:
        return ""
    if drift.kind is DriftKind.EXTRA:
        return NOT_CONFIRMED
    return NOT_SHOWN if drift.kind is DriftKind.MISSING or not _SURE.isdisjoint(drift.where) else ""


def _record(
    connection: sa.Connection,
    work: Round,
    practice: str,
    batch: Sequence[Claimed],
    wanted: Mapping[str, PortalAccount],
    refused: Mapping[str, DeliveryError],
    stuck: Mapping[str, Sequence[str]],
) -> None:
    """Writes down what the portal took and what it refused."""
    kind, now = EffectKind.ACCOUNT, work.now()
    taken = [one for one in batch if one.subject not in refused]
    ids = [one.id for one in taken]
    if outbox.complete(connection, ids, owner=work.owner, now=now) < len(ids):
        outbox.redo(connection, ids, owner=work.owner, now=now)
    attempts.supersede(connection, [old for one in taken for old in stuck.get(one.subject, ())], now=now)
    if taken:
        work.report.add(kind, EffectState.SENT, len(taken))
        if any(findings.any_open(connection, practice, code) for code in (REFUSED, COLLISION)):
            findings.settle(connection, practice, [_scope(one.subject) for one in taken], [], now)
    for one in batch:
        error = refused.get(one.subject)
        if error is not None and error.permanent:
            _give_up(connection, work, practice, one, wanted.get(one.subject), error)
        elif error is not None:
            work.put_off(connection, kind, [one], str(error), at_least=rest_after(error))


def _give_up(
    connection: sa.Connection,
    work: Round,
    practice: str,
    one: Claimed,
    account: PortalAccount | None,
    error: DeliveryError,
) -> None:
    """The portal will not have it: a human has to look, with the portal's own words."""
    now, code = work.now(), error.code or REFUSED
    outbox.fail(connection, [one.id], owner=work.owner, now=now, error=str(error))
    work.report.add(EffectKind.ACCOUNT, EffectState.FAILED)
    work.report.note(str(error))
    email, reason = account.email if account else one.to, REASONS[code]
    finding = Finding(
        code=code,
        message=f"The portal does not take the account of {email}: {error}",
        remedy=reason.remedy,
        severity=reason.finding,
        scope=_scope(one.subject),
        email=email,
    )
    findings.settle(connection, practice, [finding.scope], [finding], now)
    detail = msgspec.json.encode({"answer": str(error)}).decode()
    entry = AuditEntry(
        action="account-refused",
        account=one.subject,
        reason=code,
        source=f"account/{one.subject}",
        detail=detail,
        actor=ACTOR,
        run=one.run,
    )
    audit.append(connection, practice, [entry], now)


def _scope(account: str) -> str:
    return f"portal-put:{account}"
