"""One urgent revocation by the practice itself: it passes every brake and sticks until somebody lifts it."""

from pathlib import Path

import pytest
import sqlalchemy as sa

from adapter.errors import FatalError
from adapter.jobs.explain import explain
from adapter.jobs.revoke import lift, revoke
from adapter.jobs.undo import undo
from adapter.store import tables as t
from adapter.store.engine import begin
from tests.edges.small_practice import PRACTICE, SmallPractice


@pytest.fixture
def practice(engine: sa.Engine, tmp_path: Path) -> SmallPractice:
    """Eight families; the mothers have registered."""
    one = SmallPractice(engine, tmp_path / "site", 8)
    one.sync()
    with begin(engine) as connection:
        connection.execute(sa.update(t.effect).values(state="sent", done_at=one.now))
        connection.execute(sa.update(t.account).values(status="registered", registered_at=one.now))
    return one


def take_away(practice: SmallPractice, number: int, *, reason: str = "court order of 4 May") -> bool:
    email, patient = f"mother{number}@mail.example", f"Patient/p{number}"
    done = revoke(practice.engine, PRACTICE, email, patient, reason=reason, actor="person:rita", now=practice.now)
    return done.was_open


def give_back(practice: SmallPractice, number: int, email: str = "") -> None:
    email = email or f"mother{number}@mail.example"
    patient = f"Patient/p{number}"
    lift(practice.engine, PRACTICE, email, patient, reason="order lifted", actor="person:sam", now=practice.now)


def test_it_acts_at_once_even_while_a_brake_is_on(practice: SmallPractice) -> None:
    for number in range(1, 8):
        del practice.contacts[practice.mother(number)]
    practice.sync(days=1)
    assert practice.open_charts() == 8
    assert take_away(practice, 1) and take_away(practice, 8)
    assert practice.open_charts() == 6
    assert practice.states()["mother8"] == {"p8": "suspended revoked-by-practice"}
    assert practice.status("mother8@mail.example") == "suspended"
    entry = practice.audit("revoke-access")[1]
    assert (entry["actor"], entry["detail"]["reason"]) == ("person:rita", "court order of 4 May")


def test_the_portal_is_told(practice: SmallPractice) -> None:
    take_away(practice, 1)
    queued = sa.select(t.effect.c.to).where(t.effect.c.kind == "account", t.effect.c.state == "queued")
    with begin(practice.engine) as connection:
        assert connection.scalars(queued).all() == ["mother1@mail.example"]


def test_no_later_sync_opens_it_whatever_the_chart_says(practice: SmallPractice) -> None:
    take_away(practice, 1)
    practice.authority(practice.mother(1), "exclusive")
    for request in ({}, {"full": True}, {"person": "Patient/p1"}):
        practice.change("Patient/p1", birthDate=f"201{len(request)}-01-0{1 + len(request)}")
        practice.sync(days=1, **request)
        assert practice.states()["mother1"] == {"p1": "suspended revoked-by-practice"}


def test_a_new_address_does_not_get_around_it(practice: SmallPractice) -> None:
    take_away(practice, 1)
    practice.new_email(practice.mother(1), "another@mail.example")
    practice.sync(days=1)
    assert practice.open_charts() == 7
    give_back(practice, 1, "another@mail.example")
    practice.sync(days=1)
    assert practice.open_charts() == 8


def test_a_sibling_s_chart_stays_open(practice: SmallPractice) -> None:
    practice.add_family(9)
    practice.new_email(practice.mother(9), "mother1@mail.example")
    practice.change(practice.mother(9), name=practice.contacts[practice.mother(1)]["name"])
    practice.sync(days=1)
    assert practice.states()["mother1"] == {"p1": "active", "p9": "active"}
    take_away(practice, 1)
    assert practice.states()["mother1"] == {"p1": "suspended revoked-by-practice", "p9": "active"}
    assert practice.status("mother1@mail.example") == "registered"


def test_somebody_who_has_no_access_yet_gets_none_later(practice: SmallPractice) -> None:
    father = practice.add_contact(1, role="Father")
    practice.authority(father, "none")
    practice.sync(days=1)
    done = revoke(
        practice.engine,
        PRACTICE,
        "father1@mail.example",
        "Patient/p1",
        reason="custody",
        actor="person:rita",
        now=practice.now,
    )
    assert not done.was_open
    practice.authority(father, "joint")
    practice.sync(days=1)
    assert "father1" not in practice.states()


def test_lifted_it_is_the_chart_that_decides_again(practice: SmallPractice) -> None:
    take_away(practice, 1)
    take_away(practice, 2)
    practice.authority(practice.mother(2), "none")
    practice.sync(days=1)
    give_back(practice, 1)
    give_back(practice, 2)
    practice.sync(days=1)
    assert practice.states()["mother1"] == {"p1": "active"}
    assert practice.states()["mother2"] == {"p2": "ended authority-none"}
    assert practice.status("mother1@mail.example") == "registered"
    assert [entry["actor"] for entry in practice.audit("lift-revocation")] == ["person:sam", "person:sam"]


def test_an_undo_does_not_get_around_it(practice: SmallPractice) -> None:
    del practice.contacts[practice.mother(1)]
    run = practice.sync(days=1)["run"]
    take_away(practice, 1)
    shown = undo(practice.engine, practice.app.practices, run, actor="person:rita", now=practice.now, apply=True)
    assert shown.stays == [("mother1@mail.example", "Patient/p1", "revoked-by-practice")]
    assert practice.open_charts() == 7


def test_explain_says_that_the_practice_has_taken_it_away(practice: SmallPractice) -> None:
    take_away(practice, 1)
    answer = explain(practice.engine, practice.practice, "mother1@mail.example", clock=lambda: practice.now)
    assert "because somebody at the practice has taken this access away" in answer.verdict
    assert answer.remedy.endswith("adapter revoke --lift.")


def test_what_makes_no_sense_is_refused(practice: SmallPractice) -> None:
    for email, patient, reason, said in (
        ("nobody@mail.example", "Patient/p1", "why", "Nobody at this practice"),
        ("mother1@mail.example", "Patient/zz", "why", "no chart Patient/zz"),
        ("mother1@mail.example", "Patient/p1", "  ", "Say why"),
    ):
        with pytest.raises(FatalError, match=said):
            revoke(practice.engine, PRACTICE, email, patient, reason=reason, actor="person:rita", now=practice.now)
    take_away(practice, 1)
    with pytest.raises(FatalError, match="already"):
        take_away(practice, 1)
    with pytest.raises(FatalError, match="nothing to lift"):
        give_back(practice, 2)
