"""The web application on a real server of this machine, for one practice with a secret."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import requests

from adapter.bootstrap import App, build
from adapter.settings import load_settings
from adapter.store import nudges
from adapter.store.engine import begin, read
from adapter.web import WebServer, make_app
from tests.acceptance.adapter_cli import practice

HERE = "main-street"
SECRET = "canary-secret-0123456789-abc"
NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
EHR_BASE = "http://127.0.0.1:9/fhir"


@dataclass
class Door:
    """The running server; ``now`` is the practice's time."""

    app: App
    address: str = ""
    now: datetime = NOW
    session: requests.Session = field(default_factory=requests.Session)

    def notify(
        self, rest: str = "", *, method: str = "POST", secret: str | None = SECRET, **more: Any
    ) -> requests.Response:
        """One notification; ``rest`` stands behind the endpoint."""
        headers = more.pop("headers", {})
        if secret is not None:
            headers = {"Authorization": f"Bearer {secret}"} | headers
        address = f"{self.address}/notify/{HERE}{rest}"
        return self.session.request(method, address, headers=headers, timeout=30, **more)

    def waiting(self, practice: str = HERE) -> dict[str, bool]:
        """Every nudge that is due, and whether it is about a deletion; they are taken."""
        with begin(self.app.engine) as connection:
            found = nudges.claim(connection, practice, owner="test", now=self.now, limit=10_000)
            nudges.done(connection, practice, [one.ref for one in found], owner="test")
        return {one.ref: one.deleted for one in found}

    def count(self) -> int:
        with read(self.app.engine) as connection:
            return nudges.waiting(connection, HERE)


def configure(folder: Path, *, push: str = "secret_file = 'secret'", store: str = "", web: str = "port = 0") -> Path:
    """A configuration with one practice that reads a FHIR server which is not there."""
    (folder / "secret").write_text(SECRET + "\n")
    tables = f"[store]\nurl = '{store or f'sqlite:///{folder}/adapter.db'}'\n[web]\n{web}\n"
    more = f"[practice.push]\n{push}\n" if push else ""
    path = folder / "config.toml"
    path.write_text(tables + practice(HERE, f'kind = "fhir"\nbase_url = "{EHR_BASE}"', more=more))
    return path


@contextmanager
def serving(folder: Path, **config: str) -> Iterator[Door]:
    """Runs the application until the block ends."""
    door: list[Door] = []
    built = build(load_settings(configure(folder, **config)), folder, clock=lambda: door[0].now if door else NOW)
    assert built.engine
    door.append(Door(built))
    with WebServer(make_app(built), built.settings.web) as server:
        door[0].address = server.address
        yield door[0]
