"""A whole account suspended by hand: every chart closes, past brakes and later syncs, until a human lifts it."""

from pathlib import Path

import pytest
import sqlalchemy as sa

from adapter.errors import FatalError
from adapter.jobs.explain import explain
from adapter.jobs.revoke import revoke
from adapter.jobs.suspend import lift, suspend
from adapter.jobs.undo import undo
from adapter.store import tables as t
from adapter.store import views
from adapter.store.engine import begin, read
from tests.edges.small_practice import PRACTICE, SmallPractice

MOTHER = "mother1@mail.example"
HERE = {"actor": "person:rita"}


@pytest.fixture
def practice(engine: sa.Engine, tmp_path: Path) -> SmallPractice:
    """Eight families; the first mother has two children, and nobody has registered yet."""
    one = SmallPractice(engine, tmp_path / "site", 8)
    one.add_family(9)
    one.new_email(one.mother(9), MOTHER)
    one.change(one.mother(9), name=one.contacts[one.mother(1)]["name"])
    one.sync()
    assert one.states()["mother1"] == {"p1": "active", "p9": "active"}
    return one


def shut(practice: SmallPractice, email: str = MOTHER, *, reason: str = "court order of 4 May") -> int:
    return suspend(practice.engine, PRACTICE, email, reason=reason, now=practice.now, **HERE).closed


def give_back(practice: SmallPractice, email: str = MOTHER) -> None:
    lift(practice.engine, PRACTICE, email, reason="order lifted", actor="person:sam", now=practice.now)


def both(state: str) -> dict[str, str]:
    return {"p1": state, "p9": state}


def test_every_chart_closes_and_the_waiting_welcome_email_is_cancelled(practice: SmallPractice) -> None:
    assert shut(practice) == 2
    assert practice.states()["mother1"] == both("suspended suspended-by-practice")
    assert practice.status(MOTHER) == "suspended"
    mails = sa.select(t.effect.c.state).where(t.effect.c.kind == "welcome", t.effect.c.to == MOTHER)
    with read(practice.engine) as connection:
        assert connection.scalars(mails).all() == ["cancelled"]
    (entry,) = practice.audit("suspend-by-hand")
    assert (entry["actor"], entry["detail"]["reason"]) == ("person:rita", "court order of 4 May")


def test_links_that_were_not_used_end_and_the_portal_is_told(practice: SmallPractice) -> None:
    with begin(practice.engine) as connection:
        connection.execute(sa.update(t.effect).values(state="sent", done_at=practice.now))
        connection.execute(sa.update(t.account).values(status="invited"))
    shut(practice)
    mine = sa.select(t.welcome.c.link_closed_at).where(t.welcome.c.email == MOTHER)
    told = sa.select(t.effect.c.to).where(t.effect.c.kind == "account", t.effect.c.state == "queued")
    with read(practice.engine) as connection:
        assert None not in connection.scalars(mine).all()
        assert connection.scalars(told).all() == [MOTHER]


def test_no_later_sync_opens_any_chart_not_even_a_new_child_s(practice: SmallPractice) -> None:
    shut(practice)
    practice.authority(practice.mother(1), "exclusive")
    practice.add_family(10)
    practice.new_email(practice.mother(10), MOTHER)
    practice.change(practice.mother(10), name=practice.contacts[practice.mother(1)]["name"])
    for request in ({}, {"full": True}, {"person": "Patient/p1"}):
        practice.sync(days=1, **request)
        assert "active" not in practice.states()["mother1"].values()
        assert practice.status(MOTHER) == "suspended"


def test_it_passes_a_brake_that_is_on(practice: SmallPractice) -> None:
    for number in range(2, 9):
        del practice.contacts[practice.mother(number)]
    practice.sync(days=1)
    assert practice.open_charts() == 9
    shut(practice)
    assert practice.open_charts() == 7


def test_a_new_address_does_not_get_around_it(practice: SmallPractice) -> None:
    shut(practice)
    for number in (1, 9):
        practice.new_email(practice.mother(number), "another@mail.example")
    practice.sync(days=1)
    assert practice.open_charts() == 7
    give_back(practice, "another@mail.example")
    practice.sync(days=1)
    assert practice.open_charts() == 9


def test_lifted_it_is_the_charts_that_decide_and_a_new_welcome_email_is_queued(practice: SmallPractice) -> None:
    shut(practice)
    practice.authority(practice.mother(9), "none")
    practice.sync(days=1)
    give_back(practice)
    practice.sync(days=1)
    assert practice.states()["mother1"] == {"p1": "active", "p9": "ended authority-none"}
    assert practice.status(MOTHER) == "pending"
    mails = sa.select(t.effect.c.state).where(t.effect.c.kind == "welcome", t.effect.c.to == MOTHER)
    with read(practice.engine) as connection:
        assert sorted(connection.scalars(mails).all()) == ["cancelled", "queued"]
    assert [entry["actor"] for entry in practice.audit("lift-suspension")] == ["person:sam"]


def test_whoever_had_registered_is_registered_again(practice: SmallPractice) -> None:
    with begin(practice.engine) as connection:
        connection.execute(sa.update(t.effect).values(state="sent", done_at=practice.now))
        connection.execute(sa.update(t.account).values(status="registered", registered_at=practice.now))
    shut(practice)
    practice.sync(days=1)
    give_back(practice)
    practice.sync(days=1)
    assert (practice.status(MOTHER), practice.states()["mother1"]) == ("registered", both("active"))


def test_a_chart_that_was_revoked_by_itself_stays_revoked(practice: SmallPractice) -> None:
    revoke(practice.engine, PRACTICE, MOTHER, "Patient/p9", reason="custody", now=practice.now, **HERE)
    shut(practice)
    give_back(practice)
    practice.sync(days=1)
    assert practice.states()["mother1"] == {"p1": "active", "p9": "suspended revoked-by-practice"}


def test_an_undo_does_not_get_around_it(practice: SmallPractice) -> None:
    del practice.contacts[practice.mother(1)]
    run = practice.sync(days=1)["run"]
    shut(practice)
    undo(practice.engine, practice.app.practices, run, actor="person:rita", now=practice.now, apply=True)
    assert "active" not in practice.states()["mother1"].values()
    assert practice.open_charts() == 7


def test_explain_and_accounts_say_who_suspended_it_when_and_why(practice: SmallPractice) -> None:
    shut(practice)
    answer = explain(practice.engine, practice.practice, MOTHER, clock=lambda: practice.now)
    assert answer.verdict.startswith(f"rita suspended the account {MOTHER} on 4 May 2026 at ")
    assert answer.verdict.endswith(': "court order of 4 May".')
    assert answer.remedy.endswith("adapter suspend EMAIL --lift.")
    with read(practice.engine) as connection:
        (shown,) = views.accounts(connection, [PRACTICE], email_key=MOTHER)
    assert (shown["suspension"]["actor"], shown["suspension"]["reason"]) == ("person:rita", "court order of 4 May")


def test_what_makes_no_sense_is_refused(practice: SmallPractice) -> None:
    with pytest.raises(FatalError, match="Nobody at this practice"):
        shut(practice, "nobody@mail.example")
    with pytest.raises(FatalError, match="Say why"):
        shut(practice, reason="  ")
    with pytest.raises(FatalError, match="nothing to lift"):
        give_back(practice)
    shut(practice)
    with pytest.raises(FatalError, match="already"):
        shut(practice)
