"""Nudges in the store: kept once however often named, taken once, never lost while being worked on."""

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from adapter.core.notice import SOMETHING, Channel, Notice
from adapter.store import nudges
from adapter.store.engine import begin, read
from adapter.store.nudges import EVERYTHING, LEASE, MOST, MOST_CHANNELS

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
LATER = NOW + timedelta(minutes=1)
HERE = "main-street"


def receive(engine: sa.Engine, *notices: Notice, now: datetime = NOW, practice: str = HERE) -> None:
    with begin(engine) as connection:
        nudges.receive(connection, practice, notices, now)


def claim(engine: sa.Engine, owner: str = "one", now: datetime = NOW, limit: int = 100) -> list[str]:
    with begin(engine) as connection:
        return [one.ref for one in nudges.claim(connection, HERE, owner=owner, now=now, limit=limit)]


def done(engine: sa.Engine, *refs: str, owner: str = "one") -> None:
    with begin(engine) as connection:
        nudges.done(connection, HERE, refs, owner=owner)


def named(*refs: str, deleted: tuple[str, ...] = ()) -> Notice:
    return Notice(refs=frozenset(refs), deleted=frozenset(deleted))


def event(number: int, *, subscription: str = "Subscription/s1", begins: bool = False) -> Notice:
    channel = Channel(subscription, "active", number, None if begins else number, begins)
    return Notice(refs=frozenset() if begins else frozenset({"Patient/p1"}), channel=channel)


def test_what_is_named_often_waits_once(engine: sa.Engine) -> None:
    receive(engine, named("Patient/p1"), named("Patient/p1", "RelatedPerson/c1"))
    receive(engine, named("Patient/p1"), now=LATER)
    assert claim(engine, now=LATER) == ["Patient/p1", "RelatedPerson/c1"]


def test_a_nudge_is_taken_once_until_its_lease_ends(engine: sa.Engine) -> None:
    receive(engine, named("Patient/p1"))
    assert claim(engine, "one") == ["Patient/p1"]
    assert claim(engine, "two") == []
    assert claim(engine, "two", NOW + LEASE) == ["Patient/p1"]
    done(engine, "Patient/p1", owner="one")
    assert _waiting(engine) == 1, "who lost the lease may not say that it is done"
    done(engine, "Patient/p1", owner="two")
    assert _waiting(engine) == 0


def test_what_is_named_again_while_it_is_read_is_due_once_more(engine: sa.Engine) -> None:
    receive(engine, named("Patient/p1", "Patient/p2"))
    claim(engine)
    receive(engine, named("Patient/p1"))
    done(engine, "Patient/p1", "Patient/p2")
    assert claim(engine) == ["Patient/p1"]
    done(engine, "Patient/p1")
    assert _waiting(engine) == 0


def test_the_longest_waiting_go_first_and_never_more_than_asked_for(engine: sa.Engine) -> None:
    receive(engine, named("Patient/p3"))
    receive(engine, named("Patient/p1", "Patient/p2"), now=LATER)
    assert claim(engine, now=LATER, limit=2) == ["Patient/p3", "Patient/p1"]


def test_what_could_not_be_read_waits_for_its_time_and_counts_its_failures(engine: sa.Engine) -> None:
    receive(engine, named("Patient/p1"))
    claim(engine)
    with begin(engine) as connection:
        nudges.put_off(connection, HERE, "Patient/p1", owner="one", until=LATER, failed=True)
    assert _due(engine, NOW) == [] and _due(engine, LATER) == [HERE]
    with begin(engine) as connection:
        (again,) = nudges.claim(connection, HERE, owner="one", now=LATER, limit=9)
    assert again.attempts == 1


def test_what_is_named_again_does_not_wait_for_that_time(engine: sa.Engine) -> None:
    receive(engine, named("Patient/p1"))
    claim(engine)
    receive(engine, named("Patient/p1"))
    with begin(engine) as connection:
        nudges.put_off(connection, HERE, "Patient/p1", owner="one", until=LATER, failed=True)
    assert _due(engine, NOW) == [HERE]


def test_practices_do_not_see_one_anothers(engine: sa.Engine) -> None:
    receive(engine, named("Patient/p1"), practice="hillside")
    assert claim(engine) == [] and _due(engine, NOW) == ["hillside"]


def test_a_deletion_is_remembered_whatever_comes_after(engine: sa.Engine) -> None:
    receive(engine, named("RelatedPerson/c1", deleted=("RelatedPerson/c1",)))
    receive(engine, named("RelatedPerson/c1"))
    with begin(engine) as connection:
        (found,) = nudges.claim(connection, HERE, owner="one", now=NOW, limit=9)
    assert found.deleted


@pytest.mark.parametrize("deleted", [(), ("Patient/q7",)])
def test_too_many_become_one_for_whatever_changed_and_a_deletion_among_them_is_not_forgotten(
    engine: sa.Engine, deleted: tuple[str, ...]
) -> None:
    receive(engine, named(*(f"Patient/p{number}" for number in range(MOST - 5))))
    receive(engine, named(*(f"Patient/q{number}" for number in range(10)), "Patient/p1", deleted=deleted))
    assert _waiting(engine) == MOST - 4
    with begin(engine) as connection:
        found = {one.ref: one for one in nudges.claim(connection, HERE, owner="one", now=NOW, limit=MOST)}
    assert found[EVERYTHING].deleted == bool(deleted)


def test_something_changed_waits_once(engine: sa.Engine) -> None:
    receive(engine, SOMETHING, SOMETHING)
    receive(engine, SOMETHING)
    assert claim(engine) == [EVERYTHING]


def test_events_in_order_ask_for_nothing_more_and_a_gap_does(engine: sa.Engine) -> None:
    receive(engine, event(0, begins=True), event(1))
    receive(engine, event(2))
    assert claim(engine) == ["Patient/p1"]
    done(engine, "Patient/p1")
    receive(engine, event(4))
    assert set(claim(engine)) == {"Patient/p1", EVERYTHING}


def test_subscriptions_count_for_themselves_and_anew_after_a_handshake(engine: sa.Engine) -> None:
    receive(engine, event(1), event(1, subscription="Subscription/s2"), event(2, subscription="Subscription/s2"))
    receive(engine, event(0, begins=True), event(1))
    assert claim(engine) == ["Patient/p1"]


def test_an_absurd_count_only_makes_it_more_careful(engine: sa.Engine) -> None:
    receive(engine, event(999_999_999_999_999))
    claim(engine)
    done(engine, "Patient/p1", EVERYTHING)
    receive(engine, event(1))
    assert EVERYTHING in claim(engine)


def test_what_was_last_heard_is_kept_for_each_subscription(engine: sa.Engine) -> None:
    receive(engine, event(1), SOMETHING)
    receive(engine, event(2), now=LATER)
    with read(engine) as connection:
        first, second = nudges.heard(connection, HERE)
    assert (first.subscription, first.status, first.seen_at) == ("Subscription/s1", "active", LATER)
    assert (second.subscription, second.status, second.seen_at) == ("", "", NOW)


def test_made_up_subscriptions_do_not_fill_the_table(engine: sa.Engine) -> None:
    receive(engine, *(event(1, subscription=f"Subscription/{number}") for number in range(MOST_CHANNELS + 20)))
    with read(engine) as connection:
        assert len(nudges.heard(connection, HERE)) == MOST_CHANNELS
    assert EVERYTHING in claim(engine)


def _due(engine: sa.Engine, now: datetime) -> list[str]:
    with read(engine) as connection:
        return nudges.due(connection, now)


def _waiting(engine: sa.Engine) -> int:
    with read(engine) as connection:
        return nudges.waiting(connection, HERE)
