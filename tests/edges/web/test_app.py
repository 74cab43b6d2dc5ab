"""The door itself: health proven by work, guards on every answer, settings that are refused."""

import http.client
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests

from adapter.errors import ConfigError, FatalError
from adapter.settings import WebSettings, load_settings
from adapter.store import runs
from adapter.store.engine import begin
from adapter.web import WebServer, make_app
from adapter.web.headers import SECURITY_HEADERS
from tests.edges.web.door import HERE, NOW, Door, configure, serving


@pytest.fixture
def door(tmp_path: Path) -> Iterator[Door]:
    with serving(tmp_path) as found:
        yield found


def _get(door: Door, path: str, **headers: str) -> requests.Response:
    return requests.get(door.address + path, headers=headers, timeout=10)


def _run(door: Door, kind: str, status: str, *, ended: datetime = NOW) -> None:
    with begin(door.app.engine) as connection:
        number = runs.start(connection, HERE, kind, ended - timedelta(minutes=1))
        runs.finish(connection, number, status=status, plan_hash=None, report={}, now=ended)


def test_health_is_the_age_of_the_last_complete_run(door: Door) -> None:
    assert _get(door, "/healthz").status_code == 503
    _run(door, "incremental", "complete")
    door.now = NOW + timedelta(minutes=60)
    answer = _get(door, "/healthz")
    practice = {
        "practice": HERE,
        "ok": True,
        "last_complete_run": "2026-06-01T12:00:00+00:00",
        "minutes_ago": 60,
        "notifications_waiting": 0,
    }
    assert (answer.status_code, answer.json()) == (200, {"status": "ok", "practices": [practice]})
    door.now = NOW + timedelta(minutes=61)
    assert _get(door, "/healthz").status_code == 503


@pytest.mark.parametrize(
    ("kind", "status", "healthy"),
    [
        ("full", "complete", True),
        ("full", "held", True),
        ("incremental", "incomplete", False),
        ("incremental", "failed", False),
        ("person", "complete", False),
        ("review", "complete", False),
    ],
)
def test_only_a_complete_look_at_the_whole_practice_is_health(
    door: Door, kind: str, status: str, healthy: bool
) -> None:
    _run(door, kind, status)
    assert _get(door, "/healthz").json()["practices"][0]["ok"] == healthy


def test_ready_means_that_the_database_answers(door: Door) -> None:
    assert _get(door, "/readyz").json() == {"status": "ready"}
    with begin(door.app.engine) as connection:
        connection.exec_driver_sql("DROP TABLE nudge")
    broken = _get(door, "/healthz")
    assert (broken.status_code, broken.json()["error"]) == (503, "The database does not answer.")


def test_the_names_in_a_notification_do_not_show_in_its_health(door: Door) -> None:
    assert door.notify("/Patient/canary-p1", method="PUT").status_code == 200
    answer = _get(door, "/healthz")
    assert answer.json()["practices"][0]["notifications_waiting"] == 1 and "canary" not in answer.text


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/nothing", f"/notify/{HERE}", "/docs", "/openapi.json"])
def test_every_answer_carries_the_security_headers(door: Door, path: str) -> None:
    answer = _get(door, path)
    assert {name: answer.headers.get(name) for name in SECURITY_HEADERS} == SECURITY_HEADERS
    assert "server" not in answer.headers


def test_an_answer_that_breaks_carries_them_too_and_tells_nothing(tmp_path: Path) -> None:
    def broken() -> datetime:
        raise RuntimeError("Canary")

    with serving(tmp_path) as door, WebServer(make_app(replace(door.app, clock=broken)), WebSettings(port=0)) as server:
        for accept, told in (
            ("*/*", '{"error":"Something went wrong here."}'),
            ("text/html", "Something went wrong here."),
        ):
            answer = requests.get(f"{server.address}/sign-in", headers={"Accept": accept}, timeout=10)
            assert (answer.status_code, answer.text) == (500, told)
            assert {name: answer.headers.get(name) for name in SECURITY_HEADERS} == SECURITY_HEADERS


@pytest.mark.parametrize("path", ["/docs", "/redoc", "/openapi.json", "/healthz/", "/p", "/p/"])
def test_there_are_no_other_pages(door: Door, path: str) -> None:
    answer = _get(door, path)
    assert (answer.status_code, answer.json()) == (404, {"error": "Not Found"})


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "localhost@evil.example", "", "x localhost"]
)
def test_a_host_that_is_not_ours_is_refused(door: Door, host: str) -> None:
    assert _status(door, host) == 400


@pytest.mark.parametrize(
    "host", ["localhost", "127.0.0.1:80", "[::1]:9", "LOCALHOST", "adapter.example", "push.example"]
)
def test_our_own_names_are_answered(tmp_path: Path, host: str) -> None:
    push = "secret_file = 'secret'\npublic_url = 'https://push.example:8443/x'"
    with serving(tmp_path, push=push, web="port = 0\nallowed_hosts = ['adapter.example']") as door:
        assert _status(door, host) == 200


def _status(door: Door, host: str) -> int:
    connection = http.client.HTTPConnection(urlsplit(door.address).netloc, timeout=10)
    connection.putrequest("GET", "/readyz", skip_host=True)
    connection.putheader("Host", host)
    connection.endheaders()
    status = connection.getresponse().status
    connection.close()
    return status


def test_a_port_that_is_taken_is_told_in_one_line(door: Door) -> None:
    port = urlsplit(door.address).port or 0
    with pytest.raises(FatalError, match=f"cannot listen on 127.0.0.1, port {port}.*web.port"):
        WebServer(make_app(door.app), WebSettings(port=port)).__enter__()
    with pytest.raises(FatalError, match="not an address of this machine"):
        WebServer(make_app(door.app), WebSettings(host="256.0.0.1")).__enter__()


def test_a_secret_is_made_on_first_use_and_stays(tmp_path: Path) -> None:
    path = configure(tmp_path, push="secret_file = 'var/deep/push'")
    (push,) = [practice.push for practice in load_settings(path).practice]
    assert push is not None
    made = push.header_value.get_secret_value()
    assert push.header_value.get_secret_value() == made and len(made) > 40
    file = tmp_path / "var/deep/push"
    assert file.stat().st_mode & 0o777 == 0o600 and made == f"Bearer {file.read_text().strip()}"
    assert [one.name for one in file.parent.iterdir()] == ["push"] and made not in repr(push)


@pytest.mark.parametrize("secret", ["", "short", "x" * 23, "has blanks in it, is too plain", "colon:" * 6, "é" * 30])
def test_a_weak_secret_is_refused_without_being_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, secret: str
) -> None:
    monkeypatch.setenv("PUSH_SECRET", secret)
    path = configure(tmp_path, push="secret_env = 'PUSH_SECRET'")
    (push,) = [practice.push for practice in load_settings(path).practice]
    assert push is not None
    with pytest.raises(ConfigError, match="PUSH_SECRET") as caught:
        push.header_value  # noqa: B018  # reading it is the test
    assert not secret or secret not in str(caught.value)


@pytest.mark.parametrize(
    ("push", "says"),
    [
        ("", "either secret_env or secret_file"),
        ("secret_env = 'A'\nsecret_file = 'b'", "either secret_env or secret_file"),
        ("secret_env = 'A'\nheader = 'Host'", "name of a header"),
        ("secret_env = 'A'\nheader = 'X Y'", "name of a header"),
        ("secret_env = 'A'\npublic_url = 'http://adapter.example'", "https://"),
        ("secret_env = 'A'\npayload = 'id-only'", "payload"),
        ("secret = 'inline'", "not a known key"),
    ],
)
def test_a_push_table_that_makes_no_sense_is_a_fault(tmp_path: Path, push: str, says: str) -> None:
    path = configure(tmp_path, push=push or "header = 'Authorization'")
    with pytest.raises(ConfigError, match=says):
        load_settings(path)


def test_push_needs_an_ehr_that_can(tmp_path: Path) -> None:
    path = configure(tmp_path)
    path.write_text(path.read_text().replace('kind = "fhir"', 'kind = "files"').replace("base_url", "path"))
    with pytest.raises(ConfigError, match="a folder of files notifies nobody"):
        load_settings(path)
