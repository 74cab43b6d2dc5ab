"""Taking a run back: everything is as it was before, or nothing happens and it says why."""

from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from adapter.errors import FatalError
from adapter.jobs.undo import Undo, undo
from adapter.store import tables as t
from adapter.store.engine import begin, read
from tests.edges.small_practice import SmallPractice


@pytest.fixture
def practice(engine: sa.Engine, tmp_path: Path) -> SmallPractice:
    """Six families; the mothers have had their Welcome emails, and the first one has registered."""
    one = SmallPractice(engine, tmp_path / "site", 6)
    one.sync()
    with begin(engine) as connection:
        connection.execute(sa.update(t.effect).values(state="sent", done_at=one.now))
        connection.execute(sa.update(t.account).values(status="invited"))
        first = t.account.c.email_key == "mother1@mail.example"
        connection.execute(sa.update(t.account).where(first).values(status="registered", registered_at=one.now))
    return one


def take_back(practice: SmallPractice, run: int, *, apply: bool = True) -> Undo:
    return undo(practice.engine, practice.app.practices, run, actor="person:rita", now=practice.now, apply=apply)


def accounts(practice: SmallPractice) -> list[Any]:
    """Accounts and grants, without when and why they came to be as they are."""
    names = ("email_key", "email", "name", "language", "status", "registered_at")
    grants = ("patient", "contact", "role", "authority", "access", "state", "is_self", "until")
    query = (
        sa.select(*(t.account.c[name] for name in names), *(t.grant.c[name] for name in grants), t.grant.c.reason)
        .join(t.grant, t.grant.c.account_id == t.account.c.id)
        .order_by(t.account.c.email_key, t.grant.c.patient)
    )
    with read(practice.engine) as connection:
        return [tuple(row) for row in connection.execute(query)]


def everything_happens(practice: SmallPractice) -> int:
    """A run that does each kind of thing; its number."""
    del practice.contacts[practice.mother(1)]
    practice.new_email(practice.mother(2), "another2@mail.example")
    practice.change(practice.mother(3), name=[{"family": "Marriedson", "given": ["Mother"]}])
    practice.change("Patient/p4", active=False)
    practice.authority(practice.mother(5), "exclusive")
    return int(practice.sync(days=1)["run"])


def test_a_run_is_shown_and_then_taken_back_whole(practice: SmallPractice) -> None:
    before = accounts(practice)
    run = everything_happens(practice)
    changed = accounts(practice)
    assert changed != before
    shown = take_back(practice, run, apply=False)
    assert accounts(practice) == changed and shown.done_by is None
    assert shown.stays == [("mother4@mail.example", "Patient/p4", "patient-inactive")]
    done = take_back(practice, run)
    assert done.changes == shown.changes and done.hash == shown.hash
    after = accounts(practice)
    assert [row for row in after if "mother4" not in row[0]] == [row for row in before if "mother4" not in row[0]]
    assert [row for row in after if "mother4" in row[0]] == [row for row in changed if "mother4" in row[0]]
    assert practice.audit("undo-run")[0]["actor"] == "person:rita"


def test_what_the_next_sync_would_do_again_is_said(practice: SmallPractice) -> None:
    run = everything_happens(practice)
    done = take_back(practice, run)
    again = {(line.action, line.account) for family in done.again for line in family.lines}
    assert ("end-grant", "mother1@mail.example") in again
    assert ("move-account", "mother2@mail.example") in again
    assert practice.sync(days=1)["changes"] == {}  # as long as nothing changes in the EHR, it stays taken back


def test_accounts_that_the_run_opened_are_closed_and_their_queued_mail_does_not_leave(practice: SmallPractice) -> None:
    practice.add_family(7)
    run = practice.sync(days=1)["run"]
    done = take_back(practice, run)
    assert done.changes == {"cancel-welcome": 1, "close-account": 1, "end-grant": 1} and done.left == []
    assert practice.states()["mother7"] == {"p7": "ended undone"}
    assert practice.status("mother7@mail.example") == "closed"
    assert _welcomes(practice, "mother7@mail.example") == ["cancelled"]


def test_mail_that_has_left_is_listed(practice: SmallPractice) -> None:
    practice.add_family(7)
    run = practice.sync(days=1)["run"]
    with begin(practice.engine) as connection:
        connection.execute(sa.update(t.effect).where(t.effect.c.state == "queued").values(state="sent"))
        mine = t.account.c.email_key == "mother7@mail.example"
        connection.execute(sa.update(t.account).where(mine).values(status="invited"))
    done = take_back(practice, run)
    assert done.left == ["mother7@mail.example"]
    assert practice.status("mother7@mail.example") == "closed"


def test_a_chart_that_now_says_no_stays_closed(practice: SmallPractice) -> None:
    del practice.contacts[practice.mother(1)]
    practice.authority(practice.mother(2), "none")
    run = practice.sync(days=1)["run"]
    practice.change("Patient/p1", deceasedBoolean=True)
    practice.sync(days=1)
    done = take_back(practice, run)
    assert done.stays == [
        ("mother1@mail.example", "Patient/p1", "patient-deceased"),
        ("mother2@mail.example", "Patient/p2", "authority-none"),
    ]
    assert done.changes == {}
    assert practice.status("mother1@mail.example") == "closed"


def test_a_father_with_exclusive_authority_keeps_the_chart_closed(
    practice: SmallPractice,
) -> None:
    del practice.contacts[practice.mother(1)]
    run = practice.sync(days=1)["run"]
    practice.authority(practice.add_contact(1, role="Father"), "exclusive")
    practice.sync(days=1)
    assert take_back(practice, run).stays == [("mother1@mail.example", "Patient/p1", "authority-conflict")]


def test_a_run_that_was_followed_by_another_one_is_not_taken_back(practice: SmallPractice) -> None:
    practice.authority(practice.mother(1), "none")
    first = practice.sync(days=1)["run"]
    practice.authority(practice.mother(1), "joint")
    second = practice.sync(days=1)["run"]
    before = accounts(practice)
    refused = take_back(practice, first)
    assert {(one.account, one.what, one.by) for one in refused.blocked} == {
        ("mother1@mail.example", "Patient/p1", second),
        ("mother1@mail.example", "account", second),
    }
    assert accounts(practice) == before and refused.done_by is None
    assert take_back(practice, second).done_by  # the later one first
    assert practice.states()["mother1"] == {"p1": "ended authority-none"}
    assert take_back(practice, first).blocked == []  # and then the first one: the chart says Joint now
    assert practice.states()["mother1"] == {"p1": "active"}


def test_a_run_is_taken_back_once(practice: SmallPractice) -> None:
    del practice.contacts[practice.mother(1)]
    run = practice.sync(days=1)["run"]
    done = take_back(practice, run)
    assert done.done_by is not None
    assert [one.by for one in take_back(practice, run).blocked if one.what == "account"] == [done.done_by]
    back = take_back(practice, done.done_by)  # and what was taken back can be taken back
    assert back.blocked == [] and practice.states()["mother1"] == {"p1": "ended contact-gone"}


def test_what_was_released_can_be_taken_back(practice: SmallPractice) -> None:
    before = accounts(practice)
    for number in range(1, 7):
        del practice.contacts[practice.mother(number)]
    held = practice.sync(days=1)["run"]
    done_by = practice.release(held).done_by
    assert practice.open_charts() == 0 and done_by is not None
    take_back(practice, done_by)
    assert accounts(practice) == before


def test_a_run_that_changed_nothing_says_so(practice: SmallPractice) -> None:
    run = practice.sync(days=1)["run"]
    with pytest.raises(FatalError, match="has changed nothing"):
        take_back(practice, run)
    with pytest.raises(FatalError, match="There is no run 99"):
        take_back(practice, 99)


def _welcomes(practice: SmallPractice, email: str) -> list[str]:
    query = sa.select(t.effect.c.state).where(t.effect.c.kind == "welcome", t.effect.c.to == email)
    with read(practice.engine) as connection:
        return list(connection.scalars(query))
