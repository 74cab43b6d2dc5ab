"""``adapter demo --once``: a newcomer reads the whole story, and what it says is true."""

import os
import pty
import re
import socket
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len

from adapter.bootstrap import build
from adapter.core.publication import WAIT_SENTENCE
from adapter.core.state import WidgetState
from adapter.settings import load_settings
from adapter.store import findings, runs, views, widgets
from adapter.store.engine import read
from tests.acceptance.adapter_cli import ROOT, opens

PRACTICE = "main-street"
IMANI, MATS = "imani.osei@mail.example", "mats.lindgren@post.example"
RESULTS = {
    "Okafor": (1, "2 of 2", []),
    "Lindgren": (2, "1 of 1", []),
    "Haddad": (0, "0 of 1", ["authority-unknown", "authority-none"]),
    "Moreau": (0, "0 of 1", ["email-missing", "email-invalid"]),
    "Osei": (0, "0 of 2", ["role-self", "email-missing"]),
    "Whitfield": (1, "1 of 2", ["role-self"]),
    "Abernathy": (2, "3 of 3", []),
    "Novak": (2, "2 of 2", []),
    "Castellano": (1, "1 of 1", ["authority-conflict"]),
    "Brandt": (0, "0 of 1", ["authority-conflict"]),
    "Petrov": (1, "2 of 2", []),
    "Dubois": (1, "1 of 2", ["shared-email"]),
    "Iyer": (0, "0 of 1", ["shared-email"]),
    "Sorensen": (1, "1 of 2", ["dependent-is-adult"]),
    "Mbeki": (1, "1 of 1", ["contact-inactive", "contact-ended"]),
    "Ferreira": (1, "1 of 3", ["patient-merged", "patient-deceased"]),
    "Ramirez": (1, "1 of 1", ["role-unknown"]),
}
"""By family: accounts, charts that are open, and the rules that kept others out; by hand, from the rules."""


def command(*arguments: str | Path) -> list[str]:
    return [sys.executable, "-m", "adapter", "demo", *map(str, arguments)]


def surroundings(**more: str) -> dict[str, str]:
    unwanted = ("ADAPTER_CONFIG", "ADAPTER_DEBUG", "FORCE_COLOR", "NO_COLOR")
    kept = {key: value for key, value in os.environ.items() if key not in unwanted}
    return kept | {"PYTHONPATH": str(ROOT), "COLUMNS": "80", "LINES": "24"} | more


def run(*arguments: str | Path, cwd: Path, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*arguments), cwd=cwd, env=surroundings(**more), capture_output=True, text=True, timeout=60, check=False
    )


@dataclass(frozen=True)
class Told:
    """The output of one demo, and its database as it was left."""

    process: subprocess.CompletedProcess[str]
    folder: Path

    @property
    def text(self) -> str:
        """The output as one line, so that wrapping does not matter."""
        return " ".join(self.process.stdout.split())

    def part(self, number: int) -> str:
        """One step of the story, as lines."""
        parts = re.split(r"(?m)^\d  .* ─+$", self.process.stdout)
        return parts[number]

    def stored(self) -> dict[str, Any]:
        app = build(load_settings(self.folder / "config.toml"), self.folder)
        with read(app.engine) as connection:
            stored = {
                "accounts": {one["email"]: one for one in views.accounts(connection, [PRACTICE])},
                "runs": runs.listing(connection, [PRACTICE])[::-1],
                "findings": findings.listing(connection, [PRACTICE]),
                "widget": widgets.latest(connection, PRACTICE),
            }
        app.engine.dispose()
        return stored


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Told:
    here = tmp_path_factory.mktemp("demo")
    return Told(run("--once", "--folder", "shown", "--families", "30", cwd=here), here / "shown")


def test_it_ends_by_itself_and_reads_well_in_a_narrow_window(told: Told) -> None:
    assert (told.process.returncode, told.process.stderr) == (0, "")
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f]", told.process.stdout), "control characters without a terminal"
    assert max(map(cell_len, told.process.stdout.splitlines())) <= 80
    assert re.findall(r"(?m)^(\d)  \S.* ─+$", told.process.stdout) == list("1234567")


def test_the_table_says_of_each_family_what_the_rules_promise(told: Told) -> None:
    lines = told.part(2).splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("family "))
    where = lines[start].index("left out because")
    shown: dict[str, tuple[int, str, list[str]]] = {}
    for line in lines[start + 1 :]:
        if not line.strip():
            break
        why = line[where:].split()
        if line.startswith(" "):
            shown[list(shown)[-1]][2].extend(why)
            continue
        accounts, charts = re.findall(r"(\d+|-)  (\d+ of \d+)", line[:where])[0]
        shown[line.split()[0]] = (0 if accounts == "-" else int(accounts), charts, why)
    assert shown == RESULTS


def test_the_numbers_it_tells_are_those_of_the_database(told: Told) -> None:
    stored = told.stored()
    first, second = stored["runs"]
    accounts = stored["accounts"].values()
    invited = [one for one in accounts if one["welcome"]["sent_count"]]
    assert f"Its EHR has {first['read']['resources']} records of 30 families" in told.text
    assert f"Released {first['held']['welcome']} Welcome emails." in told.text
    assert f"{first['held']['welcome']} mails arrived" in told.text
    assert f"{len(invited)} Welcome emails left, each once." in told.text
    assert all(one["welcome"]["sent_count"] == 1 for one in invited)
    able = [one for one in accounts if any(chart["state"] == "active" for chart in one["dependents"])]
    assert f"{first['read']['resources']} records became {len(able)} accounts that may open a chart." in told.text
    assert f"{len(stored['findings'])} findings wait for staff" in told.text
    assert Counter(one["code"] for one in stored["findings"]) == second["findings"]


def test_the_parent_whose_only_row_is_self_is_explained_with_the_remedy(told: Told) -> None:
    part = " ".join(told.part(3).split())
    assert f"$ adapter explain {IMANI}" in part
    assert "Imani Osei did not get the Welcome email because the entry in" in part
    assert "change the Role/Reason from Self to Other Relative" in part
    assert "✗ The Role/Reason is Self." in part


def test_the_mail_it_shows_keeps_its_link_to_itself(told: Told) -> None:
    assert "To: Grace Okafor <grace.okafor@mail.example>" in told.text
    assert re.search(r"register/main-street\?token=[\w-]{4}…", told.process.stdout)
    assert not re.search(r"token=[\w-]{5}", told.process.stdout)


def test_the_widget_is_pending_first_and_live_once_it_was_read_back(told: Told) -> None:
    part = " ".join(told.part(5).split())
    page = "InstaMed “Pay your bill”, revision 1"
    order = [f"pending {page}", WAIT_SENTENCE, "moves its own clock", f"live {page}"]
    places = [part.index(words) for words in order]
    assert places == sorted(places)
    latest = told.stored()["widget"]
    assert latest.state is WidgetState.LIVE
    assert latest.live_at > latest.accepted_at


def test_the_changes_in_the_ehr_reach_exactly_the_two_families(told: Told) -> None:
    stored = told.stored()
    _, second = stored["runs"]
    assert (second["kind"], second["status"], second["read"]["resources"]) == ("incremental", "complete", 3)
    assert opens(stored["accounts"][IMANI]) == {"osei-imani": "active self", "osei-kofi": "active"}
    assert stored["accounts"][IMANI]["welcome"]["status"] == "sent"
    assert opens(stored["accounts"][MATS]) == {"lindgren-elsa": "ended authority-none"}
    part = " ".join(told.part(6).split())
    assert "those that changed: 3." in part
    assert f"New mail to {IMANI}: Your Main Street Pediatrics portal account is ready" in part
    assert re.search(rf"{MATS} close chart \S+ Lindgren \(Patient/lindgren-elsa\): the Authority is None", part)


def test_the_story_lies_in_the_past_when_it_ends(told: Told) -> None:
    times = [run["finished_at"] for run in told.stored()["runs"]]
    assert times == sorted(times)
    assert told.stored()["widget"].live_at.timestamp() < (told.folder / "var" / "adapter.db").stat().st_mtime + 1


def test_no_port_is_left_open(told: Told) -> None:
    ports = [int(port) for port in re.findall(r"127\.0\.0\.1:(\d+)", told.part(1))]
    assert len(ports) == 2
    for port in ports:
        with socket.socket() as caller:
            assert caller.connect_ex(("127.0.0.1", port)) != 0


def test_it_leaves_neither_files_nor_the_users_own_ones_changed(tmp_path: Path) -> None:
    home, temporary = tmp_path / "home", tmp_path / "temporary"
    for folder in (home / "var", temporary):
        folder.mkdir(parents=True)
    (home / "config.toml").write_text("mine")
    (home / "var" / "adapter.db").write_text("mine too")
    done = run("--once", "--families", "1", cwd=home, TMPDIR=str(temporary))
    assert done.returncode == 0, done.stderr
    assert list(temporary.iterdir()) == []
    files = {str(path.relative_to(home)): path.read_text() for path in home.rglob("*") if path.is_file()}
    assert files == {"config.toml": "mine", "var/adapter.db": "mine too"}


def test_a_folder_with_other_files_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "config.toml").write_text("mine")
    done = run("--once", "--folder", "notes", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert "notes holds other files" in done.stderr
    assert [path.name for path in (tmp_path / "notes").iterdir()] == ["config.toml"]


def test_a_second_demo_starts_anew_in_the_folder_of_the_first(told: Told) -> None:
    before = told.stored()["accounts"]
    again = run("--once", "--folder", told.folder.name, "--families", "30", cwd=told.folder.parent)
    assert again.returncode == 0, again.stderr
    assert told.stored()["accounts"].keys() == before.keys()
    assert [one["run"] for one in told.stored()["runs"]] == [1, 2]


def test_a_port_in_use_is_one_clear_line(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = run("--once", "--port", str(port), cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith(f"Port {port} is in use")


def test_a_terminal_sees_a_progress_bar(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        command("--once", "--families", "1"),
        cwd=tmp_path,
        env=surroundings(TERM="xterm-256color"),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    ) as process:
        os.close(theirs)
        seen = b"".join(iter(lambda: _drawn(ours), b""))
    os.close(ours)
    assert process.returncode == 0
    assert re.search(r"main-street: Patients *\x1b\[[\d;]*m[━╸╺ ]", seen.decode()), "no bar was drawn"


def _drawn(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # how Linux says that the other end is closed
        return b""
