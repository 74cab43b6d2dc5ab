"""Ten thousand new accounts into a SCIM portal: the adapter's delivery beside a plain loop of scim2-client, in one run.

``python -m benchmarks.portal [--accounts N] [--concurrency N]``. Both write the same Users to a server of the same
kind (scim2-server, in a process of its own, started anew for each); the adapter's part includes its outbox.
"""

import argparse
import multiprocessing
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import requests
import sqlalchemy as sa
from pydantic import SecretStr
from scim2_client.client import BaseSyncSCIMClient, RawResponse
from scim2_models import ResourceType, ScimProvider, User

from adapter.core.state import AccountStatus, EffectKind, EffectState
from adapter.http.wire import make_session
from adapter.jobs.accounts import deliver_accounts
from adapter.jobs.round import Round
from adapter.portal.scim import ScimPortal
from adapter.portal.sign_in import FixedToken
from adapter.portal.wire import Wire
from adapter.sandbox.portal import Dependent, PortalUser, SandboxPortal
from adapter.store import tables as t
from adapter.store.engine import begin, make_engine
from adapter.store.migrations import migrate
from adapter.store.sql import insert_all

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
PRACTICE = "main-street"


class Plain(BaseSyncSCIMClient):
    """scim2-client on one kept-alive session."""

    def __init__(self, base_url: str, token: str) -> None:
        kind = ResourceType.from_resource(User[PortalUser])
        super().__init__(provider=ScimProvider(models=[User, PortalUser], resource_types=[kind]))
        self._base_url = base_url
        self._session = requests.Session()
        self._session.headers["Authorization"] = f"Bearer {token}"

    def _stays_under_base_url(self, endpoint: str) -> bool:
        return not endpoint.startswith("http")

    def request(self, method: str, url: str, **kwargs: Any) -> RawResponse:
        answer: Any = self._session.request(method, f"{self._base_url}{url}", timeout=60, **kwargs)
        return answer  # type: ignore[no-any-return]


def serve(ready: Connection) -> None:
    """Runs in the server's process until it is told to end."""
    with SandboxPortal() as portal:
        ready.send((portal.base_url, portal.token))
        ready.recv()
        ready.send(len(portal.users))


@contextmanager
def server() -> Iterator[tuple[str, str, Connection]]:
    here, there = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=serve, args=(there,), daemon=True)
    process.start()
    base_url, token = here.recv()
    yield base_url, token, here
    process.join(10)


def plain_loop(accounts: int) -> float:
    """Seconds that one create after the other takes."""
    with server() as (base_url, token, line):
        client = Plain(base_url, token)
        began = time.perf_counter()
        for number in range(accounts):
            client.create(user(number))
        seconds = time.perf_counter() - began
        line.send("end")
        assert line.recv() == accounts
    return seconds


def user(number: int) -> Any:
    email = f"parent{number}@mail.example"
    made: Any = User[PortalUser](
        external_id=f"{PRACTICE}/a{number}",
        user_name=email,
        name={"formatted": f"Parent {number}"},  # type: ignore[arg-type]
        emails=[{"value": email, "type": "home", "primary": True}],  # type: ignore[list-item]
        preferred_language="en",
        active=True,
    )
    chart = Dependent(
        patient=f"Patient/{number}",
        relationship="mother",
        authority="joint",
        access="full",
        reason="eligible",
        since=NOW,
        until=NOW.replace(year=2040),
        is_self=False,
    )
    made[PortalUser] = PortalUser(status="pending", dependents=[chart])
    return made


def adapter_delivery(folder: Path, accounts: int, concurrency: int) -> float:
    """Seconds that the adapter takes for the same accounts, from its outbox to the last one called done."""
    engine = make_engine(f"sqlite:///{folder / 'adapter.db'}")
    migrate(engine)
    fill(engine, accounts)
    with server() as (base_url, token, line):
        wire = Wire(
            base_url,
            sign_in=FixedToken(SecretStr(token)),
            session=make_session(concurrency),
            timeout=60,
            media="application/scim+json",
            clock=lambda: NOW,
        )
        portal = ScimPortal(wire, practice=PRACTICE, concurrency=concurrency)
        work = Round(engine, lambda: NOW)
        began = time.perf_counter()
        deliver_accounts(work, PRACTICE, portal)
        seconds = time.perf_counter() - began
        assert work.report.counts["account"] == {"sent": accounts}, work.report
        line.send("end")
        assert line.recv() == accounts
    engine.dispose()
    return seconds


def fill(engine: sa.Engine, accounts: int) -> None:
    numbers = range(accounts)
    with begin(engine) as connection:
        people = [
            {
                "id": f"a{n}",
                "practice": PRACTICE,
                "email_key": f"parent{n}@mail.example",
                "email": f"parent{n}@mail.example",
                "name": f"Parent {n}",
                "language": "en",
                "status": str(AccountStatus.PENDING),
                "reason": "eligible",
                "since": NOW,
            }
            for n in numbers
        ]
        charts = [
            {
                "account_id": f"a{n}",
                "patient": f"Patient/{n}",
                "contact": f"RelatedPerson/{n}",
                "role": "mother",
                "authority": "joint",
                "access": "full",
                "state": "active",
                "reason": "eligible",
                "source": f"RelatedPerson/{n}/_history/1",
                "is_self": False,
                "since": NOW,
                "until": NOW.replace(year=2040),
            }
            for n in numbers
        ]
        effects = [
            {
                "id": f"e{n}",
                "practice": PRACTICE,
                "kind": str(EffectKind.ACCOUNT),
                "subject": f"a{n}",
                "to": f"parent{n}@mail.example",
                "state": str(EffectState.QUEUED),
                "attempts": 0,
                "next_at": NOW,
                "created_at": NOW,
            }
            for n in numbers
        ]
        insert_all(connection, t.account, people)
        insert_all(connection, t.grant, charts)
        insert_all(connection, t.effect, effects)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.portal", description=__doc__.partition("\n")[0])
    parser.add_argument("--accounts", type=int, default=10_000, help="new accounts (10000)")
    parser.add_argument("--concurrency", type=int, default=4, help="requests at the same time, at most (4)")
    options = parser.parse_args()
    plain = plain_loop(options.accounts)
    with tempfile.TemporaryDirectory(prefix="bench-portal-") as folder:
        adapter = adapter_delivery(Path(folder), options.accounts, options.concurrency)
    print(f"{options.accounts:,} new accounts into scim2-server")
    for label, seconds in (("plain loop of scim2-client", plain), ("adapter, outbox included", adapter)):
        print(f"  {label:<28} {seconds:7.1f} s  {options.accounts / seconds:7.0f} accounts/s")
    print(f"  ratio {plain / adapter:.1f} x")


if __name__ == "__main__":
    main()
