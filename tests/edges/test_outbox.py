"""The outbox on both databases: claimed once, answered by its owner, retried with patience, never hidden."""

import threading
from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa

from adapter.core.state import EffectKind, EffectState
from adapter.store import outbox, post
from adapter.store import tables as t
from adapter.store.engine import begin
from adapter.store.outbox import LEASE, Claimed
from tests.edges.effects import NOW, PRACTICE, add_account, add_effect, add_welcome, row_of, states

ACCOUNT, WELCOME, NOTICE, WIDGET = EffectKind.ACCOUNT, EffectKind.WELCOME, EffectKind.NOTICE, EffectKind.WIDGET
MINUTE = timedelta(minutes=1)


def take(engine: sa.Engine, kind: EffectKind, owner: str, now: datetime = NOW, limit: int = 10) -> list[Claimed]:
    """What a worker does first."""
    with begin(engine) as connection:
        outbox.recover(connection, now=now)
        post.lost(connection, PRACTICE, now=now)
        ids = outbox.due(connection, practice=PRACTICE, kind=kind, now=now, limit=limit)
        return outbox.claim(connection, ids, owner=owner, now=now)


def ids(claimed: Sequence[Claimed]) -> list[str]:
    return sorted(one.id for one in claimed)


def test_an_effect_is_claimed_once(engine: sa.Engine) -> None:
    add_effect(engine, "e1", ACCOUNT, "a1")
    assert ids(take(engine, ACCOUNT, "one")) == ["e1"]
    assert take(engine, ACCOUNT, "two") == []


def test_of_eight_workers_that_want_the_same_effects_each_gets_its_own(engine: sa.Engine) -> None:
    for number in range(60):
        add_effect(engine, f"e{number:02}", NOTICE, f"a{number}")
    taken: dict[str, list[str]] = {}
    start = threading.Barrier(8)

    def work(owner: str) -> None:
        start.wait()
        taken[owner] = []
        while claimed := take(engine, NOTICE, owner, limit=5):
            taken[owner] += ids(claimed)

    threads = [threading.Thread(target=work, args=(f"w{number}",)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    everything = [one for mine in taken.values() for one in mine]
    assert len(taken) == 8
    assert sorted(everything) == [f"e{number:02}" for number in range(60)]


def test_only_what_is_due_is_taken_the_longest_due_first(engine: sa.Engine) -> None:
    add_effect(engine, "later", NOTICE, "a1", next_at=NOW + MINUTE)
    add_effect(engine, "now", NOTICE, "a2")
    add_effect(engine, "before", NOTICE, "a3", next_at=NOW - MINUTE)
    add_effect(engine, "held", NOTICE, "a4", state=EffectState.HELD)
    add_effect(engine, "elsewhere", NOTICE, "a5", practice="elm-street")
    assert [one.id for one in take(engine, NOTICE, "one", limit=1)] == ["before"]
    assert [one.id for one in take(engine, NOTICE, "one")] == ["now"]


def test_a_parent_gets_no_link_before_the_portal_knows_the_account(engine: sa.Engine) -> None:
    add_account(engine, "a1")
    add_account(engine, "a2")
    add_effect(engine, "e1", ACCOUNT, "a1")
    add_welcome(engine, "w1", "a1")
    add_welcome(engine, "w2", "a2")
    assert ids(take(engine, WELCOME, "one")) == ["w2-mail"]
    claimed = take(engine, ACCOUNT, "one")
    assert take(engine, WELCOME, "one") == []
    with begin(engine) as connection:
        assert outbox.complete(connection, ids(claimed), owner="one", now=NOW) == 1
    assert ids(take(engine, WELCOME, "one")) == ["w1-mail"]


@pytest.mark.parametrize("state", [EffectState.QUEUED, EffectState.SENDING, EffectState.FAILED, EffectState.HELD])
def test_a_welcome_waits_while_the_portal_has_not_taken_its_account(engine: sa.Engine, state: EffectState) -> None:
    add_account(engine, "a1")
    add_welcome(engine, "w1", "a1")
    add_effect(engine, "e1", ACCOUNT, "a1", state=state, next_at=NOW + MINUTE, lease_until=NOW + MINUTE)
    assert take(engine, WELCOME, "one") == []


def test_a_welcome_waits_once_the_answer_by_which_its_chart_is_open_has_expired(engine: sa.Engine) -> None:
    add_account(engine, "a1")
    add_welcome(engine, "w1", "a1")
    with begin(engine) as connection:
        connection.execute(sa.update(t.grant).values(until=NOW + MINUTE))
    assert take(engine, WELCOME, "one", NOW + MINUTE) == []
    assert ids(take(engine, WELCOME, "one", NOW)) == ["w1-mail"]


def test_an_older_state_of_an_account_cannot_overtake_a_newer_one(engine: sa.Engine) -> None:
    add_effect(engine, "e1", ACCOUNT, "a1")
    assert ids(take(engine, ACCOUNT, "one")) == ["e1"]
    add_effect(engine, "e2", ACCOUNT, "a1")
    assert take(engine, ACCOUNT, "two") == []


@pytest.mark.parametrize("kind", [ACCOUNT, WIDGET])
def test_a_worker_that_stopped_leaves_repeatable_work_to_the_next(engine: sa.Engine, kind: EffectKind) -> None:
    add_effect(engine, "e1", kind, "a1")
    take(engine, kind, "one")
    assert take(engine, kind, "two", NOW + LEASE - MINUTE) == []
    (again,) = take(engine, kind, "two", NOW + LEASE)
    assert again.attempts == 2


@pytest.mark.parametrize("kind", [WELCOME, NOTICE])
def test_a_worker_that_stopped_while_sending_leaves_an_honest_unknown(engine: sa.Engine, kind: EffectKind) -> None:
    add_account(engine, "a1")
    if kind is WELCOME:
        add_welcome(engine, "w1", "a1")
    else:
        add_effect(engine, "w1-mail", NOTICE, "a1")
    take(engine, kind, "one")
    assert take(engine, kind, "two", NOW + LEASE) == []
    row = row_of(engine, t.effect, "w1-mail")
    assert row["state"] == EffectState.UNKNOWN
    assert "nobody knows" in row["last_error"]
    # The worker was only slow: what it says is the truth.
    with begin(engine) as connection:
        assert outbox.complete(connection, ["w1-mail"], owner="one", now=NOW) == 1
    assert states(engine) == {"w1-mail": EffectState.SENT}


def test_a_worker_that_lost_its_lease_is_not_heard_and_the_current_state_is_delivered_once_more(
    engine: sa.Engine,
) -> None:
    add_effect(engine, "e1", ACCOUNT, "a1")
    take(engine, ACCOUNT, "slow")
    take(engine, ACCOUNT, "quick", NOW + LEASE)
    with begin(engine) as connection:
        assert outbox.complete(connection, ["e1"], owner="slow", now=NOW) == 0
        assert outbox.fail(connection, ["e1"], owner="slow", now=NOW, error="x") is EffectState.FAILED
    assert states(engine) == {"e1": EffectState.SENDING}
    with begin(engine) as connection:
        outbox.redo(connection, ["e1"], owner="slow", now=NOW)
        assert outbox.complete(connection, ["e1"], owner="quick", now=NOW) == 0
    assert ids(take(engine, ACCOUNT, "third")) == ["e1"]


def test_failures_back_off_and_show_in_the_list(engine: sa.Engine) -> None:
    add_effect(engine, "e1", NOTICE, "a1")
    waits, now = [], NOW
    for _ in range(12):
        claimed = take(engine, NOTICE, "one", now)
        with begin(engine) as connection:
            assert outbox.retry(connection, NOTICE, claimed, owner="one", now=now, error="451") is EffectState.QUEUED
        next_at = row_of(engine, t.effect, "e1")["next_at"]
        assert take(engine, NOTICE, "one", next_at - timedelta(seconds=1)) == []
        waits.append((next_at - now) / MINUTE)
        now = next_at
    assert waits == [1, 2, 4, 8, 16, 32, 64, 120, 120, 120, 120, 120]
    with begin(engine) as connection:
        (row,) = outbox.listing(connection)
    assert row == {
        "id": "e1",
        "practice": PRACTICE,
        "kind": "notice",
        "to": "a1@mail.example",
        "state": "queued",
        "attempts": 12,
        "next_at": now.isoformat().replace("+00:00", "Z"),
        "last_error": "451",
        "created_at": "2026-03-02T09:00:00Z",
    }


def test_mail_is_given_up_after_days_and_the_portal_never(engine: sa.Engine) -> None:
    total = sum((outbox.backoff(NOTICE, n) or timedelta() for n in range(1, 19)), timedelta())
    assert timedelta(days=1) < total < timedelta(hours=26)
    assert outbox.backoff(NOTICE, 19) is None
    assert outbox.backoff(ACCOUNT, 10_000) == timedelta(minutes=15)
    add_effect(engine, "e1", NOTICE, "a1", attempts=18)
    claimed = take(engine, NOTICE, "one")
    with begin(engine) as connection:
        assert outbox.retry(connection, NOTICE, claimed, owner="one", now=NOW, error="451") is EffectState.FAILED
    assert row_of(engine, t.effect, "e1")["last_error"] == "451"


def test_a_human_can_send_what_failed_or_is_unknown_again_and_nothing_else(engine: sa.Engine) -> None:
    for state in EffectState:
        add_effect(engine, state, NOTICE, "a1", state=state, attempts=9, next_at=None, lease_owner="one")
    with begin(engine) as connection:
        assert outbox.requeue(connection, list(EffectState), now=NOW) == 2
        # Whoever sent it before is not heard any more.
        assert outbox.complete(connection, ["unknown"], owner="one", now=NOW) == 0
    assert {one.id: one.attempts for one in take(engine, NOTICE, "two")} == {"failed": 1, "unknown": 1}


def test_release_lets_held_mail_go_for_one_run_or_for_the_practice(engine: sa.Engine) -> None:
    for number, practice in enumerate((PRACTICE, PRACTICE, "elm-street")):
        add_effect(engine, f"e{number}", NOTICE, "a1", state=EffectState.HELD, run=number, practice=practice)
    with begin(engine) as connection:
        assert outbox.release(connection, practice=PRACTICE, run=2, now=NOW) == 0
        assert outbox.release(connection, practice=PRACTICE, run=1, now=NOW) == 1
        assert outbox.release(connection, practice=PRACTICE, now=NOW) == 1
    assert states(engine) == {"e0": "queued", "e1": "queued", "e2": "held"}


def test_only_what_nobody_has_started_on_can_be_taken_back(engine: sa.Engine) -> None:
    for state in EffectState:
        add_effect(engine, state, NOTICE, "a1", state=state)
    with begin(engine) as connection:
        assert outbox.cancel(connection, list(EffectState), reason="account-closed", now=NOW) == 2
    assert {id_ for id_, state in states(engine).items() if state == "cancelled"} == {"queued", "held", "cancelled"}


def test_the_list_can_be_narrowed(engine: sa.Engine) -> None:
    add_effect(engine, "e1", NOTICE, "a1")
    add_effect(engine, "e2", NOTICE, "a1", state=EffectState.SENT, created_at=NOW + MINUTE, next_at=None)
    add_effect(engine, "e3", NOTICE, "a1", practice="elm-street", created_at=NOW - MINUTE)
    with begin(engine) as connection:
        assert [row["id"] for row in outbox.listing(connection)] == ["e3", "e1", "e2"]
        assert [row["id"] for row in outbox.listing(connection, practice=PRACTICE)] == ["e1", "e2"]
        assert [row["id"] for row in outbox.listing(connection, states=[EffectState.QUEUED], limit=1)] == ["e3"]
