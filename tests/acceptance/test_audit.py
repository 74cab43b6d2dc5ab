"""``adapter audit`` as a practice uses it: looking, proving, and giving copies away."""

import csv
import io
import json
import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa
from fhir.resources.R4B.auditevent import AuditEvent

from adapter.sandbox.charts import Resource
from adapter.store import tables as t
from adapter.store.engine import make_engine
from tests.acceptance.adapter_cli import GRACE, Adapter, all_have
from tests.edges.tampering import delete, edit


def database(site: Adapter) -> sa.Engine:
    return make_engine(f"sqlite:///{site.folder}/var/adapter.db")


def test_everything_a_sync_did_stands_in_the_trail(story_adapter: Adapter) -> None:
    (run,) = story_adapter.json("runs")
    found = story_adapter.json("audit", "--limit", "1000")
    assert len(found) == sum(run["changes"].values())
    assert [entry["seq"] for entry in found] == list(range(len(found), 0, -1))
    shape = {"practice": str, "seq": int, "at": str, "actor": str, "run": int, "action": str, "reason": str}
    all_have(found, shape | {"source": str, "hash": str, "detail": dict})
    assert all(entry["actor"].startswith("person:") for entry in found)
    granted = next(entry for entry in found if entry["action"] == "grant")
    assert granted["after"]["authority"] in ("joint", "exclusive")
    assert granted["before"] is None


def test_a_parents_entries_are_found_by_the_address(story_adapter: Adapter) -> None:
    found = story_adapter.json("audit", "--email", GRACE.upper())
    assert {entry["action"] for entry in found} == {"open-account", "grant", "queue-welcome"}
    assert {entry["email"] for entry in found} == {GRACE}
    assert story_adapter.json("audit", "--email", "nobody@mail.example") == []


def test_a_parent_who_moved_is_found_by_the_old_address_too(story_adapter: Adapter, families: list[Resource]) -> None:
    for resource in families:
        for point in resource.get("telecom", ()):
            if point["value"].lower() == GRACE:
                point["value"] = "grace.new@mail.example"
    story_adapter.export(families)
    assert story_adapter.sync("--full")["changes"]["move-account"] == 1
    by_old, by_new = (story_adapter.json("audit", "--email", email) for email in (GRACE, "grace.new@mail.example"))
    assert "move-account" in {entry["action"] for entry in by_old}
    assert by_old == by_new


def test_a_charts_entries_are_found_by_its_reference(story_adapter: Adapter) -> None:
    found = story_adapter.json("audit", "--patient", "Patient/okafor-ada")
    assert {entry["patient"] for entry in found} == {"Patient/okafor-ada"}


def test_entries_are_found_by_who_did_it_when_and_in_which_run(story_adapter: Adapter) -> None:
    later = datetime(2035, 6, 1, 4, 30, tzinfo=UTC)
    assert story_adapter.run("register", GRACE, "--yes", at=later).code == 1  # one is queued already
    story_adapter.json("deliver", at=later)
    sent = story_adapter.json("audit", "--actor", "delivery")
    assert {entry["action"] for entry in sent} == {"welcome-sent"}
    assert story_adapter.json("audit", "--since", "2035-06-01", "--limit", "1000") == sent
    assert story_adapter.json("audit", "--since", "2035-06-01T05:00") == []
    (run,) = story_adapter.json("runs")
    user = story_adapter.json("audit", "--limit", "1")[0]["actor"]
    assert user == "delivery"
    people = story_adapter.json("audit", "--run", str(run["run"]), "--limit", "1000")
    assert {entry["run"] for entry in people} == {run["run"]}


def test_a_day_begins_at_the_practices_midnight(story_adapter: Adapter) -> None:
    text = story_adapter.config.read_text().replace('name = "Main', 'time_zone = "America/New_York"\nname = "Main')
    story_adapter.config.write_text(text)
    story_adapter.json("deliver", at=datetime(2035, 6, 1, 4, 30, tzinfo=UTC))  # 00:30 in New York
    assert story_adapter.json("audit", "--since", "2035-06-01")
    assert story_adapter.json("audit", "--since", "2035-06-01T00:45") == []


def test_people_read_who_what_whom_and_why(story_adapter: Adapter) -> None:
    shown = story_adapter.run("audit", "--patient", "Patient/okafor-ada")
    assert shown.code == 0
    for word in ("When", "Who", "Whom", "grant", "okafor-ada", "eligible"):
        assert word in shown.out
    assert "There is no such entry." in story_adapter.run("audit", "--email", "nobody@mail.example").err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["audit", "--patient", "RelatedPerson/1"], "is no reference to a chart"),
        (["audit", "--since", "yesterday"], "--since takes a day"),
        (["audit", "--practice", "elsewhere"], 'there is no practice "elsewhere"'),
        (["audit", "verify", "--head", "nowhere.json"], "cannot be read"),
        (["audit", "verify", "--head", "config.toml"], "is not a file that"),
        (["audit", "export", "x", "--format", "pdf"], "pdf"),
    ],
)
def test_a_wrong_word_is_told_in_a_line(
    story_adapter: Adapter, monkeypatch: pytest.MonkeyPatch, arguments: list[str], words: str
) -> None:
    monkeypatch.chdir(story_adapter.folder)
    done = story_adapter.run(*arguments)
    assert done.code == 2
    assert words in done.err
    assert "Traceback" not in done.err


def test_a_whole_trail_is_proven(story_adapter: Adapter) -> None:
    done = story_adapter.run("audit", "verify")
    assert done.code == 0
    assert "unbroken" in done.out
    assert "adapter audit head" in done.err
    verdict = story_adapter.json("audit", "verify")
    assert verdict["whole"]
    assert verdict["practices"][0]["entries"] == len(story_adapter.json("audit", "--limit", "1000"))


def test_an_edited_entry_is_named_and_the_command_fails(story_adapter: Adapter) -> None:
    edit(database(story_adapter), 5, reason="authority-none")
    done = story_adapter.run("audit", "verify")
    assert done.code == 1
    assert "entry 5 is not what was written" in done.out
    shown = story_adapter.run("audit", "verify", "--json")
    assert (shown.code, shown.document["whole"]) == (1, False)
    assert shown.document["practices"][0]["breaks"] == [{"seq": 5, "last": 5, "what": "edited"}]


def test_a_cut_off_end_is_found_with_the_exported_head(story_adapter: Adapter) -> None:
    kept = story_adapter.folder / "head.json"
    assert story_adapter.run("audit", "head", "--out", kept).code == 0
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    (head,) = json.loads(kept.read_text())["heads"]
    shown = story_adapter.run("audit", "head").out.split()
    assert shown == ["main-street", str(head["seq"]), head["hash"]]
    story_adapter.json("deliver")
    for given in (str(kept), head["hash"]):
        assert story_adapter.run("audit", "verify", "--head", given).code == 0
    with database(story_adapter).connect() as connection:
        last = connection.scalar(sa.select(sa.func.max(t.audit.c.seq)))
    delete(database(story_adapter), head["seq"] - 1, last)
    assert story_adapter.run("audit", "verify").code == 0
    by_file = story_adapter.run("audit", "verify", "--head", kept)
    assert by_file.code == 1
    assert f"entries {head['seq'] - 1} to {head['seq']} are missing at the end" in by_file.out
    by_hash = story_adapter.run("audit", "verify", "--head", head["hash"])
    assert by_hash.code == 1
    assert "No entry has the hash" in by_hash.out


def test_an_exported_head_is_never_overwritten(story_adapter: Adapter) -> None:
    kept = story_adapter.folder / "head.json"
    kept.write_text("mine")
    done = story_adapter.run("audit", "head", "--out", kept)
    assert (done.code, kept.read_text()) == (1, "mine")
    assert "exists already" in done.err


def _read_csv(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(path.read_bytes().decode("utf-8"), newline="")))


def test_the_trail_as_csv_has_every_entry_and_is_the_owners_alone(story_adapter: Adapter) -> None:
    file = story_adapter.folder / "trail.csv"
    done = story_adapter.run("audit", "export", file)
    found = story_adapter.json("audit", "--limit", "1000")
    assert f"Wrote {len(found)} entries" in done.out
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    rows = _read_csv(file)
    assert [(row["seq"], row["action"], row["hash"]) for row in rows] == [
        (str(entry["seq"]), entry["action"], entry["hash"]) for entry in reversed(found)
    ]
    assert story_adapter.run("audit", "export", file).code == 1


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n"])
def test_no_cell_of_the_csv_starts_a_formula(story_adapter: Adapter, start: str) -> None:
    values = {"reason": f'{start}HYPERLINK("http://x")', "source": f"{start}1+1", "actor": f"{start}cmd"}
    edit(database(story_adapter), 2, **values)
    with database(story_adapter).begin() as connection:
        connection.execute(sa.update(t.account).values(email=f"{start}x@mail.example"))
    file = story_adapter.folder / "trail.csv"
    assert story_adapter.run("audit", "export", file).code == 0
    rows = _read_csv(file)
    assert rows[1]["reason"] == f"'{values['reason']}"
    cells = [cell for row in rows for cell in row.values()]
    assert not [cell for cell in cells if cell[:1] in "=+-@\t\r\n" and cell]


def test_the_trail_as_fhir_is_valid_audit_events(story_adapter: Adapter) -> None:
    story_adapter.json("deliver")
    file = story_adapter.folder / "trail.ndjson"
    assert story_adapter.run("audit", "export", file, "--format", "fhir").code == 0
    found = story_adapter.json("audit", "--limit", "1000")
    lines = file.read_text().splitlines()
    events = [json.loads(line) for line in lines if AuditEvent.model_validate_json(line)]
    assert len({event["id"] for event in events}) == len(events) == len(found)
    for event, entry in zip(events, reversed(found), strict=True):
        details = {one["type"]: one["valueString"] for one in event["entity"][0]["detail"]}
        assert details["hash"] == entry["hash"]
        assert event["purposeOfEvent"][0]["coding"][0]["code"] == entry["reason"]
        assert datetime.fromisoformat(event["recorded"]) == datetime.fromisoformat(entry["at"])
        charts = [one["what"]["reference"] for one in event["entity"] if one["role"]["code"] == "1"]
        assert charts == ([entry["patient"]] if entry["patient"] else [])
        assert event["agent"][0]["name"] == entry["actor"]
    kinds = {
        event["subtype"][-1]["code"]: (event["type"]["code"], event["action"], event["outcome"]) for event in events
    }
    assert kinds["grant"] == ("110113", "C", "0")
    assert kinds["welcome-sent"] == ("transmit", "E", "0")


def test_an_entry_that_cannot_be_said_in_fhir_leaves_no_half_file(story_adapter: Adapter) -> None:
    edit(database(story_adapter), 3, patient="no reference\n\x00 at all", actor="")
    with database(story_adapter).begin() as connection:
        connection.exec_driver_sql("UPDATE audit SET at = 'yesterday' WHERE seq = 4")
    before = set(story_adapter.folder.iterdir())
    done = story_adapter.run("audit", "export", story_adapter.folder / "trail.ndjson", "--format", "fhir")
    assert done.code == 1
    assert "adapter audit verify" in done.err
    assert set(story_adapter.folder.iterdir()) == before
    assert story_adapter.run("audit", "--limit", "1000").code == 0


def test_part_of_the_trail_can_be_exported(story_adapter: Adapter) -> None:
    file = story_adapter.folder / "ada.csv"
    assert story_adapter.run("audit", "export", file, "--patient", "Patient/okafor-ada").code == 0
    assert {row["patient"] for row in _read_csv(file)} == {"Patient/okafor-ada"}


def test_a_place_that_cannot_be_written_is_told(story_adapter: Adapter) -> None:
    done = story_adapter.run("audit", "export", story_adapter.folder / "nowhere" / "trail.csv")
    assert done.code == 1
    assert "cannot be written" in done.err
