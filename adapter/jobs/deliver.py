"""Delivering what is due: accounts and home pages into the portals, then the mail.

Every effect goes the same way: claim it in one transaction, do it in none, write the answer in another.
"""

from collections.abc import Callable, Mapping
from datetime import datetime

import sqlalchemy as sa

from adapter.core.audit import AuditEntry
from adapter.core.state import EffectKind, EffectState, WidgetState
from adapter.errors import AdapterError, DeliveryError
from adapter.jobs.accounts import deliver_accounts
from adapter.jobs.letters import PracticeMail
from adapter.jobs.post import deliver_mail
from adapter.jobs.round import ACTOR, DeliveryReport, Round
from adapter.mail import Mailer
from adapter.portal import HomePage, Portal
from adapter.store import audit, outbox, widgets
from adapter.store.engine import begin, read
from adapter.store.outbox import Claimed
from adapter.store.turns import turn

WIDGETS = 100
"""Home pages in one round: a practice has one that counts, and one for each Organization with its own."""

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


def deliver_widgets(work: Round, practice: str, portal: Portal) -> None:
    """Puts the newest revision of each page into the portal; older ones that never left are dropped."""
    for one in work.claim(practice, EffectKind.WIDGET, WIDGETS):
        with read(work.engine) as connection:
            page = widgets.find(connection, practice, widgets.revision_of(one.subject))
        if page is None or page.state is WidgetState.REPLACED:
            with turn(work.engine, practice) as connection:
                outbox.drop(connection, [one.id], owner=work.owner, now=work.now(), reason="widget-replaced")
            work.report.add(EffectKind.WIDGET, EffectState.CANCELLED)
            continue
        home = HomePage(practice=practice, revision=page.revision, widget=page.widget, organization=page.organization)
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
