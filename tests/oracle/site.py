"""The product as it is, around an EHR in memory: one practice on SQLite, a portal, and a courier for its mail."""

import shutil
from dataclasses import replace
from datetime import UTC, date, datetime
from email.message import EmailMessage
from functools import cached_property
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from adapter.bootstrap import App, build
from adapter.core.answers import Answer
from adapter.core.plan import Action, ActionKind
from adapter.errors import DeliveryError, FatalError, RetriableError
from adapter.jobs.deliver import DeliveryReport, deliver
from adapter.jobs.finding_answers import decide, withdraw
from adapter.jobs.practice import Practice
from adapter.jobs.register import register
from adapter.jobs.release import release
from adapter.jobs.revoke import lift, revoke
from adapter.jobs.run import Request
from adapter.jobs.sync import plan, sync
from adapter.jobs.undo import Undo, undo
from adapter.mail import Handed
from adapter.portal.embedded import EmbeddedPortal
from adapter.settings import load_settings
from adapter.store import held
from adapter.store import tables as t
from adapter.store.engine import begin, make_engine, read
from adapter.store.held import HeldPlan
from adapter.store.migrations import migrate
from tests.oracle.ehr import Ehr
from tests.oracle.oracle import key

PRACTICE = "main-street"
START = datetime(2026, 5, 4, 14, 30, tzinfo=UTC)
ZONE = "America/New_York"
CONFIG = """
[store]
url = "sqlite:///{folder}/adapter.db"
key_file = "{folder}/adapter.key"
[[practice]]
id = "{id}"
name = "Main Street Pediatrics"
time_zone = "{zone}"
[practice.ehr]
kind = "files"
path = "{folder}"
[practice.portal]
registration_url = "https://portal.example/register"
[practice.policy]
{policy}
[practice.policy.brakes]
{brakes}
"""
NO_BRAKES = "\n".join(
    f"{name} = {{ count = 1000000, percent = 100, week_count = 1000000, week_percent = 100 }}"
    for name in ("revocation", "grant", "welcome", "address_change")
)
"""A history changes more in a day than a practice does in a year."""
TIGHT = "\n".join(
    f"{name} = {{ count = 2, percent = 5, week_count = 4, week_percent = 10 }}"
    for name in ("revocation", "grant", "welcome", "address_change")
)
"""So that something waits nearly always."""
Row = Any


class Courier:
    """Takes every mail; how it answers is set beforehand."""

    at_once = 1

    def __init__(self) -> None:
        self.answer = "sent"
        self.left: list[EmailMessage] = []
        """Mails that left, or may have left."""

    def send(self, message: EmailMessage) -> Handed:
        if self.answer == "down":
            raise RetriableError("The mail server cannot be reached.")
        if self.answer in ("refused", "later"):
            raise DeliveryError("The mail server refused.", permanent=self.answer == "refused")
        self.left.append(message)
        return Handed.UNKNOWN if self.answer == "unknown" else Handed.SENT

    def check(self) -> str:
        return "ready"

    def close(self) -> None:
        """Nothing to close."""


class Site:
    """One practice in a folder of its own. ``now`` is the time there, and only ever moved from outside."""

    def __init__(
        self, folder: Path, template: Path, policy: str, start: datetime = START, brakes: str = NO_BRAKES
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(template, folder / "adapter.db")
        config = folder / "config.toml"
        config.write_text(CONFIG.format(folder=folder, id=PRACTICE, zone=ZONE, policy=policy, brakes=brakes))
        self.now = start
        self.portal_time = start
        """The latest time the portal has seen: what has closed by then stays closed."""
        self.ehr = Ehr()
        self.courier = Courier()
        self.app: App = build(load_settings(config), folder, clock=lambda: self.now)
        self.practice: Practice = replace(self.app.practices[PRACTICE], reader=self.ehr)

    @cached_property
    def engine(self) -> sa.Engine:
        _hurry(self.app.engine)
        return self.app.engine

    @property
    def local(self) -> datetime:
        """The time on the practice's wall."""
        return self.now.astimezone(self.practice.zone)

    def sync(self, request: Request) -> dict[str, Any]:
        return sync(self.engine, self.practice, request, clock=lambda: self.now, progress=_quietly)

    def plan(self) -> tuple[dict[str, Any], list[Action]]:
        """What a sync would do now; changes nothing."""
        actions: list[Action] = []
        shown = plan(
            self.engine,
            self.practice,
            Request(),
            clock=lambda: self.now,
            progress=_quietly,
            take=actions.extend,
        )
        return shown, actions

    def deliver(self) -> DeliveryReport:
        return deliver(
            self.engine,
            portals=self.app.portals,
            mailer=self.courier,
            practices=self.app.identities,
            key=self.app.key,
            now=lambda: self.now,
        )

    def release(self) -> None:
        """Lets the held Welcome emails of the latest run go."""
        with read(self.engine) as connection:
            latest = connection.scalar(sa.select(sa.func.max(t.run.c.id)))
        if latest:
            self.release_run(latest)

    def release_run(self, run: int, expected: str | None = None) -> bool:
        """Lets go what a run holds; False when the product refuses."""
        try:
            release(self.engine, self.app.practices, run, actor="person:admin", now=self.now, expected=expected)
        except FatalError:
            return False
        return True

    def held(self) -> list[HeldPlan]:
        """What the brakes hold, the oldest first."""
        with read(self.engine) as connection:
            return held.waiting(connection, [PRACTICE])

    def waits(self) -> dict[str, dict[str, ActionKind]]:
        """By address: what waits for it, by chart; no chart's name for what is about the account."""
        found: dict[str, dict[str, ActionKind]] = {}
        for waiting in self.held():
            for one in waiting.accounts:
                for address in one.keys:
                    found.setdefault(key(address), {})
                for action in one.actions:
                    chart = (action.patient or "").removeprefix("Patient/") or f"{action.action}:"
                    found.setdefault(key(action.account), {})[chart] = action.action
        return found

    def undo(self, run: int) -> Undo | None:
        """Takes a run back; None when the product says that there is nothing to take back."""
        try:
            return undo(self.engine, self.app.practices, run, actor="person:admin", now=self.now, apply=True)
        except FatalError:
            return None

    def revoke(self, email: str, patient: str) -> None:
        """The practice itself takes a chart away from an address."""
        said: dict[str, Any] = {"reason": "Court order.", "actor": "person:admin", "now": self.now}
        revoke(self.engine, PRACTICE, email, patient, **said)

    def lift(self, email: str, patient: str) -> None:
        """It is decided by the rules again."""
        said: dict[str, Any] = {"reason": "Order lifted.", "actor": "person:admin", "now": self.now}
        lift(self.engine, PRACTICE, email, patient, **said)

    def taken_away(self) -> list[Row]:
        """What the practice has taken away and not given back."""
        return sorted((row for row in self.rows(t.revocation) if row.lifted_at is None), key=lambda row: str(row.id))

    def register(self, email: str) -> bool:
        """Sends the Welcome email again; False when the product says that this would be pointless."""
        try:
            register(self.engine, PRACTICE, email, actor="person:admin", now=self.now)
        except FatalError:
            return False
        return True

    def open_findings(self) -> list[Row]:
        """What somebody at the practice could answer."""
        return sorted((row for row in self.rows(t.finding) if row.closed_at is None), key=lambda row: str(row.id))

    def answer(self, finding: Row, answer: str, until: date | None) -> bool:
        """Answers a finding; False when the product does not take this answer."""
        asked = (self.engine, self.practice, [finding.id])
        said: dict[str, Any] = {"reason": "Papers seen.", "actor": "person:admin", "clock": lambda: self.now}
        try:
            if answer == "withdraw":
                withdraw(*asked, **said)
            else:
                decide(*asked, Answer(answer), until=until, **said)
        except FatalError:
            return False
        return True

    def sets_password(self, account: str) -> None:
        """A parent follows the link: from now on the account is a registered one."""
        with begin(self.engine) as connection:
            connection.execute(
                sa.update(t.account)
                .where(t.account.c.id == account, t.account.c.status == "invited")
                .values(status="registered", registered_at=self.now)
            )

    def rows(self, table: sa.Table) -> list[Row]:
        with read(self.engine) as connection:
            return list(connection.execute(sa.select(table)).all())

    def portal_opens(self) -> set[tuple[str, str, str]]:
        """Account, chart and access, as parents find them in the portal when they ask now."""
        portal = self.app.portals[PRACTICE]
        assert isinstance(portal, EmbeddedPortal)
        asked = [(one.key, chart.patient) for one in portal.accounts() for chart in one.dependents]
        given = {(key, patient, str(portal.may_open(key, patient, self.now))) for key, patient in asked}
        self.portal_time = max(self.portal_time, self.now)
        return {(key, patient, access) for key, patient, access in given if access != "none"}

    def close(self) -> None:
        self.engine.dispose()


def make_template(folder: Path) -> Path:
    """A migrated, empty database to copy for every site."""
    path = folder / "template.db"
    engine = make_engine(f"sqlite:///{path}")
    migrate(engine)
    engine.dispose()
    return path


def _hurry(engine: sa.Engine) -> None:
    """Nothing here has to survive a power cut, so nothing waits for the disk."""

    @sa.event.listens_for(engine, "connect")
    def _configure(connection: Any, _record: Any) -> None:
        connection.execute("PRAGMA synchronous = OFF")

    engine.dispose()


def _quietly(what: str, done: int, total: int | None) -> None:
    """Nobody is watching."""
