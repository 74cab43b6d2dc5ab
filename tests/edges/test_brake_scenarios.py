"""What an EHR that is wrong in a way that looks right can do: nobody is revoked by absence, and the cause is named."""

from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from adapter.store import findings
from adapter.store.engine import read
from tests.edges.small_practice import SmallPractice

WRONG_PLACE = """
title = "Family Contacts, with the Authority at another place"
description = "As it looks after an edit."
[roles]
source = "RelatedPerson.relationship"
tables = ["kinship"]
[authority]
source = "RelatedPerson.extension('urn:fhir-portal-adapter:authority').value"
[authority.codes]
joint = "joint"
exclusive = "exclusive"
none = "none"
"""


@pytest.fixture
def practice(engine: sa.Engine, tmp_path: Path) -> SmallPractice:
    """Seventy families, a mother each, whose accounts were opened yesterday."""
    one = SmallPractice(engine, tmp_path / "site", 70)
    assert one.sync()["changes"]["grant"] == 70
    return one


def stands(practice: SmallPractice) -> bool:
    """Whether every chart is as open as it was."""
    return practice.open_charts() == 70


def test_an_empty_answer(practice: SmallPractice) -> None:
    charts, contacts = practice.charts, practice.contacts
    practice.charts, practice.contacts = {}, {}
    report = practice.sync(days=1)
    assert (report["status"], report["changes"]) == ("incomplete", {}) and stands(practice)
    practice.charts, practice.contacts = charts, contacts
    assert practice.sync(days=1)["status"] == "complete" and stands(practice)


def test_thirty_percent_of_the_contacts_are_missing(practice: SmallPractice) -> None:
    kept = practice.contacts
    practice.contacts = dict(list(kept.items())[21:])
    report = practice.sync(days=1)
    assert (report["status"], report["changes"]) == ("held", {}) and stands(practice)
    assert report["problems"] == [
        "21 of 70 open charts would be closed because the contact was removed from the chart (21). "
        "More than 5 is not ordinary, so they wait for a human."
    ]
    practice.contacts = kept
    assert practice.sync(days=1)["status"] == "complete"
    assert practice.held() == [] and stands(practice)


@pytest.mark.parametrize("number", [12, 70])
def test_another_tenant_answers_with_people_of_its_own(engine: sa.Engine, tmp_path: Path, number: int) -> None:
    practice = SmallPractice(engine, tmp_path / "site", number)
    practice.sync()
    charts, contacts = practice.charts, practice.contacts
    practice.charts, practice.contacts = {}, {}
    for one in range(101, 101 + number):
        practice.add_family(one)
    report = practice.sync(days=1)
    assert (report["status"], report["changes"]) == ("incomplete", {}) and practice.open_charts() == number
    assert report["problems"][0].startswith(f"Not one of the {number} known charts is in the EHR's answer, but others")
    practice.charts, practice.contacts = charts, contacts
    back = practice.sync(days=1)
    assert (back["status"], back["changes"]) == ("complete", {}), back["problems"]
    assert practice.open_charts() == len(practice.states()) == number


def test_the_right_to_read_contacts_is_lost(practice: SmallPractice) -> None:
    practice.contacts = {}
    report = practice.sync(days=1)
    assert (report["status"], report["changes"]) == ("incomplete", {}) and stands(practice)
    assert "The EHR gave no contacts at all where 70 were known" in report["problems"][0]


@pytest.mark.parametrize("kind", ["contacts", "charts"])
def test_everything_turns_inactive_at_once(practice: SmallPractice, kind: str) -> None:
    """That is said outright, so it acts: as a suspension, which goes away when the EHR says otherwise."""
    for ref in getattr(practice, kind):
        practice.change(ref, active=False)
    report = practice.sync(days=1)
    assert report["status"] == "held"
    what = {"contacts": "the contact is inactive", "charts": "the chart is inactive"}[kind]
    assert f"70 of 70 open charts would be closed because {what} (70)" in report["problems"][0]
    assert {state.split()[0] for charts in practice.states().values() for state in charts.values()} == {"suspended"}
    with read(practice.engine) as connection:
        told = {one["code"]: one for one in findings.listing(connection, [practice.id])}
    code = {"contacts": "brake-on", "charts": "many-closed"}[kind]  # nothing is left to do for charts
    assert what in told[code]["message"] and report["findings"][code] == 1
    for ref in getattr(practice, kind):
        practice.change(ref, active=True)
    report = practice.sync(days=1)  # so many at once are opened by a human
    (plan,) = practice.held()
    assert plan["counts"]["grant"] == 70
    practice.release(plan["run"])
    assert stands(practice) and practice.held() == []


@pytest.mark.parametrize("edit", ["mapping", "allowed roles", "age bands"])
def test_an_edit_of_the_configuration_that_changes_everything(practice: SmallPractice, edit: str) -> None:
    if edit == "mapping":
        folder = practice.folder / "mappings"
        folder.mkdir()
        (folder / "edited.toml").write_text(WRONG_PLACE)
        practice.configure(mapping="edited")
    elif edit == "allowed roles":
        practice.configure('hold_first_welcome = false\nallowed_roles = ["father"]')
    else:
        practice.configure('hold_first_welcome = false\nbands = [{ from = 0, access = "none" }]')
    report = practice.sync(days=1)
    assert report["status"] == "held"
    assert "70 of 70 open charts would be closed because the mapping or the policy changed; " in report["problems"][0]
    ended = [state for charts in practice.states().values() for state in charts.values() if state.startswith("ended")]
    assert ended == []
    assert stands(practice) == (edit != "age bands")  # an age at which nobody may see the chart is said outright
    practice.configure()
    practice.sync(days=1)
    for plan in practice.held():
        practice.release(plan["run"])
    assert stands(practice) and practice.held() == []


def test_one_practice_s_brake_is_no_matter_to_another(engine: sa.Engine, tmp_path: Path) -> None:
    first = SmallPractice(engine, tmp_path / "one", 8)
    second = SmallPractice(engine, tmp_path / "two", 8, id="side-street")
    first.sync()
    second.sync()
    for number in range(1, 8):
        del first.contacts[first.mother(number)]
    del second.contacts[second.mother(1)]
    changed: list[Any] = [first.sync(days=1)["changes"], second.sync(days=1)["changes"]]
    assert changed == [{}, {"cancel-welcome": 1, "close-account": 1, "end-grant": 1}]


def test_too_many_new_addresses_wait_and_nobody_loses_a_chart_meanwhile(practice: SmallPractice) -> None:
    for number in range(1, 11):
        practice.new_email(practice.mother(number), f"another{number}@mail.example")
    report = practice.sync(days=1)
    assert (report["status"], report["changes"]) == ("held", {}) and stands(practice)
    (plan,) = practice.held()
    assert plan["counts"]["move-account"] == 10
    practice.release(plan["run"])
    assert stands(practice) and "another1" in practice.states() and "mother1" not in practice.states()
    assert practice.sync(days=1, full=True)["changes"] == {}


def test_too_many_welcome_emails_wait_while_the_charts_open(engine: sa.Engine, tmp_path: Path) -> None:
    limit = "welcome = { count = 2, percent = 1, week_count = 2, week_percent = 1 }"
    practice = SmallPractice(engine, tmp_path / "site", 20, more=f"[practice.policy.brakes]\n{limit}")
    practice.sync()
    for number in range(21, 26):
        practice.add_family(number)
    report = practice.sync(days=1)
    assert report["changes"] == {"grant": 5, "open-account": 5} and report["held"] == {"brake_welcome": 5}
    assert practice.open_charts() == 25
    assert practice.release(report["run"]).changes == {"queue-welcome": 5}
    assert practice.sync(days=1, full=True)["changes"] == {}


def test_charts_that_the_ehr_does_not_know_by_id_are_absent_and_wait(practice: SmallPractice) -> None:
    gone = {f"Patient/p{number}": practice.charts.pop(f"Patient/p{number}") for number in range(1, 16)}
    report = practice.sync(days=1)
    assert (report["status"], stands(practice)) == ("held", True)
    assert "because the chart is no longer in the EHR (15)" in report["problems"][0]
    practice.charts |= gone
    assert practice.sync(days=1)["status"] == "complete" and stands(practice) and practice.held() == []


def test_one_chart_that_is_gone_is_closed(practice: SmallPractice) -> None:
    del practice.charts["Patient/p1"]
    practice.sync(days=1)
    assert practice.states()["mother1"] == {"p1": "suspended patient-gone"}
