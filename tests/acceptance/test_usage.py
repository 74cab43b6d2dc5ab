"""Using the command: help, where the configuration is found, wrong usage, several practices."""

import re

import pytest

from adapter.sandbox.charts import Resource
from tests.acceptance.adapter_cli import GRACE, Adapter, in_process, practice

COMMANDS = (
    ["demo"],
    ["init"],
    ["check"],
    ["migrate"],
    ["plan"],
    ["sync"],
    ["apply"],
    ["deliver"],
    ["run"],
    ["people"],
    ["tokens"],
    ["mail"],
    ["portal"],
    ["decide"],
    ["release"],
    ["undo"],
    ["merges"],
    ["merge"],
    ["unmerge"],
    ["revoke"],
    ["suspend"],
    ["held"],
    ["register"],
    ["accounts"],
    ["explain"],
    ["findings"],
    ["runs"],
    ["outbox"],
    ["widgets"],
    ["widgets", "publish"],
    ["mapping"],
    ["mapping", "list"],
    ["mapping", "test"],
    ["mapping", "check"],
    ["backup"],
    ["restore"],
    ["audit"],
    ["audit", "verify"],
    ["audit", "head"],
    ["audit", "export"],
)


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_explains_itself(command: list[str]) -> None:
    done = in_process([*command, "--help"])
    assert done.code == 0 and done.err == ""
    lines = done.out.splitlines()
    assert max(map(len, lines)) <= 100
    assert "Usage: adapter" in done.out
    paragraphs = [part.strip() for part in re.split(r"\n\s*\n", done.out) if part.strip()]
    purpose = next(part for part in paragraphs if not part.startswith("Usage"))
    assert len(purpose.split()) >= 4, purpose


def test_the_list_of_commands_above_is_complete() -> None:
    shown = in_process(["--help"]).out
    listed = set(re.findall(r"^│ ([a-z]+) ", shown, re.MULTILINE))
    assert listed == {command[0] for command in COMMANDS}


def test_the_configuration_is_found_in_every_promised_way(adapter: Adapter, monkeypatch: pytest.MonkeyPatch) -> None:
    config = str(adapter.config)
    for arguments in (
        ["--config", config, "accounts", "--json"],
        ["accounts", "--config", config, "--json"],
        ["accounts", "--json", f"--config={config}"],
    ):
        assert in_process(arguments).out == "[]\n"
    missing = in_process(["accounts"])
    assert missing.code == 2 and "config.toml" in missing.err and "adapter init" in missing.err
    monkeypatch.setenv("ADAPTER_CONFIG", config)
    assert in_process(["accounts", "--json"]).code == 0
    monkeypatch.setenv("ADAPTER_CONFIG", str(adapter.folder / "other.toml"))
    assert in_process(["accounts", "--config", config]).code == 0
    assert in_process(["accounts"]).code == 2
    monkeypatch.delenv("ADAPTER_CONFIG")
    monkeypatch.chdir(adapter.folder)
    assert in_process(["accounts", "--json"]).code == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ["no-such-command"],
        ["sync", "--no-such-option"],
        ["explain"],
        ["release", "one"],
        ["sync", "--person", "Patient"],
        ["sync", "--person", "Practitioner/1"],
        ["sync", "--practice", "elsewhere"],
        ["accounts", "--practice", "elsewhere", "--json"],
    ],
    ids=" ".join,
)
def test_wrong_usage_gives_exit_code_2_and_no_traceback(adapter: Adapter, arguments: list[str]) -> None:
    done = adapter.run(*arguments)
    assert (done.code, done.out) == (2, "")
    assert done.err and "Traceback" not in done.err


def test_several_practices_are_kept_apart(adapter: Adapter, families: list[Resource]) -> None:
    files = 'kind = "files"\npath = "{}"'
    adapter.config.write_text(
        practice("main-street", files.format("ehr"), policy="hold_first_welcome = false")
        + practice("hillside", files.format("hillside"), name="Hillside Pediatrics")
    )
    (adapter.folder / "hillside").mkdir()
    adapter.export(families)
    adapter.export(families[:4], "../hillside/all.ndjson")
    done = adapter.run("sync", "--json")
    assert done.code == 3
    assert {(run["practice"], run["read"]["resources"]) for run in done.document} == {
        ("main-street", len(families)),
        ("hillside", 4),
    }
    assert len(adapter.json("accounts", GRACE)) == 2
    (hers,) = adapter.json("accounts", "--practice", "hillside")
    assert hers["practice"] == "hillside" and hers["welcome"]["status"] == "held"
    ambiguous = adapter.run("register", GRACE, "--yes")
    assert ambiguous.code == 2 and "--practice" in ambiguous.err
    assert adapter.json("deliver")["delivered"]["welcome"] == {"sent": len(adapter.mails())}
    assert adapter.json("accounts", "--practice", "hillside")[0]["welcome"]["status"] == "held"
    assert [run["practice"] for run in adapter.json("runs", "--practice", "hillside")] == ["hillside"]
    assert isinstance(adapter.json("plan"), list) and adapter.json("plan", "--practice", "hillside")["actions"] == []
    assert len(adapter.json("explain", GRACE)) == 2
