"""Each scheduled job of one practice, on an assembled application: what the service and the command line call."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Protocol

import sqlalchemy as sa

from adapter.core.merchant import Merchant
from adapter.ehr import Progress, quietly
from adapter.jobs.accounts import deliver_accounts
from adapter.jobs.bounces import Collector
from adapter.jobs.compare import compare_portal
from adapter.jobs.deliver import DeliveryReport, PracticeMail, deliver, deliver_widgets
from adapter.jobs.find import catch_up
from adapter.jobs.nudges import work_off
from adapter.jobs.practice import Practice
from adapter.jobs.publish import watch
from adapter.jobs.round import Round
from adapter.jobs.run import Request
from adapter.jobs.sync import sync
from adapter.jobs.watching import Watcher
from adapter.logs import Event, get_logger
from adapter.mail import Mailer
from adapter.portal import Portal
from adapter.schedule_files import JobName


class Assembled(Protocol):
    """What ``bootstrap.build`` gives."""

    @property
    def engine(self) -> sa.Engine: ...
    @property
    def practices(self) -> Mapping[str, Practice]: ...
    @property
    def portals(self) -> Mapping[str, Portal]: ...
    @property
    def identities(self) -> Mapping[str, PracticeMail]: ...
    @property
    def merchants(self) -> Mapping[str, Merchant]: ...
    @property
    def key(self) -> bytes: ...
    @property
    def clock(self) -> Callable[[], datetime]: ...
    @property
    def watchers(self) -> Mapping[str, Watcher]: ...

    @property
    def bounces(self) -> Collector: ...

    def make_mailer(self) -> Mailer: ...


def deliver_all(app: Assembled, practice: str | None = None) -> dict[str, Any]:
    """Delivers what is due for one practice, or for all: the shape of ``adapter deliver --json``."""
    names = [practice] if practice else list(app.practices)
    trouble = app.bounces.collect(app.engine, app.clock)  # first: whose address bounced gets nothing more
    report = deliver(
        app.engine,
        portals={name: app.portals[name] for name in names},
        mailer=app.make_mailer(),
        practices={name: app.identities[name] for name in names},
        key=app.key,
        now=app.clock,
    )
    if trouble:
        report.note(trouble)
    return _shape(report)


def deliver_home_page(app: Assembled, practice: str) -> dict[str, Any]:
    """Delivers the practice's payment widget and nothing else; the same shape."""
    work = Round(app.engine, app.clock, None)
    deliver_widgets(work, practice, app.portals[practice])
    return _shape(work.report)


def read_back(app: Assembled, practice: str, *, actor: str = "schedule", insist: bool = False) -> dict[str, Any]:
    """Compares the practice's portal with what was decided, and delivers the repairs at once.

    The shape of ``adapter portal compare --json``: the comparison, and what was delivered.
    """
    found = compare_portal(
        app.engine,
        practice=practice,
        portal=app.portals[practice],
        repair=app.practices[practice].policy.repair_portal,
        now=app.clock,
        actor=actor,
        insist=insist,
    )
    work = Round(app.engine, app.clock, None)
    if found.counts["repaired"]:
        deliver_accounts(work, practice, app.portals[practice])
    return found.to_json() | _shape(work.report)


def _shape(report: DeliveryReport) -> dict[str, Any]:
    return {"delivered": {kind: dict(counts) for kind, counts in report.counts.items()}, "problems": report.problems}


def run_job(app: Assembled, practice: str, job: JobName, progress: Progress = quietly) -> None:
    """Does one scheduled job of one practice and logs how it ended, without anybody's data."""
    if job is JobName.DELIVER:
        deliver_all(app, practice)
        return
    if job is JobName.WIDGETS:
        watch(
            app.engine,
            practice=practice,
            desired=app.merchants[practice].pages,
            portal=app.portals[practice],
            policy=app.practices[practice].policy,
            now=app.clock,
        )
        return
    if job is JobName.COMPARE:
        read_back(app, practice)
        return
    if job is JobName.PUSH:
        if work_off(app.engine, app.practices[practice], clock=app.clock):
            deliver_all(app, practice)  # what was taken away must be seen in the portal now, not with the next round
        return
    request = Request(full=job is JobName.RECONCILE, review=job is JobName.REVIEW)

    def run() -> dict[str, Any]:
        return sync(app.engine, app.practices[practice], request, clock=app.clock, progress=progress)

    report = run() if request.review else app.watchers[practice].told(run)
    get_logger().info(Event.RUN_FINISHED, practice=practice, run=report["run"], status=report["status"])
    catch_up(app.engine, practice)
