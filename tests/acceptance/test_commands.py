"""Every command from outside: the JSON shapes other programs rely on, what it changes, and its exit codes."""

import json
import re
import sqlite3
from pathlib import Path
from typing import Any

from adapter.sandbox.charts import Resource
from tests.acceptance.adapter_cli import GRACE, Adapter, all_have, in_process

ACCOUNT = {"practice": str, "email": str, "name": str, "status": str, "dependents": list, "welcome": dict}
DEPENDENT = {
    "patient": str,
    "role": str,
    "authority": str,
    "access": str,
    "state": str,
    "reason": str,
    "self": bool,
}
FINDING = {
    "id": str,
    "practice": str,
    "code": str,
    "severity": str,
    "patient": (str, type(None)),
    "contact": (str, type(None)),
    "email": (str, type(None)),
    "message": str,
    "remedy": str,
    "since": str,
}
RUN = {"run": int, "practice": str, "status": str, "read": dict, "changes": dict, "held": dict, "findings": dict}
ACTION = {"action": str, "account": str, "patient": (str, type(None)), "reason": str, "source": str}
EFFECT = {
    "id": str,
    "kind": str,
    "to": str,
    "state": str,
    "attempts": int,
    "next_at": (str, type(None)),
    "last_error": (str, type(None)),
}


def test_accounts_have_the_promised_shape(story_adapter: Adapter) -> None:
    story_adapter.json("deliver")
    accounts = story_adapter.json("accounts")
    all_have(accounts, ACCOUNT)
    all_have([one for account in accounts for one in account["dependents"]], DEPENDENT)
    all_have([account["welcome"] for account in accounts], {"status": str, "sent_count": int})
    assert {type(account["welcome"]["last_sent_at"]) for account in accounts} == {str, type(None)}
    (grace,) = story_adapter.json("accounts", "  GRACE.okafor@Mail.Example ")
    assert grace["welcome"]["status"] == "sent" and grace["welcome"]["sent_count"] == 1
    assert story_adapter.json("accounts", "nobody@nowhere.example") == []


def test_findings_outbox_and_widgets_have_the_promised_shape(story_adapter: Adapter) -> None:
    all_have(story_adapter.json("findings"), FINDING)
    assert all(one["remedy"] for one in story_adapter.json("findings"))
    all_have(story_adapter.json("outbox"), EFFECT)
    assert story_adapter.json("widgets") == []


def test_sync_and_runs_report_alike(story_adapter: Adapter) -> None:
    report = story_adapter.json("sync")
    all_have([report], RUN)
    runs = story_adapter.json("runs")
    assert runs[0] == report
    assert [run["run"] for run in runs] == [2, 1]
    assert runs[1]["changes"]["open-account"] == len(story_adapter.accounts())
    assert [run["run"] for run in story_adapter.json("runs", "--limit", "1")] == [2]


def test_a_plan_changes_nothing_and_says_the_same_every_time(adapter: Adapter, families: list[Resource]) -> None:
    adapter.export(families)
    adapter.json("accounts")
    before = _rows(adapter)
    first = adapter.json("plan")
    assert {"hash": str, "practice": str, "actions": list}.items() <= {k: type(v) for k, v in first.items()}.items()
    all_have(first["actions"], ACTION)
    again = adapter.json("plan", "--full")
    assert again["actions"] == first["actions"] and again["hash"] == first["hash"]
    assert _rows(adapter) == before
    assert adapter.sync()["changes"] == first["changes"]
    assert adapter.json("plan")["actions"] == []


def test_a_plan_goes_to_a_file_for_the_owner_alone(story_adapter: Adapter) -> None:
    target = story_adapter.folder / "plan.json"
    done = story_adapter.run("plan", "--out", target, "--json")
    assert done.code == 0 and done.document.items() <= json.loads(target.read_text()).items()
    assert target.stat().st_mode & 0o077 == 0
    assert story_adapter.run("plan", "--out", target / "x").code == 1


def test_what_is_held_for_a_human_gives_exit_code_3(adapter: Adapter, families: list[Resource]) -> None:
    adapter.configure(policy="")
    adapter.export(families[:4])
    held = adapter.run("sync", "--json")
    assert (held.code, held.document["status"], held.document["held"]) == (3, "held", {"welcome": 1})
    assert adapter.json("deliver")["delivered"] == {"account": {"sent": 1}}
    assert adapter.run("release", "1").code == 0
    assert adapter.json("deliver")["delivered"] == {"welcome": {"sent": 1}}
    again = adapter.run("release", "1")
    assert again.code == 0 and "holds no Welcome emails" in again.err
    assert adapter.run("release", "99").code == 1
    assert adapter.run("sync", "--json").code == 0
    assert len(adapter.mails()) == 1


def test_register_asks_and_sends_exactly_one_more(story_adapter: Adapter) -> None:
    story_adapter.json("deliver")
    before = len(story_adapter.mails())
    declined = story_adapter.run("register", GRACE, typed="n\n")
    assert declined.code == 1 and "Send it again?" in declined.err and "Nothing was sent" in declined.err
    assert story_adapter.json("deliver")["delivered"] == {}
    agreed = story_adapter.run("register", GRACE, typed="y\n")
    assert agreed.code == 0 and "Grace Okafor" in agreed.out
    said = " ".join(agreed.out.split())
    assert "The last one went to" in said and "Its link was not used yet; it works until" in said
    queued = story_adapter.run("register", GRACE, "--yes")
    assert queued.code == 1 and "queued already" in queued.err
    assert story_adapter.json("deliver")["delivered"] == {"welcome": {"sent": 1}}
    assert len(story_adapter.mails()) == before + 1
    assert story_adapter.account(GRACE)["welcome"]["sent_count"] == 2


def test_register_for_somebody_who_may_not_says_why_and_what_to_do(story_adapter: Adapter) -> None:
    unknown = story_adapter.run("register", "nobody@nowhere.example", "--yes")
    assert unknown.code == 1 and "There is no account" in unknown.err and "Family Contacts" in unknown.err
    shared = story_adapter.run("register", "asha.iyer@mail.example", "--yes")
    assert shared.code == 1 and "Give each person their own e-mail address" in shared.err
    assert story_adapter.run("register", GRACE).code == 1  # nobody there to answer


def test_check_has_a_line_for_everything_and_the_next_times(adapter: Adapter) -> None:
    document = adapter.json("check")
    whats = [line["what"] for line in document["checks"]]
    assert {"database", "mail", "main-street: mapping", "main-street: portal"} <= set(whats)
    assert all(line["ok"] for line in document["checks"])
    jobs = {entry["job"] for entry in document["next"]}
    assert jobs == {"sync", "reconcile", "deliver", "widgets", "compare", "review"}
    times = [entry["next"] for entry in document["next"]]
    assert times == sorted(times)
    text = adapter.run("check").out
    assert "reconcile" in text and re.search(r"\d{4}-\d\d-\d\d 02:30", text)


def test_check_of_something_broken_fails_and_says_what_to_do(adapter: Adapter) -> None:
    adapter.configure(ehr='kind = "files"\npath = "nowhere"')
    done = adapter.run("check", "--json")
    assert done.code == 1
    (bad,) = [line for line in done.document["checks"] if not line["ok"]]
    assert bad["what"] == "main-street: EHR folder" and "path" in bad["detail"]
    adapter.config.write_text("[[practice]]\n")
    done = adapter.run("check", "--json")
    assert done.code == 2 and not done.document["checks"][0]["ok"]


def test_init_writes_a_configuration_that_works_and_never_overwrites(tmp_path: Path) -> None:
    target = tmp_path / "new" / "config.toml"
    assert in_process(["init", "--config", str(target)]).code == 1  # there is no such folder
    target.parent.mkdir()
    assert in_process(["init", "--config", str(target)]).code == 0
    written = target.read_text()
    (target.parent / "ehr").mkdir()
    assert in_process(["check", "--config", str(target)]).code == 0
    again = in_process(["init", "--config", str(target)])
    assert again.code == 1 and "left as it is" in again.err
    assert target.read_text() == written


def test_migrate_may_be_repeated(adapter: Adapter) -> None:
    first, second = adapter.run("migrate"), adapter.run("migrate")
    assert (first.code, second.code) == (0, 0)
    assert "already" not in first.out and "already" in second.out
    assert adapter.json("accounts") == []


def test_without_json_people_get_words_and_nothing_is_a_traceback(story_adapter: Adapter) -> None:
    for command in ("accounts", "findings", "runs", "outbox", "widgets", "plan", "deliver", "outbox"):
        done = story_adapter.run(command)
        assert (done.code, done.err) == (0, ""), command
        assert len(done.out.split()) > 3 and max(map(len, done.out.splitlines())) <= 100, command
    assert "adapter explain" in story_adapter.run("accounts", "nobody@nowhere.example").out


def _rows(adapter: Adapter) -> dict[str, list[tuple[Any, ...]]]:
    """Everything in the database."""
    with sqlite3.connect(adapter.folder / "var" / "adapter.db") as connection:
        names = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {name: connection.execute(f'SELECT * FROM "{name}"').fetchall() for name in names}
