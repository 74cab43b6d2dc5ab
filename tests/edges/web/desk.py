"""The admin's desk on a real server, for two practices and people in every role."""

import re
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import requests
from pyotp import TOTP

from adapter.bootstrap import App, build
from adapter.core.staff import StaffRole
from adapter.jobs.people import Enrolment, add
from adapter.settings import load_settings
from adapter.store import people
from adapter.store.engine import begin
from adapter.web import WebServer, make_app
from adapter.web.asking import Service
from adapter.web.cookies import csrf_token
from adapter.web.guard import Door, doors
from adapter.web.pages import Pages
from adapter.web.permissions import ROUTES
from tests.acceptance.adapter_cli import practice
from tests.edges.web.door import EHR_BASE, NOW, SECRET

HERE, ELSEWHERE = "main-street", "high-street"
STAFF: dict[str, dict[str, StaffRole]] = {
    "stranger": {ELSEWHERE: StaffRole.ADMIN},
    "viewer": {HERE: StaffRole.VIEWER},
    "reconciler": {HERE: StaffRole.RECONCILER},
    "admin": {HERE: StaffRole.ADMIN},
}
SAMPLES = {
    "practice": HERE,
    "rest": "Patient/p1",
    "name": "desk.css",
    "account": "a1",
    "contact": "c1",
    "chart": "p1",
    "given": "word",
    "email": "nobody@mail.example",
    "run": "1",
    "finding": "0",
    "effect": "0",
    "revision": "1",
}
"""What stands for the parts of a path that are not fixed."""


class Visitor(requests.Session):
    """A browser as far as it matters here: cookies, and the headers a page of ours makes it send."""

    def __init__(self, address: str, token: str = "", cookie: str = "adapter") -> None:
        super().__init__()
        self.address, self.token = address, token
        self.headers.update({"Accept": "text/html", "Origin": address})
        if token:
            self.cookies.set(cookie, token)

    @property
    def csrf(self) -> str:
        return csrf_token(self.token) if self.token else ""

    def ask(self, method: str, path: str, data: Mapping[str, Any] | None = None, **more: Any) -> requests.Response:
        """One request that follows no redirect; a change brings the token of this session."""
        if method != "GET":
            data = {"csrf": self.csrf} | dict(data or {})
        return self.request(method, self.address + path, data=data, allow_redirects=False, timeout=30, **more)


@dataclass
class Desk:
    """The running service; ``now`` is its time."""

    folder: Path
    app: App
    doors: list[Door]
    address: str = ""
    now: Any = NOW
    enrolled: dict[str, Enrolment] = field(default_factory=dict)

    def enrol(self, name: str, roles: Mapping[str, StaffRole] | None = None) -> Enrolment:
        """Adds somebody as the command does."""
        given = STAFF[name] if roles is None else roles
        self.enrolled[name] = add(self.app.engine, self.app.key, name, given, actor="person:test", now=self.now)
        return self.enrolled[name]

    def code(self, name: str) -> str:
        """What the authenticator app shows; the clock goes on, since no code works twice."""
        self.now += timedelta(seconds=30)
        return TOTP(self.enrolled[name].secret).at(self.now)

    def nobody(self) -> Visitor:
        return Visitor(self.address)

    def sign_in(self, name: str, /, **instead: str) -> tuple[Visitor, requests.Response]:
        """Signs in with what was handed over, or with something else ``instead``."""
        visitor = self.nobody()
        known = self.enrolled.get(name)
        given = {"name": name, "password": known.password if known else "x", "code": self.code(name) if known else "1"}
        answer = visitor.ask("POST", "/sign-in", given | instead)
        visitor.token = visitor.cookies.get("adapter") or ""
        return visitor, answer

    def session_of(self, name: str) -> Visitor:
        """Somebody who has signed in, without the time it takes."""
        token = secrets.token_urlsafe(32)
        with begin(self.app.engine) as connection:
            person = people.by_name(connection, name)
            if person is None:
                person_id = secrets.token_hex(8)
                people.create(connection, person_id, {"name": name, "generation": 1, "created_at": self.now})
                for where, role in STAFF[name].items():
                    people.set_role(connection, person_id, where, role)
            else:
                person_id = person.id
            people.open_session(connection, sha256(token.encode()).hexdigest(), person_id, self.now)
        return Visitor(self.address, token)


def all_doors() -> list[Door]:
    """Every route of the service, for tests that are made from them: of a configuration that turns on all."""
    from tempfile import TemporaryDirectory

    with TemporaryDirectory() as folder:
        oidc = "[web.oidc]\nissuer = 'https://login.example'\nclient_id = 'x'"
        built = build(
            load_settings(configure(Path(folder), f"port = 0\npublic_url = 'https://desk.example'\n{oidc}")),
            Path(folder),
        )
        from adapter.web.app import make_routers

        return doors(
            (route for router in make_routers(built, Pages(built), Service(demo="word")) for route in router.routes),
            ROUTES,
        )


def path_of(door: Door) -> str:
    """An address that the door opens to."""
    return re.sub(r"{(\w+)(:path)?}", lambda part: SAMPLES[part[1]], door.route.path)


def name_of(door: Door) -> str:
    return f"{door.method} {door.route.path}"


def configure(folder: Path, web: str = "port = 0") -> Path:
    """A configuration with two practices."""
    (folder / "secret").write_text(SECRET + "\n")
    ehr = f'kind = "fhir"\nbase_url = "{EHR_BASE}"'
    push = "[practice.push]\nsecret_file = 'secret'\n"
    path = folder / "config.toml"
    path.write_text(
        f"[store]\nurl = 'sqlite:///{folder}/adapter.db'\nkey_file = '{folder}/adapter.key'\n[web]\n{web}\n"
        + practice(HERE, ehr, more=push)
        + practice(ELSEWHERE, ehr, name="High Street Pediatrics")
        + f"[[vendor]]\nclient_id = 'acme-ehr'\npractices = ['{HERE}']\nscopes = ['system/*.rs']\njwks_file = 'jwks'\n"
    )
    return path


@contextmanager
def serving(folder: Path, web: str = "port = 0") -> Iterator[Desk]:
    """Runs the service until the block ends."""
    desk: list[Desk] = []
    built = build(load_settings(configure(folder, web)), folder, clock=lambda: desk[0].now if desk else NOW)
    assert built.engine
    desk.append(Desk(folder, built, []))
    with WebServer(make_app(built), built.settings.web) as server:
        desk[0].address = server.address
        yield desk[0]
