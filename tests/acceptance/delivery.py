"""A practice with a store, an embedded portal and a mailer, ready to deliver; and a clock to turn."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.message import EmailMessage
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from adapter.errors import DeliveryError
from adapter.jobs.deliver import DeliveryReport, PracticeMail, deliver
from adapter.mail import Handed, Mailer
from adapter.portal import HomePage, PortalAccount
from adapter.portal.embedded import EmbeddedPortal
from adapter.store import tables as t
from adapter.store.engine import begin
from tests.edges.effects import NOW, PRACTICE

KEY = bytes(range(32))
MAIN_STREET = PracticeMail(
    id=PRACTICE,
    name="Main Street Pediatrics",
    language="en",
    zone=ZoneInfo("America/New_York"),
    mail_from="no-reply@portal.example",
    phone="(555) 010-0100",
    registration_url="https://portal.example/register",
    link_hours=48,
)


@dataclass
class Outbound:
    """Everything on the right-hand side of one practice."""

    engine: sa.Engine
    mailer: Mailer
    at: datetime = NOW
    practice: PracticeMail = MAIN_STREET
    portal: EmbeddedPortal = field(init=False)

    def __post_init__(self) -> None:
        self.portal = EmbeddedPortal(self.engine, practice=PRACTICE, now=self.now)

    def now(self) -> datetime:
        return self.at

    def later(self, **span: float) -> None:
        self.at += timedelta(**span)

    def deliver(self, limit: int | None = None) -> dict[str, dict[str, int]]:
        """Delivers what is due; the counts by kind and result."""
        report = self.report(limit)
        return {kind: dict(counts) for kind, counts in report.counts.items()}

    def report(self, limit: int | None = None) -> DeliveryReport:
        return deliver(
            self.engine,
            portals={PRACTICE: self.portal},
            mailer=self.mailer,
            practices={PRACTICE: self.practice},
            key=KEY,
            now=self.now,
            limit=limit,
        )

    def audit(self) -> list[tuple[str, str | None, str]]:
        """The audit trail: action, account, reason."""
        columns = (t.audit.c.action, t.audit.c.account, t.audit.c.reason)
        with begin(self.engine) as connection:
            return [tuple(row) for row in connection.execute(sa.select(*columns).order_by(t.audit.c.seq))]

    def findings(self) -> list[str]:
        """Codes of the findings that are open."""
        open_ones = sa.select(t.finding.c.code).where(t.finding.c.closed_at.is_(None)).order_by(t.finding.c.code)
        with begin(self.engine) as connection:
            return list(connection.scalars(open_ones))


class ScriptedMailer:
    """A mailer that keeps what it was given and answers as told: a value is returned, an error raised.

    ``during`` is called while the mail is being handed over.
    """

    at_once = 1

    def __init__(self, *answers: Handed | Exception, during: Callable[[], None] | None = None) -> None:
        self.answers = list(answers)
        self.during = during
        self.messages: list[EmailMessage] = []

    def send(self, message: EmailMessage) -> Handed:
        self.messages.append(message)
        if self.during:
            self.during()
        answer = self.answers.pop(0) if self.answers else Handed.SENT
        if isinstance(answer, Exception):
            raise answer
        return answer

    def check(self) -> str:
        return "Mail is kept."

    def close(self) -> None:
        """Nothing to let go of."""


class PickyPortal(EmbeddedPortal):
    """A portal that refuses some accounts, and home pages while it is told to; ``during`` is called while it works."""

    refuses: dict[str, DeliveryError]
    refuses_home: Exception | None = None
    during: Callable[[], None] | None = None

    def put_accounts(
        self, batch: Sequence[PortalAccount], *, new: Collection[str] = frozenset()
    ) -> dict[str, DeliveryError]:
        if self.during:
            self.during()
        super().put_accounts([one for one in batch if one.key not in self.refuses], new=new)
        return {one.key: self.refuses[one.key] for one in batch if one.key in self.refuses}

    def put_home(self, home: HomePage) -> None:
        if self.refuses_home:
            raise self.refuses_home
        super().put_home(home)
