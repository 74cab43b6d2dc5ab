"""Many rows at once: both databases keep the same, whatever the rows' types and however often a key occurs."""

from datetime import UTC, date, datetime, timedelta, timezone

import pytest
import sqlalchemy as sa

from adapter.errors import FatalError
from adapter.store import recordset
from adapter.store import tables as t
from adapter.store.engine import begin
from adapter.store.sql import among, insert_rows, update_rows

PATIENT = ("practice", "ref", "hash", "facts", "updated", "changed_run", "seen_run", "review_on")
NUDGE = ("practice", "ref", "seq", "deleted", "received_at", "next_at", "attempts", "lease_owner")
NOON = datetime(2026, 3, 2, 12, tzinfo=timezone(timedelta(hours=-5)))


def patient(number: int, hash_: str = "h", *, review_on: date | None = None) -> tuple[object, ...]:
    return ("p", f"Patient/{number}", hash_, '{"name": "Zoë \\"Z\\" O\'Neill\\n"}', NOON, 1, 1, review_on)


def stored(connection: sa.Connection, table: sa.Table, columns: tuple[str, ...]) -> list[tuple[object, ...]]:
    chosen = sa.select(*(table.c[name] for name in columns)).order_by(table.c.ref)
    return [tuple(row) for row in connection.execute(chosen).all()]


def test_every_type_comes_back_as_it_went_in(engine: sa.Engine) -> None:
    rows = [patient(1), patient(2, review_on=date(2044, 2, 29))]
    nudges = [("p", "Patient/1", 1, True, NOON, NOON, 0, None), ("p", "Patient/2", 2, False, NOON, NOON, 3, "me")]
    with begin(engine) as connection:
        insert_rows(connection, t.patient, PATIENT, rows)
        insert_rows(connection, t.nudge, NUDGE, nudges)
        assert stored(connection, t.patient, PATIENT) == rows
        assert stored(connection, t.nudge, NUDGE) == nudges
        assert stored(connection, t.patient, ("updated",))[0] == (NOON.astimezone(UTC),)


def test_the_last_of_several_rows_with_one_key_counts(engine: sa.Engine) -> None:
    with begin(engine) as connection:
        insert_rows(connection, t.patient, PATIENT, [patient(1, "old")])
        rows = [patient(1, "a"), patient(2, "b"), patient(1, "c")]
        insert_rows(connection, t.patient, PATIENT, rows, replace=True)
        assert stored(connection, t.patient, ("ref", "hash")) == [("Patient/1", "c"), ("Patient/2", "b")]
        new = [("d", "p", "Patient/1"), ("e", "p", "Patient/3"), ("f", "p", "Patient/1")]
        update_rows(connection, t.patient, ("practice", "ref"), ("hash", "practice", "ref"), new)
        assert stored(connection, t.patient, ("ref", "hash")) == [("Patient/1", "f"), ("Patient/2", "b")]


def test_a_row_that_is_there_already_keeps_all_of_them_out(engine: sa.Engine) -> None:
    with pytest.raises(FatalError), begin(engine) as connection:
        insert_rows(connection, t.patient, PATIENT, [patient(2), patient(1), patient(2)])
    with begin(engine) as connection:
        assert stored(connection, t.patient, ("ref",)) == []


def test_more_rows_than_one_statement_takes(engine: sa.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recordset, "ROWS", 3)
    with begin(engine) as connection:
        insert_rows(connection, t.patient, PATIENT, [patient(number) for number in range(8)])
        found = among(connection, t.patient.c.ref, ["Patient/7", "Patient/0", "Patient/9", "Patient/7"])
        refs = connection.scalars(sa.select(t.patient.c.ref).where(found).order_by(t.patient.c.ref)).all()
        assert refs == ["Patient/0", "Patient/7"]
        assert len(stored(connection, t.patient, ("ref",))) == 8


def test_nothing_to_write_is_nothing_to_do(engine: sa.Engine) -> None:
    with begin(engine) as connection:
        insert_rows(connection, t.patient, PATIENT, [])
        update_rows(connection, t.patient, ("practice", "ref"), ("hash", "practice", "ref"), [])
        assert stored(connection, t.patient, PATIENT) == []
