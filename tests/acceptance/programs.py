"""A program that uses the JSON API of a running installation, with a token of its own."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import requests

from adapter.bootstrap import App
from adapter.core.staff import StaffRole
from adapter.jobs.tokens import add
from adapter.web import WebServer, make_app
from tests.acceptance.adapter_cli import Adapter

Json = Any


@dataclass
class Program:
    """One token's view of the API; ``base`` ends in the practice."""

    base: str
    app: App
    session: requests.Session = field(default_factory=requests.Session)

    def ask(self, method: str, path: str, **more: Any) -> requests.Response:
        return self.session.request(method, f"{self.base}/{path}", timeout=30, **more)

    def get(self, path: str, **params: Any) -> Json:
        """What is there, which must be there."""
        answer = self.ask("GET", path, params=params)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def all(self, path: str, limit: int = 3, **params: Any) -> list[Json]:
        """A whole list, page by page."""
        found, cursor = [], None
        while True:
            page = self.get(path, limit=limit, **params, **({"cursor": cursor} if cursor else {}))
            assert len(page["items"]) <= limit
            found += page["items"]
            cursor = page["next"]
            if cursor is None:
                return found


@contextmanager
def programs(site: Adapter) -> Iterator[dict[str, Program]]:
    """Serves the installation; gives a program of each role, and ``nobody``."""
    site.configure(more="[web]\nport = 0\n")
    app = site.app()
    with WebServer(make_app(app), app.settings.web) as server:
        base = f"{server.address}/api/v1/practices/main-street"
        found = {"nobody": Program(base, app)}
        for role in StaffRole:
            token, _ = add(app.engine, str(role), {"main-street": role}, days=1, actor="person:test", now=app.clock())
            found[str(role)] = Program(base, app)
            found[str(role)].session.headers["Authorization"] = f"Bearer {token}"
        yield found
