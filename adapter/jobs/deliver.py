"""Delivering what is due: accounts and home pages into the portals, then the mail.

Every effect goes the same way: claim it in one transaction, do it in none, write the answer in another.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime

import sqlalchemy as sa

from adapter.core.audit import AuditEntry
from adapter.core.state import AccountStatus, EffectKind, EffectState, WidgetState
from adapter.errors import AdapterError, DeliveryError
from adapter.jobs.letters import PracticeMail
from adapter.jobs.post import deliver_mail
from adapter.jobs.round import ACTOR, DeliveryReport, Round
from adapter.mail import Mailer
from adapter.portal import HomePage, Portal, PortalAccount, PortalDependent
from adapter.store import audit, outbox, outgoing, widgets
from adapter.store.engine import begin, read
from adapter.store.outbox import Claimed
from adapter.store.outgoing import AccountRow, OpenChart
from adapter.store.turns import turn

WIDGETS = 100
"""Home pages in one round: a practice has one that counts."""
_SHUT = (AccountStatus.SUSPENDED, AccountStatus.CLOSED)

__all__ = ["DeliveryReport", "PracticeMail", "deliver"]


def deliver(
    engine: sa.Engine,
    *,
    portals: Mapping[str, Portal],
    mailer: Mailer,
    practices: Mapping[str, PracticeMail],
    key: bytes,
    now: Callable[[], datetime],
    limit: int | None = None,
) -> DeliveryReport:
    """Delivers every effect that is due for these practices, at most ``limit`` of them.

    ``portals`` and ``practices`` are by practice id; ``key`` makes the links in Welcome emails. What fails stays in
    the outbox with a time to try again; it is in the report, and no reason to stop the rest. Several workers may
    do this at once. Raises RetriableError or FatalError only when the store itself is not well.
    """
    work = Round(engine, now, limit)
    with begin(engine) as connection:
        outbox.recover(connection, now=now())
    for practice, portal in portals.items():
        deliver_accounts(work, practice, portal)
        deliver_widgets(work, practice, portal)
    try:
        for mail in practices.values():
            if not deliver_mail(work, mail, mailer=mailer, key=key):
                break
    finally:
        mailer.close()
    return work.report


def deliver_accounts(work: Round, practice: str, portal: Portal) -> None:
    """Makes the portal's accounts equal to the store's, a batch at a time."""
    with read(work.engine) as connection:
        stuck = outbox.stuck(connection, practice=practice, now=work.now())
    while batch := work.claim(practice, EffectKind.ACCOUNT, portal.batch):
        # Read after the claim is committed: whatever changes from here on has an effect of its own, which waits for us.
        with read(work.engine) as connection:
            people, charts = outgoing.accounts(connection, list({one.subject for one in batch}))
        try:
            refused = portal.put_accounts(_portal_accounts(people, charts))
        except AdapterError as error:
            with turn(work.engine, practice) as connection:
                work.put_off(connection, EffectKind.ACCOUNT, batch, str(error))
            return
        with turn(work.engine, practice) as connection:
            _record_accounts(connection, work, batch, refused, stuck)


def _portal_accounts(people: Iterable[AccountRow], charts: Iterable[OpenChart]) -> list[PortalAccount]:
    """The accounts as the portal should have them. A suspended or closed account opens nothing."""
    opens: dict[str, list[PortalDependent]] = {}
    for chart in charts:
        opens.setdefault(chart.account_id, []).append(PortalDependent._make(chart[1:]))
    accounts = []
    for one in people:
        active = one.status not in _SHUT
        dependents = tuple(opens.get(one.id, ())) if active else ()
        accounts.append(PortalAccount(one.id, one.email, one.name, active, one.status, dependents))
    return accounts


def _record_accounts(
    connection: sa.Connection,
    work: Round,
    batch: Sequence[Claimed],
    refused: Mapping[str, DeliveryError],
    stuck: Mapping[str, Sequence[str]],
) -> None:
    """Writes down what the portal took and what it refused."""
    kind, now = EffectKind.ACCOUNT, work.now()
    taken = [one for one in batch if one.subject not in refused]
    ids = [one.id for one in taken]
    if outbox.complete(connection, ids, owner=work.owner, now=now) < len(ids):
        outbox.redo(connection, ids, owner=work.owner, now=now)
    outbox.supersede(connection, [old for one in taken for old in stuck.get(one.subject, ())], now=now)
    if taken:
        work.report.add(kind, EffectState.SENT, len(taken))
    for one in batch:
        error = refused.get(one.subject)
        if error is None:
            continue
        if not error.permanent:
            work.put_off(connection, kind, [one], str(error))
            continue
        outbox.fail(connection, [one.id], owner=work.owner, now=now, error=str(error))
        work.report.add(kind, EffectState.FAILED)
        work.report.note(str(error))


def deliver_widgets(work: Round, practice: str, portal: Portal) -> None:
    """Puts the newest revision of the home page into the portal; older ones that never left are dropped."""
    for one in work.claim(practice, EffectKind.WIDGET, WIDGETS):
        with read(work.engine) as connection:
            latest = widgets.latest(connection, practice)
        current = latest is not None and widgets.subject(practice, latest.revision) == one.subject
        if latest is None or not current or latest.state is WidgetState.REPLACED:
            with turn(work.engine, practice) as connection:
                outbox.drop(connection, [one.id], owner=work.owner, now=work.now(), reason="widget-replaced")
            work.report.add(EffectKind.WIDGET, EffectState.CANCELLED)
            continue
        home = HomePage(practice=practice, revision=latest.revision, widget=latest.widget)
        try:
            portal.put_home(home)
        except AdapterError as error:
            with turn(work.engine, practice) as connection:
                _record_refused_widget(connection, work, one, error)
            continue
        with turn(work.engine, practice) as connection:
            _record_widget(connection, work, one, home)


def _record_widget(connection: sa.Connection, work: Round, one: Claimed, home: HomePage) -> None:
    now = work.now()
    outbox.complete(connection, [one.id], owner=work.owner, now=now)
    widgets.mark_accepted(connection, home.practice, home.revision, now=now)
    entry = AuditEntry(
        action="widget-accepted", reason="widget-published", source=f"widget/{one.subject}", actor=ACTOR, run=one.run
    )
    audit.append(connection, home.practice, [entry], now)
    work.report.add(EffectKind.WIDGET, EffectState.SENT)


def _record_refused_widget(connection: sa.Connection, work: Round, one: Claimed, error: AdapterError) -> None:
    if not (isinstance(error, DeliveryError) and error.permanent):
        work.put_off(connection, EffectKind.WIDGET, [one], str(error))
        return
    outbox.fail(connection, [one.id], owner=work.owner, now=work.now(), error=str(error))
    work.report.add(EffectKind.WIDGET, EffectState.FAILED)
    work.report.note(str(error))
