"""A practice, its portal of any kind, and a faulty line between them: the harness of the faults in a delivery."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from pydantic import SecretStr

from adapter.core.portal import PortalAccount, compare, opens_more
from adapter.core.state import EffectKind, EffectState
from adapter.http.wire import make_session
from adapter.jobs.accounts import deliver_accounts, wanted_accounts
from adapter.jobs.round import Round
from adapter.portal import Portal
from adapter.portal.fhir import FhirPortal
from adapter.portal.http import HttpPortal
from adapter.portal.scim import ScimPortal
from adapter.portal.sign_in import FixedToken
from adapter.portal.signature import Seal
from adapter.portal.wire import Wire
from adapter.sandbox.http_portal import KEY_ID, HttpSandboxPortal
from adapter.sandbox.portal import SandboxPortal
from adapter.store import outgoing
from adapter.store import tables as t
from adapter.store.engine import begin, read
from tests.acceptance.sekmet import running_sekmet
from tests.edges.effects import NOW, PRACTICE, add_account, add_effect, add_grant
from tests.edges.portal.faulty import Faulty, standing_before

ROUNDS = 12
PEOPLE = [f"a{number}" for number in range(6)]
Reach = Callable[[str, str], Portal]
"""The connector at an address, for a practice. Each case has a practice of its own, so nothing has to be cleared."""


@dataclass
class Line:
    """A practice, its portal, and what stands between them."""

    engine: sa.Engine
    base_url: str
    between: Faulty
    reach: Reach
    at: datetime = NOW
    case: int = 0

    def __post_init__(self) -> None:
        self.portal = self.direct = self.reach(self.base_url, PRACTICE)

    def deliver(self) -> None:
        deliver_accounts(Round(self.engine, lambda: self.at), PRACTICE, self.portal)
        self.at += timedelta(minutes=15)

    def waiting(self) -> bool:
        """Whether an account is still to be delivered."""
        with begin(self.engine) as connection:
            open_ones = t.effect.c.state.in_((EffectState.QUEUED, EffectState.SENDING))
            return connection.execute(sa.select(t.effect.c.id).where(open_ones).limit(1)).first() is not None

    def wanted(self) -> dict[str, PortalAccount]:
        with read(self.engine) as connection:
            return wanted_accounts(*outgoing.accounts(connection, PEOPLE), self.at)

    def claimed(self) -> set[str]:
        """Accounts of which every delivery is called done."""
        with read(self.engine) as connection:
            rows = connection.execute(sa.select(t.effect.c.subject, t.effect.c.state)).all()
        undone = {subject for subject, state in rows if state not in (EffectState.SENT, EffectState.CANCELLED)}
        return {subject for subject, _ in rows} - undone

    def start_over(self) -> None:
        """An empty portal, and four accounts that it will know before anything goes wrong."""
        self.case += 1
        self.portal = self.reach(self.between.base_url, f"case-{self.case}")
        self.direct = self.reach(self.base_url, f"case-{self.case}")
        with begin(self.engine) as connection:
            for table in (t.effect, t.finding, t.grant, t.sighting, t.account):
                connection.execute(sa.delete(table))
        self.at = NOW
        self.between.again()
        for key in PEOPLE[:4]:
            add_account(self.engine, key, email=f"{key}-{self.case}@mail.example")
            add_effect(self.engine, f"{key}-first", EffectKind.ACCOUNT, key)
        self.deliver()
        self.direct.check()

    def change_everything(self) -> None:
        """One loses a chart, one is suspended, one gets a chart more, one moves; and two are new."""
        grant, account = t.grant, t.account
        changes: list[Any] = [
            sa.update(grant).where(grant.c.account_id == "a0").values(state="ended"),
            sa.update(account).where(account.c.id == "a1").values(status="suspended"),
            sa.update(account).where(account.c.id == "a3").values(email=f"moved-{self.case}@mail.example"),
        ]
        with begin(self.engine) as connection:
            for change in changes:
                connection.execute(change)
            add_grant(connection, "a2", "Patient/second")
        for key in PEOPLE[4:]:
            add_account(self.engine, key, email=f"{key}-{self.case}@mail.example")
        for key in PEOPLE:
            add_effect(self.engine, f"{key}-second", EffectKind.ACCOUNT, key, next_at=self.at)

    def requests(self) -> int:
        """How many requests the delivery of all this takes when nothing goes wrong."""
        self.start_over()
        self.change_everything()
        self.between.again()
        self.deliver()
        return self.between.asked

    def deliver_until_done(self, case: str) -> None:
        """Delivers until nothing waits. After each round, nothing that is called done opens more than was decided."""
        for _ in range(ROUNDS):
            self.deliver()
            shown, wanted = self.direct.get_accounts(PEOPLE), self.wanted()
            for key in self.claimed() & shown.keys():
                assert not opens_more(shown[key], self.direct.kept(wanted[key]), self.at), (case, key)
            if not self.waiting():
                break
        assert not self.waiting(), case
        assert self.claimed() == set(PEOPLE), case
        assert sorted(one.key for one in self.direct.accounts()) == PEOPLE, case
        for key, account in self.wanted().items():
            assert compare(self.direct.kept(account), shown.get(key), self.at) is None, (case, key)


@contextmanager
def line_to(kind: str, engine: sa.Engine, folder: Path) -> Iterator[Line]:
    """A line to a portal of this kind, which runs inside the block."""
    connector: Callable[..., Portal]
    seal: Seal | None = None
    token: str | None = None
    with ExitStack() as running:
        if kind == "http":
            http = running.enter_context(HttpSandboxPortal(clock=lambda: NOW))
            seal = Seal(key_id=KEY_ID, secret=SecretStr(http.secret), clock=lambda: NOW)
            base_url, connector, media = http.base_url, HttpPortal, "application/json"
        elif kind == "scim":
            scim = running.enter_context(SandboxPortal())
            base_url, connector, media, token = scim.base_url, ScimPortal, "application/scim+json", scim.token
        else:
            fhir = running.enter_context(running_sekmet(folder / "server"))
            base_url, connector, media = fhir.base_url, FhirPortal, "application/fhir+json"

        def reach(address: str, practice: str) -> Portal:
            wire = Wire(
                address,
                sign_in=FixedToken(SecretStr(token) if token else None),
                session=make_session(2),
                timeout=10,
                media=media,
                clock=lambda: NOW,
                seal=seal,
            )
            return connector(wire, practice=practice, concurrency=1)

        between = running.enter_context(standing_before(base_url))
        yield Line(engine, base_url, between, reach)
