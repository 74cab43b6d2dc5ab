"""Reading the portal back: who has registered, and whether every account opens exactly what was decided.

The listing is walked page by page. What opens too much is taken away at once; what is missing or different is put back
when the policy or a human says so, and is a finding until then. Nothing is concluded from a listing that broke off.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import Any

import sqlalchemy as sa

from adapter.core.audit import AuditEntry
from adapter.core.portal import Drift, DriftKind, PortalAccount, compare, opened
from adapter.core.state import AccountStatus
from adapter.jobs.accounts import wanted_accounts
from adapter.jobs.drift import Difference, audit_repair, finding_of, many_finding, scope_of
from adapter.portal import Portal
from adapter.store import attempts, audit, findings, outgoing, sightings
from adapter.store.engine import read
from adapter.store.turns import turn

PAGE = 500
SHOWN = 100
"""Differences that a report names; it counts them all."""
FEW = 5
SHARE = 0.02
"""As many accounts (5, or one in fifty) may be missing or nobody's at once; more, and a human has to look first."""


@dataclass
class Comparison:
    """What came of one comparison, without anybody's name: the shape of ``adapter portal compare --json``."""

    practice: str
    counts: Counter[str] = field(default_factory=Counter)
    differences: list[dict[str, Any]] = field(default_factory=list)
    held: int = 0

    def to_json(self) -> dict[str, Any]:
        """``{"practice", "accounts", "equal", "moving", "registered", "drift": {code: n}, "repaired", ...}``"""
        kinds = {str(kind): self.counts[kind] for kind in DriftKind if self.counts[kind]}
        names = ("accounts", "equal", "moving", "registered", "repaired")
        counted = {name: self.counts[name] for name in names}
        return {
            "practice": self.practice,
            **counted,
            "drift": kinds,
            "held": self.held,
            "differences": self.differences,
        }


def compare_portal(
    engine: sa.Engine,
    *,
    practice: str,
    portal: Portal,
    repair: bool,
    now: Callable[[], datetime],
    actor: str = "schedule",
    insist: bool = False,
) -> Comparison:
    """Compares every account and queues what has to be repaired: deliver accounts afterwards.

    ``repair`` puts back what is missing or different; with ``insist`` a human says so for however many there are.
    Raises RetriableError when the portal's listing broke off; what was seen until then is kept.
    """
    work = _Work(engine, practice, portal, repair or insist, insist, now, actor)
    began = now()
    orphans: list[PortalAccount] = []
    accounts = portal.accounts()
    while True:
        at = now()
        page = list(islice(accounts, PAGE))
        if not page:
            break
        with turn(engine, practice) as connection:
            orphans += work.page(connection, page, at)
    work.orphans(orphans)
    work.absent(began)
    return work.report


class _Work:
    """One comparison under way."""

    def __init__(
        self,
        engine: sa.Engine,
        practice: str,
        portal: Portal,
        repair: bool,
        insist: bool,
        now: Callable[[], datetime],
        actor: str,
    ) -> None:
        self.engine, self.practice, self.portal = engine, practice, portal
        self.repair, self.insist, self.now, self.actor = repair, insist, now, actor
        self.report = Comparison(practice)

    def page(self, connection: sa.Connection, page: Sequence[PortalAccount], at: datetime) -> list[PortalAccount]:
        """Compares one page that was read at ``at``. Returns those that are nobody's and open something."""
        now = self.now()
        ours = sightings.known(connection, [one.key for one in page])
        found = [one for one in page if one.key in ours]
        self.report.counts["accounts"] += len(found)
        if self.portal.offers.registration:
            self._learn(connection, found, now)
        sightings.save(connection, self.practice, found, now)
        self._differences(connection, {one.key: one for one in found}, at, now)
        return [one for one in page if one.key not in ours and opened(one, now)]

    def _learn(self, connection: sa.Connection, found: Sequence[PortalAccount], now: datetime) -> None:
        learned = sightings.learn_registrations(connection, found, now)
        self.report.counts["registered"] += len(learned)
        entries = [
            AuditEntry(
                action="account-registered",
                account=one.id,
                reason="registered",
                source=f"account/{one.id}",
                detail=f'{{"before":{{"status":"{one.before}"}},"after":{{"status":"{one.status}"}}}}',
                actor=self.actor,
            )
            for one in learned
        ]
        audit.append(connection, self.practice, entries, now)

    def _differences(
        self, connection: sa.Connection, found: Mapping[str, PortalAccount | None], at: datetime, now: datetime
    ) -> None:
        """Compares these accounts (None: it is not there) and does what follows."""
        keys = list(found)
        wanted = wanted_accounts(*outgoing.accounts(connection, keys), now)
        flux = attempts.in_flux(connection, keys, since=at)
        different: list[Difference] = []
        for key, account in wanted.items():
            kept = self.portal.kept(account)
            drift = compare(kept, found[key], now) if found[key] or account.active else None
            refused = flux.get(key) is False and drift is not None and drift.kind is not DriftKind.EXTRA
            if flux.get(key) or refused:  # a delivery or a human is at it
                self.report.counts["moving"] += 1
            elif drift is None:
                self.report.counts["equal"] += 1
            else:
                different.append(Difference(key, account.email, drift))
        self._settle(connection, keys, different, now)

    def _settle(
        self, connection: sa.Connection, keys: Sequence[str], different: Sequence[Difference], now: datetime
    ) -> None:
        """Repairs what may be repaired; the rest is findings. Findings of accounts that are equal again close."""
        repaired = [one for one in different if self.repair or one.drift.kind is DriftKind.EXTRA]
        left = [one for one in different if one not in repaired]
        attempts.queue(connection, self.practice, {one.key: one.email for one in repaired}, now)
        audit.append(connection, self.practice, [audit_repair(one, self.actor) for one in repaired], now)
        findings.settle(connection, self.practice, [scope_of(key) for key in keys], map(finding_of, left), now)
        for one in different:
            self._count(one, repaired=one in repaired)

    def _count(self, one: Difference, *, repaired: bool) -> None:
        self.report.counts[one.drift.kind] += 1
        self.report.counts["repaired"] += repaired
        if len(self.report.differences) < SHOWN:
            row = {"account": one.email, "code": str(one.drift.kind), "where": list(one.drift.where)}
            self.report.differences.append(row | {"repaired": repaired})

    def orphans(self, found: Sequence[PortalAccount]) -> None:
        """Accounts with our key that no decision stands behind: shut at once, unless there are too many to believe."""
        now = self.now()
        with turn(self.engine, self.practice) as connection:
            many = len(found) > self._few(connection) and not self.insist
            kind = DriftKind.ORPHAN
            orphans = [Difference(one.key, one.email, Drift(kind, tuple(opened(one, now)))) for one in found]
            if not many:
                attempts.queue(connection, self.practice, {one.key: one.email for one in orphans}, now)
                audit.append(connection, self.practice, [audit_repair(one, self.actor) for one in orphans], now)
            self._hold(connection, kind, len(found) if many else 0, now)
        for one in orphans:
            self._count(one, repaired=not many)

    def absent(self, began: datetime) -> None:
        """Accounts that the whole listing did not show: asked for one by one, then missing."""
        with read(self.engine) as connection:
            few = self._few(connection)
            first = sightings.absent(connection, self.practice, since=began, after="", limit=few + 1)
        many = len(first) > few and not self.insist
        with turn(self.engine, self.practice) as connection:
            number = 0
            if many:
                number = sum(len(page) for page in self._pages(connection, began))
                self.report.counts[DriftKind.MISSING] += number
            self._hold(connection, DriftKind.MISSING, number, self.now())
        after = ""
        while not many:
            with read(self.engine) as connection:
                page = sightings.absent(connection, self.practice, since=began, after=after, limit=PAGE)
            if not page:
                return
            after, at = page[-1].id, self.now()
            shown = self.portal.get_accounts([one.id for one in page])
            with turn(self.engine, self.practice) as connection:
                gone = [one.id for one in page if one.id not in shown]
                self._forget(connection, gone)
                sightings.save(connection, self.practice, shown.values(), self.now())
                self._differences(connection, {one.id: shown.get(one.id) for one in page}, at, self.now())

    def _pages(self, connection: sa.Connection, began: datetime) -> Iterator[list[sightings.Absent]]:
        after = ""
        while page := sightings.absent(connection, self.practice, since=began, after=after, limit=PAGE):
            yield page
            after = page[-1].id

    def _forget(self, connection: sa.Connection, gone: Sequence[str]) -> None:
        """Whoever had registered in an account that was deleted has to register again."""
        now = self.now()
        entries = [
            AuditEntry(
                action="account-unregistered",
                account=key,
                reason=str(DriftKind.MISSING),
                source=f"account/{key}",
                detail=f'{{"after":{{"status":"{AccountStatus.INVITED}"}}}}',
                actor=self.actor,
            )
            for key in gone
            if sightings.forget(connection, key, now)
        ]
        audit.append(connection, self.practice, entries, now)

    def _few(self, connection: sa.Connection) -> int:
        accounts = sightings.count(connection, self.practice)
        return max(FEW, int(SHARE * accounts)) if accounts else 0  # an empty database knows nobody, and judges nobody

    def _hold(self, connection: sa.Connection, kind: DriftKind, number: int, now: datetime) -> None:
        """One finding for many; none closes it again."""
        self.report.held += number
        found = [many_finding(kind, number)] if number else []
        findings.settle(connection, self.practice, [str(kind)], found, now)
