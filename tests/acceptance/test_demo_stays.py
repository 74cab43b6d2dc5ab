"""``adapter demo`` without ``--once``: it stays up, and an edit in the EHR becomes a Welcome email."""

import re
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.acceptance.adapter_cli import in_process
from tests.acceptance.test_demo import command, run, surroundings


class Running:
    """The demo as another process, and what it has said so far."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process
        self._lines: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def said(self) -> str:
        """As one line, so that wrapping does not matter."""
        return " ".join("".join(self._lines).split())

    def wait_for(self, pattern: str, seconds: float) -> re.Match[str]:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if found := re.search(pattern, self.said):
                return found
            assert self.process.poll() is None, self.said
            time.sleep(0.05)
        raise AssertionError(f"it never said {pattern!r}:\n{self.said}")

    def _read(self) -> None:
        assert self.process.stdout is not None
        self._lines.extend(self.process.stdout)


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    with subprocess.Popen(
        command("--families", "1"),
        cwd=tmp_path,
        env=surroundings(PYTHONUNBUFFERED="1"),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        try:
            yield Running(process)
        finally:
            process.kill()


def test_an_edit_in_the_ehr_is_followed_until_it_is_stopped(running: Running, tmp_path: Path) -> None:
    row = running.wait_for(r"row=(\S+)", 40)[1]
    running.wait_for("what happens is told here", 10)
    contact = requests.get(row, timeout=5).json()
    assert contact["extension"][0]["valueCode"] == "none"
    contact["extension"][0]["valueCode"] = "joint"
    assert requests.put(row, json=contact, timeout=5).status_code == 200
    running.wait_for(r"incremental · complete Read [^·]* 1 charts? opened", 30)
    running.wait_for("New mail to omar.haddad@mail.example", 30)

    found = running.wait_for(r"register as Grace Okafor: open the link and answer with (\d+)-(\d+)-(\d+)\. (\S+)", 5)
    year, month, day, link = found.groups()
    page, token = link.split("?token=")
    assert "Date of birth of one of your children" in requests.get(link, timeout=5).text
    answer = {"token": token, "year": year, "month": month, "day": day}
    assert "Your account is ready" in requests.post(page, data=answer, timeout=5).text

    config = str(tmp_path / "demo" / "config.toml")
    assert " registered " in in_process(["--config", config, "accounts", "grace.okafor@mail.example"]).out
    told = in_process(["--config", config, "explain", "omar.haddad@mail.example"])
    assert "The Welcome email to Omar Haddad was sent" in " ".join(told.out.split())
    second = run("--once", "--folder", "demo", cwd=tmp_path)
    assert (second.returncode, second.stdout) == (1, "")
    assert "A demo is running in demo already" in second.stderr

    running.process.send_signal(signal.SIGTERM)
    assert running.process.wait(timeout=20) == 0
    port = int(re.findall(r":(\d+)/", row)[0])
    with socket.socket() as caller:
        assert caller.connect_ex(("127.0.0.1", port)) != 0
    assert running.said.endswith("Stopped. demo keeps the configuration and the database.")


def test_a_signal_in_the_middle_of_the_story_leaves_nothing_behind(tmp_path: Path) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    with subprocess.Popen(
        command("--once", "--families", "400"),
        cwd=tmp_path,
        env=surroundings(PYTHONUNBUFFERED="1", TMPDIR=str(temporary)),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        story = Running(process)
        story.wait_for("adapter deliver", 40)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=20) == 1
    assert list(temporary.iterdir()) == []
    assert "Traceback" not in story.said
