"""The door of the service at the command line: switched off, a port that is taken, a secret that is not there."""

import socket
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from tests.acceptance.adapter_cli import Adapter, practice
from tests.acceptance.push_site import HERE, free_port, push_tables, quiet_service

FILES = 'kind = "files"\npath = "ehr"'
AWAY = 'kind = "fhir"\nbase_url = "http://127.0.0.1:9/fhir"'


def _configure(adapter: Adapter, web: str, *, ehr: str = FILES, more: str = "") -> None:
    adapter.config.write_text(f"[web]\n{web}\n{practice(HERE, ehr, more=more)}")


def _status(port: int, path: str) -> int:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def test_health_follows_the_first_sync_of_the_running_service(adapter: Adapter) -> None:
    port = free_port()
    _configure(adapter, f"port = {port}")
    with quiet_service(adapter) as service:
        assert _status(port, "/readyz") == 200
        service.wait(lambda: _status(port, "/healthz") == 200)
        assert any(f"Listening on http://127.0.0.1:{port}" in line for line in service.lines)
        assert service.stop() < 10


def test_switched_off_it_does_not_listen(adapter: Adapter) -> None:
    port = free_port()
    _configure(adapter, f"enabled = false\nport = {port}")
    with quiet_service(adapter) as service:
        with pytest.raises(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port), timeout=5):
            pass
        assert not any("Listening" in line for line in service.lines)
        service.stop()


def test_a_port_that_is_taken_ends_it_before_anything_runs(adapter: Adapter) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        _configure(adapter, f"port = {taken.getsockname()[1]}")
        done = adapter.process("run")
    assert done.returncode == 1 and "web.port" in done.stderr and done.stderr.count("\n") == 1
    assert adapter.json("runs") == []


def test_a_secret_that_is_not_there_is_a_fault_of_the_configuration(adapter: Adapter) -> None:
    _configure(adapter, "port = 0", ehr=AWAY, more='[practice.push]\nsecret_env = "NOT_SET_ANYWHERE"\n')
    done = adapter.process("run")
    assert done.returncode == 2 and "NOT_SET_ANYWHERE" in done.stderr


def test_check_says_what_to_do_and_never_the_secret(adapter: Adapter, tmp_path: Path) -> None:
    _configure(adapter, "port = 0", ehr=AWAY, more='[practice.push]\nsecret_file = "var/push"\n')
    done = adapter.run("check", "--subscribe")
    assert done.code == 1 and "public_url is missing" in done.out
    assert (adapter.folder / "var/push").read_text().strip() not in done.out + done.err
    assert adapter.run("check", "--subscribe", "--unsubscribe").code == 2
    _configure(adapter, "port = 0", more="")
    assert "there is no [practice.push] table" in adapter.run("check", "--subscribe").out
    _configure(adapter, "port = 0", ehr=AWAY, more=push_tables("https://adapter.example/door/"))
    assert "https://adapter.example/door/notify/main-street" in adapter.run("check", "--json").out
