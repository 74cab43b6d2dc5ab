"""What goes wrong around the adapter (database, disk, terminal): one clear line, and nothing half-done."""

import signal
import sqlite3
import time

import pytest

from adapter.sandbox.charts import Resource
from tests.acceptance.adapter_cli import Adapter, Done, practice
from tests.acceptance.bad_records import chart, mother

FILES = 'kind = "files"\npath = "ehr"'
PASSWORD = "correct-horse-battery"


def _one_line(done: Done) -> str:
    assert done.code == 1 and done.out == "" and "Traceback" not in done.err
    (line,) = done.err.splitlines()
    return line


def test_a_database_that_cannot_be_reached_is_one_line_without_the_password(adapter: Adapter) -> None:
    url = f"postgresql+psycopg://adapter:{PASSWORD}@127.0.0.1:1/adapter"
    adapter.config.write_text(f'[store]\nurl = "{url}"\n' + practice("main-street", FILES))
    for command in ("sync", "accounts", "migrate"):
        line = _one_line(adapter.run(command))
        assert "store.url" in line and PASSWORD not in line
    checked = adapter.run("check", "--json")
    assert checked.code == 1 and PASSWORD not in checked.out
    assert "database" in [line["what"] for line in checked.document["checks"] if not line["ok"]]


def test_a_database_that_cannot_be_written_is_one_line(adapter: Adapter) -> None:
    (adapter.folder / "var").write_text("a file where the folder should be")
    line = _one_line(adapter.run("sync"))
    assert "cannot be written" in line and "permissions" in line


def test_a_file_that_is_no_database_is_one_line(adapter: Adapter) -> None:
    (adapter.folder / "var").mkdir()
    (adapter.folder / "var" / "adapter.db").write_bytes(b"not a database, certainly" * 100)
    assert "adapter.db" in _one_line(adapter.run("sync"))


def test_a_database_of_an_older_version_asks_for_migrate(story_adapter: Adapter) -> None:
    database = story_adapter.folder / "var" / "adapter.db"
    with sqlite3.connect(database) as connection:
        connection.execute("UPDATE alembic_version SET version_num = 'before'")
    assert story_adapter.run("sync").code == 1


def test_a_mail_folder_that_cannot_be_written_keeps_the_welcome_in_the_outbox(story_adapter: Adapter) -> None:
    mail = story_adapter.folder / "var" / "mail"
    mail.write_text("a file where the folder should be")
    done = story_adapter.run("deliver", "--json")
    assert done.code == 1 and len(done.document["problems"]) >= 1
    waiting = [effect for effect in story_adapter.json("outbox") if effect["kind"] == "welcome"]
    assert waiting and {effect["state"] for effect in waiting} == {"queued"}
    assert any(effect["last_error"] for effect in waiting)
    mail.unlink()
    story_adapter.run("deliver")
    assert {account["status"] for account in story_adapter.accounts()} >= {"invited"}


def test_another_sync_of_the_practice_under_way_is_refused_with_one_line(story_adapter: Adapter) -> None:
    with sqlite3.connect(story_adapter.folder / "var" / "adapter.db") as connection:
        row = ("run:main-street", "somebody", "2999-01-01T00:00:00.000000Z")
        connection.execute("INSERT INTO lease (name, owner, until) VALUES (?, ?, ?)", row)
    line = _one_line(story_adapter.run("sync", "--json"))
    assert "under way" in line
    assert len(story_adapter.json("runs")) == 1


def test_stdout_that_is_closed_early_ends_quietly(adapter: Adapter, families: list[Resource]) -> None:
    adapter.export(families)
    adapter.sync()
    for command in (["accounts", "--json"], ["findings"]):
        with adapter.start(*command, shell="| true; exit ${PIPESTATUS[0]}") as process:
            out, err = process.communicate(timeout=30)
        assert out == "" and process.returncode in (0, 1)
        assert "Traceback" not in err and "Exception ignored" not in err, err


def test_the_command_as_a_process_keeps_stdout_for_the_document(adapter: Adapter, families: list[Resource]) -> None:
    adapter.configure(policy="")
    adapter.export(families)
    done = adapter.process("sync", "--json")
    assert done.returncode == 3 and done.stderr == ""
    assert Done(3, done.stdout, "").document["read"]["resources"] == len(families)
    wrong = adapter.process("sync", "--jason")
    assert wrong.returncode == 2 and wrong.stdout == ""


def test_a_sync_that_is_killed_half_way_leaves_nothing_half_done(adapter: Adapter) -> None:
    adapter.json("accounts")
    large = [chart(f"k{number}") for number in range(3000)]
    adapter.export([*large, *(mother(one["id"]) for one in large)])
    with adapter.start("sync") as process:
        _wait_for_rows(adapter)
        process.kill()
    assert adapter.accounts() == []
    assert adapter.sync()["changes"]["open-account"] == 3000, "its lease keeps nobody out: its process is dead"
    killed = adapter.json("runs")[-1]
    assert killed["status"] == "failed" and "stopped from outside" in killed["problems"][0]


def test_ctrl_c_stops_with_one_line(adapter: Adapter) -> None:
    adapter.json("accounts")
    adapter.export([chart(f"k{number}") for number in range(20_000)])
    with adapter.start("sync") as process:
        _wait_for_rows(adapter)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=20)
    assert process.returncode == 1 and "Traceback" not in err and "Stopped" in err
    assert adapter.json("runs")[0]["status"] == "failed"
    assert adapter.run("sync").code == 0  # the lease was given back


@pytest.mark.parametrize("milliseconds", range(0, 2000, 400))
def test_ctrl_c_at_any_moment_leaves_all_or_nothing(adapter: Adapter, milliseconds: int) -> None:
    adapter.json("accounts")
    adapter.export([one for number in range(2500) for one in (chart(f"k{number}"), mother(f"k{number}"))])
    with adapter.start("sync") as process:
        _wait_for_rows(adapter)
        time.sleep(milliseconds / 1000)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=20)
    assert process.returncode in (0, 1, -signal.SIGINT) and "Traceback" not in err
    run, accounts = adapter.json("runs")[0], adapter.json("accounts")
    assert (run["status"], len(accounts)) in (("failed", 0), ("complete", 2500)), milliseconds
    if process.returncode != 1:  # the signal ends Python itself while it is on its way out
        assert run["status"] == "complete"
    assert adapter.run("sync").code == 0
    assert len(adapter.json("accounts")) == 2500


def _wait_for_rows(adapter: Adapter) -> None:
    """Until the sync that runs has stored its first records."""
    limit = time.monotonic() + 20
    while time.monotonic() < limit:
        with sqlite3.connect(adapter.folder / "var" / "adapter.db") as connection:
            if connection.execute("SELECT count(*) FROM patient").fetchone()[0]:
                return
        time.sleep(0.005)
    raise AssertionError("the sync stored nothing")
