"""Signing in to a FHIR server nobody here wrote (sekmet-fhir): every way gives the accounts of the files.

It checks assertions as SMART Backend Services asks (signature, audience, five minutes, each once), and scopes at every
request.
"""

import io
import json
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests
import structlog

from adapter.bootstrap import App
from adapter.jobs.run import Request
from adapter.jobs.sync import sync
from adapter.logs import configure_logs
from adapter.sandbox.charts import ROLE_CODE, Resource
from tests.acceptance.adapter_cli import Adapter, comparable, opens
from tests.acceptance.sekmet import Sekmet, running_sekmet

CLIENT = "adapter-at-main-street"
SECRET = "canary-client-secret"
PASSWORD = "canary-password"
TOKEN = "canary-fixed-token"
READ = "system/Patient.rs system/RelatedPerson.rs"
SERVER = """
server_auth:
  types: [smart, basic, bearer]
  users: {{loader: load-it, reader: {password}}}
  tokens: [{token}]
  token_lifetime: {lifetime}
  smart_clients:
    - {{client_id: {client}, scopes: "{scopes}", client_secret: {secret}, jwks: {jwks}}}
"""
SMART = f'auth = "smart"\nclient_id = "{CLIENT}"\nprivate_key_file = "var/ehr.pem"'
BY_SECRET = f'auth = "client_secret"\nclient_id = "{CLIENT}"\nclient_secret_file = "secret"\nclient_auth = '
WAYS = {
    "smart": SMART,
    "client_secret_basic": f'{BY_SECRET}"client_secret_basic"',
    "client_secret_post": f'{BY_SECRET}"client_secret_post"',
    "basic": 'auth = "basic"\nusername = "reader"\npassword_file = "password"',
    "bearer": 'auth = "bearer"\ntoken_file = "token"',
}


class Site:
    """An installation that signs in, and the server it signs in to."""

    def __init__(self, folder: Path, families: list[Resource]) -> None:
        self.folder, self.families = folder, families
        self.adapter = Adapter(folder / "site", policy="hold_first_welcome = false")
        for name, secret in (("secret", SECRET), ("password", PASSWORD), ("token", TOKEN)):
            (self.adapter.folder / name).write_text(f"{secret}\n")
        self.jwks: Any = {"keys": []}

    def reads(self, base_url: str, lines: str) -> None:
        self.adapter.configure(ehr=f'kind = "fhir"\nbase_url = "{base_url}"\npage_size = 5\n{lines}')

    def make_key(self, algorithm: str) -> None:
        """As the practice does before its EHR knows it."""
        self.reads("https://ehr.example/fhir", SMART)
        done = self.adapter.run("check", "--new-key", "--alg", algorithm)
        assert done.code == 0, done.err
        self.jwks = done.document

    @contextmanager
    def server(self, lines: str = SMART, *, scopes: str = READ, lifetime: int = 300) -> Iterator[Sekmet]:
        """The server with the story's families, and the installation configured to read it."""
        more = SERVER.format(
            password=PASSWORD,
            token=TOKEN,
            lifetime=lifetime,
            client=CLIENT,
            scopes=scopes,
            secret=SECRET,
            jwks=json.dumps(self.jwks),
        )
        with running_sekmet(self.folder / "sekmet", more=more) as sekmet:
            sekmet.session.auth = ("loader", "load-it")
            assert all(sekmet.put(resource) for resource in self.families)
            self.reads(sekmet.base_url, lines)
            yield sekmet


@pytest.fixture
def site(tmp_path: Path, families: list[Resource]) -> Site:
    return Site(tmp_path, families)


def lines_of(adapter: Adapter) -> dict[str, Any]:
    """What ``adapter check`` says, by what it is about."""
    done = adapter.run("check", "--json")
    return {one["what"].removeprefix("main-street: "): one for one in done.document["checks"]}


def stranger(server: str) -> int:
    """The status a reader without a name gets."""
    return requests.get(f"{server}/Patient", timeout=20).status_code


@pytest.mark.parametrize("algorithm", ["RS384", "ES384"])
def test_backend_services_give_the_accounts_of_the_files_and_edits_arrive(
    site: Site, story_adapter: Adapter, algorithm: str
) -> None:
    site.make_key(algorithm)
    with site.server() as sekmet:
        assert stranger(sekmet.base_url) == 401
        told = lines_of(site.adapter)
        assert told["EHR sign-in"]["detail"] == "SMART Backend Services: a token for 300 s"
        assert told["EHR scopes"]["detail"] == f"granted: {READ} (needed: {READ})"
        assert site.adapter.sync()["problems"] == []
        assert comparable(site.adapter.accounts()) == comparable(story_adapter.accounts())

        self_row = next(one for one in site.families if one["id"] == "whitfield-erin-self")
        relative = {"coding": [{"system": ROLE_CODE, "code": "EXT"}], "text": "Other Relative"}
        assert sekmet.put(self_row | {"relationship": [relative]})
        assert site.adapter.sync()["kind"] == "incremental"
        erin = site.adapter.account("erin.whitfield@mail.example")
        assert opens(erin) == {"whitfield-erin": "active self", "whitfield-max": "active"}


@pytest.mark.parametrize("way", [way for way in WAYS if way != "smart"])
def test_every_other_way_gives_the_same_accounts(site: Site, story_adapter: Adapter, way: str) -> None:
    with site.server(WAYS[way]):
        assert lines_of(site.adapter)["EHR sign-in"]["ok"]
        assert site.adapter.sync()["problems"] == []
        assert comparable(site.adapter.accounts()) == comparable(story_adapter.accounts())


def test_a_service_outlives_its_tokens(site: Site, story_adapter: Adapter) -> None:
    site.make_key("ES384")
    with site.server(lifetime=3):
        app = site.adapter.app()
        assert _sync(app)["problems"] == []
        time.sleep(4.1)  # the server's own clock decides when a token has ended
        assert _sync(app)["problems"] == []
        app.engine.dispose()
        assert comparable(site.adapter.accounts()) == comparable(story_adapter.accounts())
    log = (site.folder / "sekmet" / "log").read_text()
    assert 'HTTP/1.1" 401' in log, "no token had ended: the test shows nothing"
    assert log.count('POST /auth/token HTTP/1.1" 200') >= 2


def test_a_scope_too_few_is_refused_before_anything_is_read(site: Site) -> None:
    site.make_key("ES384")
    with site.server(scopes="system/Patient.rs") as sekmet:
        done = site.adapter.run("sync", "--json")
        assert done.code == 1
        assert done.document["status"] == "incomplete"
        assert done.document["read"]["resources"] == 0
        [problem] = done.document["problems"]
        assert "does not allow system/RelatedPerson.rs (granted: system/Patient.rs)" in problem
        line = lines_of(site.adapter)["EHR sign-in"]
        assert not line["ok"] and "does not allow system/RelatedPerson.rs" in line["detail"]
        assert site.adapter.accounts() == []
    asked = (site.folder / "sekmet" / "log").read_text()
    assert sekmet.base_url and '"GET /fhir/Patient' not in asked and '"GET /fhir/RelatedPerson' not in asked


def test_a_key_that_is_not_registered_is_refused_in_one_sentence(site: Site) -> None:
    site.make_key("ES384")
    (site.adapter.folder / "var" / "ehr.pem").unlink()
    registered = site.jwks
    site.make_key("ES384")
    site.jwks = registered
    with site.server():
        done = site.adapter.run("sync")
    assert done.code == 1
    assert "answered 401 (invalid_client). The EHR does not know this client" in " ".join(done.out.split())
    assert "Traceback" not in done.err


@pytest.mark.parametrize("way", WAYS)
def test_no_key_token_or_secret_leaves_by_an_output_a_log_or_a_file(site: Site, way: str) -> None:
    site.make_key("RS384")
    key = (site.adapter.folder / "var" / "ehr.pem").read_text()
    with site.server(WAYS[way]) as sekmet:
        outputs = [site.adapter.run(*command) for command in (["check"], ["plan"], ["sync"], ["runs", "--json"])]
        app = site.adapter.app()
        log = everything_logged(lambda: _sync(app))
        app.engine.dispose()
        (site.adapter.folder / "secret").write_text("canary-client-secret-that-is-wrong")
        (site.adapter.folder / "password").write_text("canary-password-that-is-wrong")
        (site.adapter.folder / "token").write_text("canary-fixed-token-that-is-wrong")
        sekmet.session.close()
        outputs += [site.adapter.run(*command) for command in (["check"], ["sync", "--full"], ["runs", "--json"])]
    assert "library" in log, "nothing was logged by the libraries: the test shows nothing"
    heard = log + "".join(done.out + done.err for done in outputs)
    kept = b"".join(path.read_bytes() for path in (site.adapter.folder / "var").rglob("*") if _is_kept(path))
    secrets = ["canary", "eyJ", "Basic ", *(line for line in key.splitlines() if not line.startswith("-----"))]
    assert [secret for secret in secrets if secret in heard] == []
    assert [secret for secret in secrets if secret.encode() in kept] == []


def _is_kept(path: Path) -> bool:
    return path.is_file() and path.name != "ehr.pem"


def _sync(app: App) -> dict[str, Any]:
    practice = app.practices["main-street"]
    return sync(app.engine, practice, Request(full=True), clock=app.clock, progress=lambda *_: None)


def everything_logged(do: Callable[[], object]) -> str:
    """What is logged meanwhile, at every level, the libraries' too."""
    root, stream = logging.getLogger(), io.StringIO()
    before = (root.handlers[:], root.level, logging.raiseExceptions)
    configure_logs(practices=["main-street"], level="debug", stream=stream)
    root.setLevel(logging.DEBUG)
    try:
        do()
    finally:
        root.handlers[:], root.level, logging.raiseExceptions = before
        logging.captureWarnings(False)
        structlog.reset_defaults()
    return stream.getvalue()
