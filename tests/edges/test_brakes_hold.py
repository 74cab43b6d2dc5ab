"""Brakes on a database: what is held survives until somebody releases it, it is planned anew, or it expires."""

from pathlib import Path

import pytest
import sqlalchemy as sa

from adapter.errors import FatalError
from adapter.jobs.explain import explain
from tests.edges.small_practice import SmallPractice


@pytest.fixture
def practice(engine: sa.Engine, tmp_path: Path) -> SmallPractice:
    """Twelve families after their first sync, a day later."""
    one = SmallPractice(engine, tmp_path / "site", 12)
    report = one.sync()
    assert (report["status"], report["changes"]["grant"]) == ("complete", 12)
    return one


def lose(practice: SmallPractice, count: int) -> None:
    """So many contacts are no longer there."""
    for number in range(1, count + 1):
        del practice.contacts[practice.mother(number)]


def test_the_first_load_of_a_practice_trips_no_brake(engine: sa.Engine, tmp_path: Path) -> None:
    practice = SmallPractice(engine, tmp_path / "site", 80)
    assert practice.sync()["changes"]["grant"] == 80
    assert practice.held() == []


def test_a_few_contacts_that_are_gone_end_as_ever(practice: SmallPractice) -> None:
    lose(practice, 5)
    assert practice.sync(days=1)["changes"]["end-grant"] == 5


def test_too_many_contacts_that_are_gone_wait_with_their_names_and_the_cause(practice: SmallPractice) -> None:
    lose(practice, 8)
    report = practice.sync(days=1)
    assert (report["status"], report["changes"]) == ("held", {})
    assert report["held"] == {"brake_revocation": 8}
    assert practice.open_charts() == 12
    (plan,) = practice.held()
    assert plan["counts"] == {"close-account": 8, "end-grant": 8, "cancel-welcome": 8}
    assert plan["cause"].startswith("8 of 12 open charts would be closed because the contact was removed")
    names = {line["name"] for family in plan["families"] for line in family["lines"]}
    assert len(names) == 8 and all(name.startswith("Mother ") for name in names)
    assert report["problems"] == [plan["cause"]] and report["findings"]["brake-on"] == 1


def test_what_waits_survives_later_runs_and_other_kinds_go_on(practice: SmallPractice) -> None:
    lose(practice, 8)
    run = practice.sync(days=1)["run"]
    practice.add_family(13)
    report = practice.sync(days=1)
    assert (report["changes"]["grant"], report["status"]) == (1, "held")
    assert practice.sync(days=1, full=True)["changes"] == {}
    assert [plan["run"] for plan in practice.held()] == [run]
    assert practice.open_charts() == 13


def test_a_contact_with_authority_none_is_suspended_while_the_brake_is_on(practice: SmallPractice) -> None:
    lose(practice, 8)
    practice.authority(practice.mother(9), "none")
    assert practice.sync(days=1)["changes"] == {"cancel-welcome": 1, "suspend-grant": 1}
    assert practice.states()["mother9"] == {"p9": "suspended authority-none"}
    practice.authority(practice.mother(10), "none")  # and in a later run, as long as what was held waits
    practice.sync(days=1)
    assert practice.states()["mother10"] == {"p10": "suspended authority-none"}
    assert practice.open_charts() == 10


def test_a_release_does_what_was_held_and_nothing_else(practice: SmallPractice) -> None:
    lose(practice, 8)
    run = practice.sync(days=1)["run"]
    done = practice.release(run, expected=practice.held()[0]["hash"])
    assert done.changes["end-grant"] == 8 and done.stale == ()
    assert practice.open_charts() == 4
    assert practice.held() == []
    assert practice.sync(days=1)["status"] == "complete"
    assert practice.audit("release-plan")[0]["actor"] == "person:rita"
    del practice.contacts[practice.mother(9)]  # what was released is not counted against what comes later
    assert practice.sync(days=1)["changes"]["end-grant"] == 1


def test_what_came_back_meanwhile_is_no_longer_held(practice: SmallPractice) -> None:
    kept = {number: practice.contacts[practice.mother(number)] for number in range(1, 9)}
    lose(practice, 8)
    practice.sync(days=1)
    practice.contacts |= {practice.mother(number): one for number, one in kept.items() if number < 8}
    report = practice.sync(days=1)
    assert report["held"] == {"brake_revocation": 1}
    practice.contacts[practice.mother(8)] = kept[8]
    assert practice.sync(days=1)["status"] == "complete"
    assert practice.held() == [] and practice.open_charts() == 12
    assert practice.sync(days=1)["findings"] == {}


def test_a_release_of_what_has_moved_is_refused_and_names_what_moved(practice: SmallPractice) -> None:
    lose(practice, 8)
    run = practice.sync(days=1)["run"]
    practice.change("Patient/p3", active=False)
    with pytest.raises(KeyboardInterrupt):
        practice.sync(stop_at="charts", person="Patient/p3")  # read, and then somebody stops it
    refused = practice.release(run)
    assert [(one.account, one.moved) for one in refused.stale] == [("mother3@mail.example", ("Patient/p3",))]
    assert (refused.changes, refused.left) == ({}, 7)
    assert practice.open_charts() == 12
    assert practice.release(run).changes["end-grant"] == 7
    practice.sync(days=1)  # plans the one that had moved anew
    assert practice.states()["mother3"]["p3"].startswith(("suspended", "ended"))


def test_a_plan_that_is_not_the_one_that_was_looked_at_is_not_released(practice: SmallPractice) -> None:
    lose(practice, 8)
    run = practice.sync(days=1)["run"]
    with pytest.raises(FatalError, match="is not what you have looked at any more"):
        practice.release(run, expected="0" * 64)
    assert practice.open_charts() == 12


def test_a_plan_expires_and_is_decided_anew(practice: SmallPractice) -> None:
    lose(practice, 8)
    first = practice.sync(days=1)["run"]
    practice.now = practice.now.replace(day=practice.now.day + 8)
    with pytest.raises(FatalError, match="could be released until"):
        practice.release(first)
    second = practice.sync()["run"]
    assert [plan["run"] for plan in practice.held()] == [second]
    assert practice.open_charts() == 12


def test_two_different_people_release_where_the_practice_wants_it(practice: SmallPractice) -> None:
    practice.configure("hold_first_welcome = false\nrelease_needs_two = true")
    lose(practice, 8)
    run = practice.sync(days=1)["run"]
    assert practice.release(run, actor="person:rita").needs_second
    assert practice.release(run, actor="person:rita").needs_second
    assert practice.open_charts() == 12 and practice.held()[0]["approved_by"] == "person:rita"
    assert practice.release(run, actor="person:sam").changes["end-grant"] == 8
    assert [entry["actor"] for entry in practice.audit("approve-plan")] == ["person:rita", "person:rita"]


def test_a_slow_bleed_of_one_percent_a_day_is_stopped_within_a_week(engine: sa.Engine, tmp_path: Path) -> None:
    practice = SmallPractice(engine, tmp_path / "site", 100)
    practice.sync()
    for day in range(1, 9):
        del practice.contacts[practice.mother(day)]
        practice.sync(days=1)
    assert practice.open_charts() == 95  # five within 7 days are ordinary
    assert sum(plan["counts"]["end-grant"] for plan in practice.held()) == 3
    assert "within 7 days because the contact was removed" in practice.held()[0]["cause"]


def test_explain_says_that_it_waits_and_where(practice: SmallPractice) -> None:
    lose(practice, 8)
    run = practice.sync(days=1)["run"]
    answer = explain(practice.engine, practice.practice, "mother1@mail.example", clock=lambda: practice.now)
    assert answer.verdict.startswith(f"What run {run} would change for mother1@mail.example is more than is ordinary")
    assert (answer.reason, answer.steps[0].outcome) == ("brake-on", "brake-on")
    assert f"adapter held {run}" in answer.remedy
    unheld = explain(practice.engine, practice.practice, "mother9@mail.example", clock=lambda: practice.now)
    assert "ordinary" not in unheld.verdict


def test_a_chart_stays_open_to_no_old_address_once_its_held_move_is_off(practice: SmallPractice) -> None:
    """The new address turns out to be somebody else's too, so nothing moves there: then the old one is closed."""
    for number in range(1, 7):
        practice.new_email(practice.mother(number), f"another{number}@mail.example")
    assert practice.sync(days=1)["held"]["brake_address_change"] == 6
    practice.add_contact(7, role="Father", email="another1@mail.example")
    practice.sync(days=1)
    assert practice.states()["mother1"] == {"p1": "ended email-changed"}


def test_a_patient_who_died_is_not_left_open_by_a_brake_because_the_contact_is_damaged(
    practice: SmallPractice,
) -> None:
    lose(practice, 8)
    practice.sync(days=1)
    practice.change("Patient/p9", deceasedBoolean=True)
    practice.change(practice.mother(9), implicitRules="https://ehr.example/other-rules")
    practice.sync(days=1)
    assert practice.states()["mother9"] == {"p9": "held record-unusable"}


def test_a_merged_chart_is_not_left_open_by_a_brake_because_the_contact_is_gone(practice: SmallPractice) -> None:
    lose(practice, 8)
    practice.change("Patient/p1", link=[{"type": "replaced-by", "other": {"reference": "Patient/p12"}}])
    practice.sync(days=1)
    states = practice.states()
    assert states["mother1"] == {"p1": "suspended contact-gone"}
    assert states["mother2"] == {"p2": "active"}  # absence alone waits
