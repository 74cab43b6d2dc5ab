"""A practice whose Welcome emails have left, with the page their links lead to; and a clock to turn."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import requests
import sqlalchemy as sa

from adapter.bootstrap import App, build
from adapter.core.redeem import SecondFact
from adapter.jobs.redeem import Attempt, redeem
from adapter.jobs.run import Request
from adapter.jobs.sync import sync
from adapter.jobs.work import deliver_all
from adapter.sandbox.charts import Resource
from adapter.sandbox.families import story
from adapter.settings import load_settings
from adapter.store import tables as t
from adapter.store import views
from adapter.store.engine import begin, read
from adapter.web import WebServer, make_app
from tests.acceptance.adapter_cli import GRACE, Json, practice

HERE, ELSEWHERE = "main-street", "elm-street"
NOW = datetime(2026, 5, 4, 9, 30, tzinfo=UTC)
TODAY = NOW.date()
KARIN, MATS = "karin.lindgren@post.example", "mats.lindgren@post.example"


@dataclass
class Site:
    """Two practices that read the same families; one of them has its registration page here."""

    folder: Path
    app: App = field(init=False)
    at: datetime = NOW
    address: str = ""

    def later(self, **span: float) -> None:
        self.at += timedelta(**span)

    def write(self, resources: list[Resource], name: str = HERE) -> None:
        lines = "".join(json.dumps(resource) + "\n" for resource in resources)
        (self.folder / f"ehr-{name}").mkdir(exist_ok=True)
        (self.folder / f"ehr-{name}" / "all.ndjson").write_text(lines)

    def sync(self, name: str = HERE, *, full: bool = False) -> None:
        request = Request(full=full)
        sync(self.app.engine, self.app.practices[name], request, clock=self.app.clock, progress=lambda *_: None)

    def deliver(self) -> Json:
        return deliver_all(self.app)

    def mails_to(self, email: str, name: str = HERE) -> list[EmailMessage]:
        """What was written to one address in the name of one practice."""
        found = []
        for file in sorted((self.folder / "mail").glob("*.eml")):
            message = message_from_bytes(file.read_bytes(), policy=policy.default)
            assert isinstance(message, EmailMessage)
            sender = message["From"].addresses[0].username
            if sender == name and message["To"].addresses[0].addr_spec.lower() == email:
                found.append(message)
        return found

    def token(self, email: str = GRACE, name: str = HERE, number: int = -1) -> str:
        """The token in the link of one mail."""
        body = self.mails_to(email, name)[number].get_body(("plain",))
        assert body is not None
        link = re.search(r"https?://\S+", body.get_content())
        assert link is not None
        return parse_qs(urlsplit(link[0]).query)["token"][0]

    def redeem(self, token: str, answer: str, name: str = HERE) -> Attempt:
        """One attempt by the job itself."""
        fact = SecondFact.BIRTH_DATE
        return redeem(self.app.engine, self.app.practices[name], token, answer, fact=fact, now=self.at)

    def account(self, email: str = GRACE, name: str = HERE) -> Json:
        with read(self.app.engine) as connection:
            (found,) = views.accounts(connection, [name], email_key=email)
        return found

    def audit(self, *actions: str) -> list[tuple[str, str]]:
        """Action and reason of the entries with these actions."""
        query = sa.select(t.audit.c.action, t.audit.c.reason).order_by(t.audit.c.seq)
        with begin(self.app.engine) as connection:
            return [tuple(row) for row in connection.execute(query.where(t.audit.c.action.in_(actions)))]

    def findings(self) -> list[str]:
        """Codes of the open findings about mail."""
        query = sa.select(t.finding.c.code).where(t.finding.c.closed_at.is_(None))
        with begin(self.app.engine) as connection:
            return sorted(code for code in connection.scalars(query) if code.startswith("welcome-"))

    def get(self, token: str, *, method: str = "GET", **more: str) -> requests.Response:
        address = f"{self.address}/register/{HERE}"
        return requests.request(method, address, params={"token": token} | more, timeout=30)

    def post(self, token: str, born: date | None, **more: str) -> requests.Response:
        """The form, as a browser sends it."""
        fields = {"token": token, **more}
        if born is not None:
            fields = {"year": str(born.year), "month": str(born.month), "day": str(born.day)} | fields
        return requests.post(f"{self.address}/register/{HERE}", data=fields, timeout=30)


def birth_dates(family: str) -> list[date]:
    """When the children of a family of the story were born."""
    patients = [one for one in resources() if one["resourceType"] == "Patient" and one["id"].startswith(family)]
    return [date.fromisoformat(one["birthDate"]) for one in patients]


def resources() -> list[Resource]:
    """Two families of the story: a mother of two children, and two parents of one."""
    ours = [family for family in story(TODAY) if family.title in ("Okafor", "Lindgren")]
    return [resource for family in ours for resource in family.resources]


@contextmanager
def welcomed(folder: Path, store_url: str, *, more: str = "", web: str = "port = 0", top: str = "") -> Iterator[Site]:
    """A site whose families were read and whose Welcome emails have left."""
    site = Site(folder)
    tables = f"[store]\nurl = '{store_url}'\n[mail]\nkind = 'folder'\npath = 'mail'\n[web]\n{web}\n{top}"
    for name in (HERE, ELSEWHERE):
        portal = f"[practice.portal]\nregistration_url = 'http://127.0.0.1:8480/register/{name}'\n"
        keys = f"mail_from = '{name}@portal.example'\nphone = '(555) 010-0100'"
        ehr = f"kind = 'files'\npath = 'ehr-{name}'"
        tables += practice(name, ehr, policy="hold_first_welcome = false", more=portal + more, keys=keys)
        site.write(resources(), name)
    (folder / "config.toml").write_text(tables)
    site.app = build(load_settings(folder / "config.toml"), folder, clock=lambda: site.at)
    for name in (HERE, ELSEWHERE):
        site.sync(name)
    site.deliver()
    yield site
    site.app.engine.dispose()


@contextmanager
def with_page(site: Site) -> Iterator[Site]:
    """The site with its page on a port of its own."""
    with WebServer(make_app(site.app), site.app.settings.web) as server:
        site.address = server.address
        yield site
