"""Checking the audit trail: each way of tampering is found, named, and placed."""

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter.core.audit import GENESIS, AuditEntry, chain_hash
from adapter.core.audit_check import SUSPECTS, Break, Checker, Head, Row, Tampering

PRACTICE = "main-street"
NOW = datetime(2026, 3, 2, 14, 0, tzinfo=UTC)
LENGTH = 20


def trail(length: int = LENGTH) -> list[Row]:
    """A trail as the adapter writes it."""
    rows: list[Row] = []
    for seq in range(1, length + 1):
        entry = AuditEntry(action="grant", account=f"a{seq}", patient=f"Patient/p{seq}", reason="eligible", run=1)
        append(rows, entry)
    return rows


def append(rows: list[Row], entry: AuditEntry) -> None:
    seq, at = len(rows) + 1, NOW + timedelta(minutes=len(rows))
    previous = rows[-1].hash if rows else GENESIS
    rows.append(Row(PRACTICE, seq, at, entry, chain_hash(previous, practice=PRACTICE, seq=seq, at=at, entry=entry)))


def found(rows: list[Row], head: Head | None = None) -> list[tuple[str, int, int]]:
    """What is wrong: kind, first and last entry."""
    checker = Checker(PRACTICE, head)
    for row in rows:
        checker.take(row)
    return [(one.what, one.seq, one.last) for one in checker.end()]


def renumbered(rows: list[Row]) -> list[Row]:
    return [msgspec.structs.replace(row, seq=seq) for seq, row in enumerate(rows, start=1)]


def edited(row: Row, **changes: Any) -> Row:
    return msgspec.structs.replace(row, entry=msgspec.structs.replace(row.entry, **changes))


def head_of(rows: list[Row]) -> Head:
    return Head(PRACTICE, rows[-1].seq, rows[-1].hash)


def test_a_trail_that_nobody_touched_is_whole() -> None:
    assert found([]) == []
    assert found(trail()) == []
    assert found(trail(), head_of(trail())) == []


def test_a_trail_that_has_grown_since_its_head_was_exported_is_whole() -> None:
    assert found(trail(), head_of(trail()[:7])) == []


@pytest.mark.parametrize("seq", [1, 9, LENGTH])
@pytest.mark.parametrize(
    "changes", [{"reason": "so"}, {"patient": None}, {"detail": "{}x"}, {"actor": "person:x"}, {"run": 2}]
)
def test_an_edit_is_found_where_it_was_made(seq: int, changes: dict[str, Any]) -> None:
    rows = trail()
    rows[seq - 1] = edited(rows[seq - 1], **changes)
    assert found(rows) == [("edited", seq, seq)]


def test_an_edited_time_is_found_even_when_it_is_no_time_at_all() -> None:
    for at in (NOW, None, datetime.max.replace(tzinfo=UTC)):
        rows = trail()
        rows[8] = msgspec.structs.replace(rows[8], at=at)
        assert found(rows) == [("edited", 9, 9)]


def test_a_value_that_could_never_have_been_written_is_an_edit() -> None:
    rows = trail()
    rows[8] = edited(rows[8], reason="\ud800")
    rows[10] = edited(rows[10], run=1 << 80)
    assert found(rows) == [("edited", 9, 9), ("edited", 11, 11)]


def test_an_edit_with_a_new_hash_shows_in_the_entry_behind_it() -> None:
    rows = trail()
    row = edited(rows[8], reason="so")
    at = row.at
    assert at is not None
    new = chain_hash(rows[7].hash, practice=PRACTICE, seq=9, at=at, entry=row.entry)
    rows[8] = msgspec.structs.replace(row, hash=new)
    assert found(rows) == [("edited", 10, 10)]


def test_two_edits_are_two_places() -> None:
    rows = trail()
    for seq in (3, 4, 15):
        rows[seq - 1] = edited(rows[seq - 1], reason="so")
    assert found(rows) == [("edited", 3, 3), ("edited", 4, 4), ("edited", 15, 15)]


@pytest.mark.parametrize(("first", "last"), [(1, 1), (1, 5), (9, 9), (9, 12)])
def test_deleted_entries_are_named(first: int, last: int) -> None:
    rows = trail()
    assert found(rows[: first - 1] + rows[last:]) == [("deleted", first, last)]


@pytest.mark.parametrize("seq", [1, 9, LENGTH - 2])
def test_a_deleted_entry_is_found_when_the_others_were_renumbered(seq: int) -> None:
    rows = trail()
    del rows[seq - 1]
    assert found(renumbered(rows)) == [("deleted", seq, seq)]


@pytest.mark.parametrize("chained", [False, True])
@pytest.mark.parametrize("seq", [1, 9, LENGTH - 2])
def test_an_inserted_entry_is_found_when_the_others_were_renumbered(seq: int, chained: bool) -> None:
    rows = trail()
    before = rows[: seq - 1]
    append(before, AuditEntry(action="grant", account="forged", reason="eligible"))
    if not chained:
        before[-1] = msgspec.structs.replace(before[-1], hash="f" * 64)
    assert found(renumbered(before + rows[seq - 1 :])) == [("inserted", seq, seq)]


@pytest.mark.parametrize(("one", "other"), [(3, 4), (3, 5), (3, 17), (1, 2), (1, LENGTH), (LENGTH - 1, LENGTH)])
def test_entries_that_changed_places_are_found(one: int, other: int) -> None:
    rows = trail()
    rows[one - 1], rows[other - 1] = rows[other - 1], rows[one - 1]
    kinds = found(renumbered(rows))
    assert {seq for _, seq, _ in kinds} >= {one, other}
    assert {"moved"} == {what for what, _, _ in kinds}


@pytest.mark.parametrize("kept", [0, 1, 12, LENGTH - 1])
def test_a_cut_off_end_is_found_with_an_exported_head_alone(kept: int) -> None:
    rows = trail()
    assert found(rows[:kept]) == []
    assert found(rows[:kept], head_of(rows)) == [("truncated", kept + 1, LENGTH)]


def test_a_trail_computed_anew_is_found_with_an_exported_head_alone() -> None:
    anew: list[Row] = []
    for row in trail():
        append(anew, row.entry if row.seq != 9 else edited(row, reason="so").entry)
    assert found(anew) == []
    assert found(anew, head_of(trail())) == [("rewritten", LENGTH, LENGTH)]


def test_a_trail_of_which_nothing_fits_is_told_in_bounded_space() -> None:
    rows = [edited(row, reason="so") for row in trail(300)]
    checker = Checker(PRACTICE)
    for row in rows:
        checker.take(row)
    breaks = checker.end()
    assert len(breaks) == SUSPECTS
    assert len(breaks) + checker.more == 300


@given(st.integers(0, 2**32))
def test_whatever_is_done_to_the_rows_something_is_found(seed: int) -> None:
    draw = random.Random(seed)
    whole = trail()
    rows = list(whole)
    for _ in range(draw.randint(1, 3)):
        if not rows:
            break
        at = draw.randrange(len(rows))
        what = draw.choice(("edit", "delete", "swap", "insert", "cut"))
        if what == "edit":
            rows[at] = edited(rows[at], reason=f"so-{at}")
        elif what == "delete":
            del rows[at]
        elif what == "swap":
            other = draw.randrange(len(rows))
            rows[at], rows[other] = rows[other], rows[at]
        elif what == "insert":
            rows.insert(at, draw.choice(whole))
        else:
            del rows[max(1, at) :]
    if draw.random() < 0.5:
        rows = renumbered(rows)
    else:
        rows = sorted({row.seq: row for row in rows}.values(), key=lambda row: row.seq)
    if rows != whole:
        assert found(rows, head_of(whole))


@pytest.mark.parametrize("what", list(Tampering))
def test_every_break_says_what_and_where_in_words(what: Tampering) -> None:
    assert "entry 1,234 " in f"{Break(PRACTICE, 1234, 1234, what)} "
    assert "entries 7 to 9 " in f"{Break(PRACTICE, 7, 9, what)} "
