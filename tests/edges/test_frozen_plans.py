"""A plan in a file: it is done exactly, without asking the EHR again, or refused with what moved."""

import json
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa

from adapter.errors import FatalError
from adapter.jobs.frozen import Applied, Frozen, apply_frozen, freeze
from adapter.jobs.plan_file import read_plan, write_plan
from adapter.jobs.run import Request
from adapter.jobs.stale import TIME
from adapter.store import tables as t
from adapter.store.engine import read
from tests.edges.small_practice import SmallPractice

STATE = (t.patient, t.contact, t.account, t.grant, t.effect, t.welcome, t.finding, t.audit, t.held_plan, t.run)


@pytest.fixture
def practice(engine: sa.Engine, tmp_path: Path) -> SmallPractice:
    return SmallPractice(engine, tmp_path / "site", 4)


def rows(practice: SmallPractice) -> dict[str, list[Any]]:
    """Everything that a plan must not change."""
    with read(practice.engine) as connection:
        return {
            table.name: [tuple(row) for row in connection.execute(sa.select(table).order_by(*table.primary_key))]
            for table in STATE
        }


def planned(practice: SmallPractice) -> tuple[dict[str, Any], Frozen]:
    practice.export()
    shown, frozen, _ = freeze(
        practice.engine,
        practice.practice,
        Request(actor="person:rita"),
        clock=lambda: practice.now,
        progress=lambda *_: None,
    )
    return shown, frozen


def applied(practice: SmallPractice, frozen: Frozen) -> Applied:
    """The plan after a way through a file, applied."""
    path = practice.folder / f"plan-{len(list(practice.folder.glob('plan-*')))}.json"
    write_plan(path, {"actions": []}, frozen)
    return apply_frozen(
        practice.engine,
        practice.app.practices,
        read_plan(path),
        actor="person:rita",
        clock=lambda: practice.now,
        progress=lambda *_: None,
    )


def test_a_plan_changes_nothing_and_is_then_done_without_the_ehr(practice: SmallPractice) -> None:
    before = rows(practice)
    shown, frozen = planned(practice)
    assert rows(practice) == before
    (practice.folder / "ehr" / "all.ndjson").unlink()
    report = applied(practice, frozen).report
    assert report is not None and report["changes"] == shown["changes"]
    assert practice.states() == {f"mother{n}": {f"p{n}": "active"} for n in range(1, 5)}
    assert practice.audit("grant")[0]["actor"] == "person:rita"
    assert practice.sync()["changes"] == {}  # and the next sync agrees


def test_a_plan_does_what_a_sync_would_have_done(engine: sa.Engine, tmp_path: Path) -> None:
    practice = SmallPractice(engine, tmp_path / "site", 6)
    practice.sync()
    practice.authority(practice.mother(1), "none")
    del practice.contacts[practice.mother(2)]
    practice.new_email(practice.mother(3), "another3@mail.example")
    practice.change("Patient/p4", active=False)
    practice.add_contact(5, role="Father")
    shown, frozen = planned(practice)
    done = applied(practice, frozen)
    assert done.report is not None and done.report["changes"] == shown["changes"]
    assert practice.states() == {
        "mother1": {"p1": "ended authority-none"},
        "mother2": {"p2": "ended contact-gone"},
        "another3": {"p3": "active"},
        "mother4": {"p4": "suspended patient-inactive"},
        "mother5": {"p5": "active"},
        "father5": {"p5": "active"},
        "mother6": {"p6": "active"},
    }
    assert practice.sync(full=True)["changes"] == {}


def test_a_plan_that_was_done_already_is_stale(practice: SmallPractice) -> None:
    _, frozen = planned(practice)
    assert applied(practice, frozen).report
    again = applied(practice, frozen)
    assert again.report is None and [one.account for one in again.stale] == [
        f"mother{number}@mail.example" for number in range(1, 5)
    ]


Move = Callable[[SmallPractice], object]
MOVES: dict[str, tuple[Move, tuple[str, ...]]] = {
    "the contact": (
        lambda practice: practice.authority(practice.mother(1), "exclusive"),
        ("RelatedPerson/p1-mother",),
    ),
    "the chart": (lambda practice: practice.change("Patient/p1", active=False), ("Patient/p1",)),
}


@pytest.mark.parametrize("what", MOVES)
def test_a_plan_is_stale_when_something_newer_was_read(practice: SmallPractice, what: str) -> None:
    practice.sync()
    practice.authority(practice.mother(1), "none")
    practice.change("Patient/p1", birthDate="2018-01-01")
    _, frozen = planned(practice)
    move, names = MOVES[what]
    move(practice)
    practice.sync()
    before = rows(practice)
    refused = applied(practice, frozen)
    assert refused.report is None and set(names) <= set(refused.moved)
    assert rows(practice) == before


def test_a_new_contact_on_the_chart_makes_the_plan_stale_and_is_named(practice: SmallPractice) -> None:
    practice.sync()
    practice.authority(practice.mother(1), "none")
    practice.authority(practice.mother(2), "none")
    _, frozen = planned(practice)
    practice.authority(practice.mother(1), "joint")
    practice.authority(practice.mother(2), "joint")
    father = practice.add_contact(1, role="Father")
    practice.authority(father, "exclusive")
    practice.sync()
    refused = applied(practice, frozen)
    (one,) = refused.stale
    assert one.account == "mother1@mail.example" and father in one.moved


def test_another_policy_makes_the_plan_stale(practice: SmallPractice) -> None:
    _, frozen = planned(practice)
    practice.configure('hold_first_welcome = false\nallowed_roles = ["father"]')
    assert applied(practice, frozen).moved == ("the mapping or the policy",)


def test_a_birthday_in_between_makes_the_plan_stale(practice: SmallPractice) -> None:
    practice.change("Patient/p1", birthDate="2008-05-05")  # eighteen tomorrow
    _, frozen = planned(practice)
    practice.now = practice.now.replace(day=6)
    (one,) = applied(practice, frozen).stale
    assert (one.account, one.moved) == ("mother1@mail.example", (TIME,))


def test_what_a_brake_would_hold_is_held_when_the_plan_is_applied(engine: sa.Engine, tmp_path: Path) -> None:
    practice = SmallPractice(engine, tmp_path / "site", 9)
    practice.sync()
    for number in range(1, 8):
        del practice.contacts[practice.mother(number)]
    practice.authority(practice.mother(8), "none")
    shown, frozen = planned(practice)
    assert shown["held"]["end-grant"] == 8 and practice.held() == []
    done = applied(practice, frozen)
    assert done.report is not None and done.report["status"] == "held"
    assert practice.open_charts() == 8
    assert len(practice.held()) == 1


def test_the_file_is_private_and_never_takes_the_place_of_another(practice: SmallPractice, tmp_path: Path) -> None:
    _, frozen = planned(practice)
    path = tmp_path / "plan.json"
    write_plan(path, {"actions": []}, frozen)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert read_plan(path) == frozen
    with pytest.raises(FatalError, match="exists already"):
        write_plan(path, {"actions": []}, frozen)


@pytest.mark.parametrize("damage", ["cut", "edited", "another action", "no plan", "not json", "another version"])
def test_a_damaged_or_edited_file_is_refused(practice: SmallPractice, tmp_path: Path, damage: str) -> None:
    _, frozen = planned(practice)
    path = tmp_path / "plan.json"
    write_plan(path, {"actions": []}, frozen)
    text = path.read_text()
    whole = json.loads(text)
    if damage == "another action":
        whole["exact"]["actions"].append(msgspec.to_builtins(frozen.actions[0]))
    whole["format"] += damage == "another version"
    damaged = {
        "cut": text[:-40],
        "edited": text.replace('"active"', '"held"', 1),
        "another action": json.dumps(whole),
        "no plan": '{"hash": "00"}',
        "not json": "hello",
        "another version": json.dumps(whole),
    }[damage]
    path.write_text(damaged)
    with pytest.raises(FatalError, match="plan --out"):
        read_plan(path)
