"""Every fault at every request of a delivery to a SCIM portal: nothing is lost, nothing doubled, nothing claimed."""

import multiprocessing
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from pydantic import SecretStr

from adapter.core.portal import PortalAccount, compare, opens_more
from adapter.core.state import EffectKind, EffectState
from adapter.http.wire import make_session
from adapter.jobs.accounts import deliver_accounts, wanted_accounts
from adapter.jobs.round import Round
from adapter.portal.scim import ScimPortal
from adapter.portal.sign_in import FixedToken
from adapter.portal.wire import Wire
from adapter.sandbox.portal import SandboxPortal
from adapter.store import outbox, outgoing
from adapter.store import tables as t
from adapter.store.engine import begin, make_engine, read
from adapter.store.outbox import LEASE
from tests.edges.effects import NOW, PRACTICE, add_account, add_effect, add_grant
from tests.edges.portal.faulty import FAULTS, Faulty, standing_before

ROUNDS = 12
ELSEWHERE = {"killed", "closed", "elsewhere", "forbidden", "unknown-token"}
"""The first has a test of its own; the others are put off exactly as "broken" and "too-many" are."""
PEOPLE = [f"a{number}" for number in range(5)]


@dataclass
class Line:
    """A practice, its portal, and what stands between them."""

    engine: sa.Engine
    server: SandboxPortal
    between: Faulty
    portal: ScimPortal
    direct: ScimPortal
    at: datetime = NOW

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
        self.server.storage.resources = []
        with begin(self.engine) as connection:
            for table in (t.effect, t.finding, t.grant, t.sighting, t.account):
                connection.execute(sa.delete(table))
        self.at = NOW
        self.between.again()
        for key in PEOPLE[:4]:
            add_account(self.engine, key)
            add_effect(self.engine, f"{key}-first", EffectKind.ACCOUNT, key)
        self.deliver()

    def change_everything(self) -> None:
        """One loses a chart, one is suspended, one gets a chart more, one moves; and one is new."""
        grant, account = t.grant, t.account
        changes: list[Any] = [
            sa.update(grant).where(grant.c.account_id == "a0").values(state="ended"),
            sa.update(account).where(account.c.id == "a1").values(status="suspended"),
            sa.update(account).where(account.c.id == "a3").values(email="moved@mail.example"),
        ]
        with begin(self.engine) as connection:
            for change in changes:
                connection.execute(change)
            add_grant(connection, "a2", "Patient/second")
        add_account(self.engine, "a4")
        for key in PEOPLE:
            add_effect(self.engine, f"{key}-second", EffectKind.ACCOUNT, key, next_at=self.at)

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
        assert len(self.server.users) == len(PEOPLE), case
        for key, account in self.wanted().items():
            assert compare(self.direct.kept(account), shown.get(key), self.at) is None, (case, key)


@pytest.fixture
def line(sqlite_url: str) -> Iterator[Line]:
    engine = make_engine(sqlite_url)
    with SandboxPortal() as server, standing_before(server.base_url) as between:
        token = FixedToken(SecretStr(server.token))

        def reach(base_url: str) -> ScimPortal:
            session = make_session(2)
            media = "application/scim+json"
            wire = Wire(base_url, sign_in=token, session=session, timeout=10, media=media, clock=lambda: NOW)
            return ScimPortal(wire, practice=PRACTICE, concurrency=1)

        made = Line(engine, server, between, reach(between.base_url), reach(server.base_url))
        assert made.portal.service == made.direct.service
        yield made
    engine.dispose()


@pytest.mark.parametrize("fault", sorted(FAULTS.keys() - ELSEWHERE))
def test_a_fault_at_any_request_loses_nothing_doubles_nothing_and_hides_nothing(line: Line, fault: str) -> None:
    line.start_over()
    line.change_everything()
    line.between.again()
    line.deliver()
    requests = line.between.asked
    assert requests > 8
    for at in range(1, requests + 1):
        line.start_over()
        line.change_everything()
        line.between.again(fault, at)
        line.deliver_until_done(f"{fault} at {at}")


def test_a_worker_killed_at_any_request_loses_nothing_and_doubles_nothing(line: Line) -> None:
    fork = multiprocessing.get_context("fork")
    line.start_over()
    line.change_everything()
    line.between.again()
    line.deliver()
    for at in range(1, line.between.asked + 1):
        line.start_over()
        line.change_everything()
        line.between.again("killed", at)
        line.engine.dispose()
        worker = fork.Process(target=line.deliver)
        worker.start()
        assert worker.pid is not None
        line.between.victim = worker.pid
        worker.join(20)
        assert worker.exitcode == -signal.SIGKILL, at
        line.between.again()
        assert line.waiting(), at  # what was under way is not called done
        line.at += LEASE + timedelta(minutes=1)
        with begin(line.engine) as connection:
            outbox.recover(connection, now=line.at)
        line.deliver_until_done(f"killed at {at}")
