"""Exports as bad as real ones: never a crash, every resource is counted, what cannot be used is named by its place."""

import json
from pathlib import Path

import pytest

from tests.acceptance.adapter_cli import Adapter, adds_up, opens
from tests.acceptance.bad_records import (
    BIRTH_DATES,
    BROKEN,
    BROKEN_LINES,
    MISPLACED,
    ODD_BUT_FINE,
    OF_NO_USE,
    UNKNOWN_SHAPES,
    Json,
    bundle,
    chart,
    mother,
)

ODA = "oda@kid.example"
GOOD = [chart(), mother()]


def _read(adapter: Adapter) -> dict[str, int]:
    """The counts of one sync; it must not crash, and must account for every resource."""
    done = adapter.run("sync", "--json")
    assert done.err == "" and done.code in (0, 1, 3)
    read: dict[str, int] = done.document["read"]
    assert adds_up(read), read
    return read


def _messages(adapter: Adapter) -> list[str]:
    return [one["message"] for one in adapter.json("findings") if one["code"] == "record-unusable"]


def test_everything_at_once_is_read_counted_and_harms_nobody(adapter: Adapter) -> None:
    folder = adapter.folder / "ehr"
    adapter.export(GOOD, "good.ndjson")
    adapter.export([record for record, _ in BROKEN.values()], "broken.ndjson")
    adapter.export([*MISPLACED, *ODD_BUT_FINE, *OF_NO_USE, *UNKNOWN_SHAPES], "odd.ndjson")
    (folder / "lines.ndjson").write_text("\n".join(BROKEN_LINES) + "\n", encoding="utf-8")
    (folder / "empty.ndjson").write_text("")
    (folder / "blank.ndjson").write_text("\n\n  \n")
    (folder / "notes.txt").write_text("not ours")
    read = _read(adapter)
    unusable = len(BROKEN) + len(BROKEN_LINES)
    assert read["resources"] == len(GOOD) + unusable + sum(
        map(len, (MISPLACED, ODD_BUT_FINE, OF_NO_USE, UNKNOWN_SHAPES))
    )
    assert read["patients"] == 1 + len(ODD_BUT_FINE)
    assert read["contacts"] == 1 + len(MISPLACED)
    assert read["quarantined"] >= unusable
    assert read["ignored"] >= len(OF_NO_USE)
    assert len(_messages(adapter)) == read["quarantined"]
    assert opens(adapter.account(ODA)) == {"kid": "active"}
    again = adapter.sync()
    assert (again["changes"], again["read"]["changed"]) == ({}, 0)


@pytest.mark.parametrize("name", BROKEN)
def test_a_record_that_cannot_be_used_is_named_with_its_place_and_path(adapter: Adapter, name: str) -> None:
    record, path = BROKEN[name]
    adapter.export([*GOOD, record], "part.ndjson")
    assert _read(adapter)["quarantined"] == 1
    (message,) = _messages(adapter)
    assert f"{record['resourceType']}/{record['id']} (part.ndjson:3)" in message
    assert path in message and len(message) < 300
    assert "Ferncastle" not in message and "oda@" not in message
    assert opens(adapter.account(ODA)) == {"kid": "active"}


@pytest.mark.parametrize("number", range(len(BROKEN_LINES)))
def test_a_broken_line_is_named_by_file_and_line(adapter: Adapter, number: int) -> None:
    good = "".join(json.dumps(record) + "\n" for record in GOOD)
    (adapter.folder / "ehr" / "part.ndjson").write_text(f"{good}{BROKEN_LINES[number]}\n{json.dumps(chart('next'))}\n")
    read = _read(adapter)
    assert (read["quarantined"], read["patients"], read["contacts"]) == (1, 2, 1)
    (message,) = _messages(adapter)
    assert "part.ndjson:3" in message


@pytest.mark.parametrize("name", BIRTH_DATES)
def test_a_birth_date_that_cannot_be_right_opens_nothing(adapter: Adapter, name: str) -> None:
    adapter.export([chart(birthDate=BIRTH_DATES[name]), mother()])
    assert _read(adapter)["quarantined"] == 0
    expected = "active" if name == "year-only" else "held birthdate-unusable"
    assert opens(adapter.account(ODA)) == {"kid": expected}


def test_without_a_birth_date_nothing_is_opened(adapter: Adapter) -> None:
    adapter.export([chart(birthDate=None, _birthDate={"extension": []}), mother()])
    _read(adapter)
    assert opens(adapter.account(ODA)) == {"kid": "held birthdate-unusable"}


@pytest.mark.parametrize("record", MISPLACED, ids=lambda record: record["id"])
def test_a_contact_of_no_chart_of_this_ehr_opens_nothing(adapter: Adapter, record: Json) -> None:
    adapter.export([chart(), record])
    assert _read(adapter)["contacts"] == 1
    assert all(account["dependents"] == [] or "active" not in opens(account).values() for account in adapter.accounts())
    assert [one["code"] for one in adapter.json("findings")] == ["patient-mismatch"]


@pytest.mark.parametrize("kind", ["collection", "transaction", "searchset", "batch", "document", "message"])
def test_every_kind_of_bundle_is_unfolded(adapter: Adapter, kind: str) -> None:
    (adapter.folder / "ehr" / "b.json").write_text(json.dumps(bundle(kind, *GOOD, *OF_NO_USE)))
    read = _read(adapter)
    assert (read["patients"], read["contacts"], read["ignored"]) == (1, 1, len(OF_NO_USE))
    assert opens(adapter.account(ODA)) == {"kid": "active"}


def test_bundles_in_bundles_in_lists_are_unfolded(adapter: Adapter) -> None:
    nested = bundle("collection", bundle("collection", chart()), bundle("transaction", mother()))
    (adapter.folder / "ehr" / "b.json").write_text(json.dumps([nested]))
    read = _read(adapter)
    assert (read["patients"], read["contacts"]) == (1, 1)


def test_of_a_history_only_the_newest_version_counts(adapter: Adapter) -> None:
    older = mother(extension=None)
    history = bundle("history", mother(), older, chart())
    (adapter.folder / "ehr" / "h.json").write_text(json.dumps(history))
    _read(adapter)
    assert opens(adapter.account(ODA)) == {"kid": "active"}
    (adapter.folder / "ehr" / "h.json").write_text(json.dumps(bundle("history", older, mother(), chart())))
    _read(adapter)
    assert opens(adapter.account(ODA)) == {"kid": "suspended authority-unknown"}


def test_of_two_copies_the_newer_counts_and_two_different_ones_of_one_age_count_as_damaged(adapter: Adapter) -> None:
    new = {"lastUpdated": "2026-05-02T10:00:00Z"}
    old = {"lastUpdated": "2026-05-01T10:00:00Z"}
    adapter.export([chart(), mother(meta=old, extension=None), mother(meta=new), mother(meta=old, extension=None)])
    read = _read(adapter)
    assert (read["contacts"], read["repeated"], read["quarantined"]) == (1, 2, 0)
    assert opens(adapter.account(ODA)) == {"kid": "active"}
    adapter.export([chart(), mother(meta=new), mother(meta=new, birthDate="1990-01-01")])
    assert _read(adapter)["quarantined"] == 1
    assert opens(adapter.account(ODA)) == {"kid": "held record-unusable"}
    (message,) = _messages(adapter)
    assert "RelatedPerson/kid-mother (all.ndjson" in message and "two different copies" in message
    again = adapter.sync()
    assert (again["changes"], again["read"]["changed"]) == ({}, 0)


def test_however_many_different_copies_there_are_the_next_sync_finds_nothing_changed(adapter: Adapter) -> None:
    copies = [chart(birthDate=f"201{year}-01-01") for year in range(4)]
    copies[2]["meta"] = {"versionId": "1"}
    adapter.export([*copies, mother()])
    assert _read(adapter)["quarantined"] == 3
    assert opens(adapter.account(ODA)) == {"kid": "held record-unusable"}
    again = adapter.sync()
    assert (again["changes"], again["read"]["changed"]) == ({}, 0)


def test_the_same_file_twice_counts_as_repeated(adapter: Adapter) -> None:
    adapter.export(GOOD, "one.ndjson")
    adapter.export(GOOD, "two.ndjson")
    read = _read(adapter)
    assert (read["patients"], read["contacts"], read["repeated"]) == (1, 1, 2)


def test_names_in_every_script_come_through_unharmed(adapter: Adapter) -> None:
    names = {"ola": "Ólafur Þór", "mei": "妮可 王", "yusuf": "يوسف", "fox": "🦊 Fuchs", "accents": "Zoë Ångström"}
    contacts = [
        mother(key=key, name=[{"text": name}], telecom=[{"system": "email", "value": f"{key}@kid.example"}])
        for key, name in names.items()
    ]
    adapter.export([chart(), *contacts])
    assert _read(adapter)["contacts"] == len(names)
    assert {account["email"].split("@")[0]: account["name"] for account in adapter.accounts()} == names
    assert adapter.json("deliver")["delivered"]["welcome"] == {"sent": len(names)}


def test_an_export_that_cannot_be_read_to_its_end_is_incomplete(adapter: Adapter) -> None:
    adapter.export(GOOD)
    adapter.sync()
    (adapter.folder / "ehr" / "broken.json").write_text(json.dumps(bundle("collection", *GOOD))[:-40])
    (adapter.folder / "ehr" / "broken.ndjson.gz").write_bytes(b"\x1f\x8b\x08\x00not really")
    done = adapter.run("sync", "--json")
    assert (done.code, done.document["status"]) == (1, "incomplete")
    problems = " ".join(done.document["problems"])
    assert "broken.json" in problems and "broken.ndjson.gz" in problems and "export it again" in problems
    assert adds_up(done.document["read"])
    assert opens(adapter.account(ODA)) == {"kid": "active"}


def test_a_link_out_of_the_folder_is_not_followed(adapter: Adapter, tmp_path: Path) -> None:
    (tmp_path / "elsewhere.ndjson").write_text(json.dumps(chart("secret")))
    (adapter.folder / "ehr" / "link.ndjson").symlink_to(tmp_path / "elsewhere.ndjson")
    adapter.export(GOOD)
    done = adapter.run("sync", "--json")
    assert done.code == 1 and "leads out of the folder" in done.document["problems"][0]
    assert done.document["read"]["patients"] == 1
