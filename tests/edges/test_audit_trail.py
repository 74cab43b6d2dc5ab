"""The audit trail in the database: it only grows, and whoever changes it all the same is found out."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from adapter.core.audit import AuditEntry
from adapter.errors import FatalError
from adapter.jobs.audit import Heads, Verdict, heads, verify
from adapter.store import audit, audit_trail
from adapter.store import tables as t
from adapter.store.engine import begin, make_engine, read
from tests.edges.tampering import UNGUARDED, delete, edit, renumber, swap, unguarded

PRACTICE = "main-street"
NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
LENGTH = 30


@pytest.fixture
def trail(engine: sa.Engine) -> sa.Engine:
    """A database with a trail of LENGTH entries, written in three runs."""
    for run in range(3):
        append(engine, LENGTH // 3, run=run)
    return engine


def append(engine: sa.Engine, count: int, *, practice: str = PRACTICE, run: int = 9) -> None:
    entries = [
        AuditEntry(action="grant", account=f"a{n}", patient=f"Patient/p{n}", reason="eligible", run=run)
        for n in range(count)
    ]
    with begin(engine) as connection:
        audit.append(connection, practice, entries, NOW + timedelta(hours=run))


def check(engine: sa.Engine, against: Heads | str | None = None, practices: list[str] | None = None) -> Verdict:
    return verify(engine, practices, against=against, progress=lambda *_: None)


def found(verdict: Verdict) -> list[tuple[str, int, int]]:
    return [(str(one.what), one.seq, one.last) for one in verdict.breaks]


def exported(engine: sa.Engine) -> Heads:
    return Heads(NOW.isoformat(), heads(engine, [PRACTICE]))


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit SET reason = 'so' WHERE seq = 3",
        "UPDATE audit SET reason = reason",
        "DELETE FROM audit WHERE seq = 30",
        "DELETE FROM audit",
        "INSERT INTO audit SELECT * FROM audit WHERE seq = 3 ON CONFLICT (practice, seq) DO UPDATE SET reason = 'so'",
    ],
)
def test_the_database_refuses_to_change_or_delete_an_entry(trail: sa.Engine, statement: str) -> None:
    with pytest.raises(FatalError, match="refused"), begin(trail) as connection:
        connection.exec_driver_sql(statement)
    assert check(trail).entries == {PRACTICE: LENGTH}
    assert check(trail).whole


def test_an_entry_is_not_replaced_either(trail: sa.Engine) -> None:
    if trail.dialect.name == "sqlite":
        statement = "INSERT OR REPLACE INTO audit SELECT * FROM audit WHERE seq = 3"
    else:
        statement = "TRUNCATE audit"
    with pytest.raises(FatalError, match="refused"), begin(trail) as connection:
        connection.exec_driver_sql(statement)
    assert check(trail).whole


def test_the_trail_goes_on_growing(trail: sa.Engine) -> None:
    append(trail, 5)
    verdict = check(trail)
    assert verdict.whole
    assert verdict.entries == {PRACTICE: LENGTH + 5}
    assert verdict.heads == heads(trail, [PRACTICE])


Tampering = Callable[[sa.Engine], None]


def _forge(engine: sa.Engine) -> None:
    """An entry put in at number 7, with the others moved out of its way."""
    renumber(engine, 7, 1)
    values = {"practice": PRACTICE, "at": NOW, "actor": "schedule", "action": "grant", "reason": "eligible"}
    with begin(engine) as connection:
        connection.execute(sa.insert(t.audit).values(**values, seq=7, source="", detail="{}", hash="0" * 64))


def _take_out(engine: sa.Engine) -> None:
    delete(engine, 7)
    renumber(engine, 8, -1)


@pytest.mark.parametrize(
    ("tamper", "expected"),
    [
        (lambda engine: edit(engine, 7, reason="so"), [("edited", 7, 7)]),
        (lambda engine: edit(engine, 7, at=NOW + timedelta(days=1)), [("edited", 7, 7)]),
        (lambda engine: edit(engine, 1, account=None), [("edited", 1, 1)]),
        (lambda engine: edit(engine, LENGTH, run=7), [("edited", LENGTH, LENGTH)]),
        (lambda engine: delete(engine, 7), [("deleted", 7, 7)]),
        (lambda engine: delete(engine, 1, 4), [("deleted", 1, 4)]),
        (_take_out, [("deleted", 7, 7)]),
        (_forge, [("inserted", 7, 7)]),
        (lambda engine: swap(engine, 7, 21), [("moved", 7, 7), ("moved", 21, 21)]),
    ],
)
def test_tampering_is_named_and_placed(
    trail: sa.Engine, tamper: Tampering, expected: list[tuple[str, int, int]]
) -> None:
    tamper(trail)
    verdict = check(trail)
    assert not verdict.whole
    told = found(verdict)
    assert [one for one in told if one in expected] == expected
    assert {what for what, _, _ in told} == {expected[0][0]}


@pytest.mark.parametrize("first", [1, 12, LENGTH])
def test_a_cut_off_end_shows_against_an_exported_head(trail: sa.Engine, first: int) -> None:
    head = exported(trail)
    delete(trail, first, LENGTH)
    assert check(trail).whole
    assert found(check(trail, head)) == [("truncated", first, LENGTH)]


def test_a_trail_that_is_gone_as_a_whole_shows_against_an_exported_head(trail: sa.Engine) -> None:
    head = exported(trail)
    with unguarded(trail) as connection:
        connection.execute(sa.delete(t.audit))
    verdict = check(trail, head)
    assert found(verdict) == [("truncated", 1, LENGTH)]
    assert verdict.entries == {PRACTICE: 0}


def test_one_hash_is_enough_to_prove_the_end(trail: sa.Engine) -> None:
    (head,) = heads(trail, [PRACTICE])
    append(trail, 3)
    assert check(trail, head.hash).whole
    delete(trail, 25, LENGTH + 3)
    verdict = check(trail, head.hash)
    assert verdict.lost_hash
    assert not verdict.whole


def test_a_trail_written_anew_shows_against_an_exported_head(trail: sa.Engine) -> None:
    head = exported(trail)
    with unguarded(trail) as connection:
        connection.execute(sa.delete(t.audit))
    append(trail, LENGTH, run=0)
    assert check(trail).whole
    assert found(check(trail, head)) == [("rewritten", LENGTH, LENGTH)]


def test_each_practice_has_a_chain_of_its_own(trail: sa.Engine) -> None:
    append(trail, 4, practice="elm-street")
    assert check(trail).entries == {"elm-street": 4, PRACTICE: LENGTH}
    with unguarded(trail) as connection:
        connection.execute(sa.update(t.audit).where(t.audit.c.practice == "elm-street").values(reason="so"))
    assert {one.practice for one in check(trail).breaks} == {"elm-street"}
    assert check(trail, practices=[PRACTICE]).whole


def test_a_time_or_number_that_is_none_is_told_and_ends_nothing(sqlite_url: str) -> None:
    engine = make_engine(sqlite_url)
    append(engine, LENGTH)
    with unguarded(engine) as connection:
        connection.exec_driver_sql("UPDATE audit SET at = 'yesterday' WHERE seq = 4")
        connection.exec_driver_sql("UPDATE audit SET at = replace(at, '.000000Z', '+00:00') WHERE seq = 6")
        connection.exec_driver_sql("UPDATE audit SET run = 'one' WHERE seq = 8")
        connection.exec_driver_sql("UPDATE audit SET seq = 'last' WHERE seq = 30")
    assert found(check(engine)) == [("edited", 4, 4), ("edited", 6, 6), ("edited", 8, 8), ("edited", 30, 30)]


def test_a_long_trail_is_read_a_page_at_a_time(engine: sa.Engine) -> None:
    append(engine, 50)
    with read(engine) as connection:
        assert [row.seq for row in audit_trail.rows(connection, PRACTICE, page=7)] == list(range(1, 51))
    told: list[tuple[str, int, int | None]] = []
    verify(engine, None, against=None, progress=lambda what, done, total: told.append((what, done, total)))
    assert told[-1] == ("audit entries", 50, 50)


def test_what_the_tests_take_away_is_what_guards_the_trail(engine: sa.Engine) -> None:
    """Without the triggers an entry can be changed: what the tests above saw refused was refused by them."""
    append(engine, 3)
    with begin(engine) as connection:
        for statement in UNGUARDED[engine.dialect.name]:
            connection.exec_driver_sql(statement)
        assert connection.exec_driver_sql("UPDATE audit SET reason = 'so'").rowcount == 3
