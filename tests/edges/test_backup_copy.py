"""Copying a SQLite database while others write: the copy is of one moment, however often that moment passes."""

import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa

from adapter.core.audit import AuditEntry
from adapter.errors import FatalError
from adapter.jobs.audit import verify
from adapter.jobs.new_file import new_file
from adapter.store import audit
from adapter.store.backup import PAGES, check, copy, file_engine
from adapter.store.engine import begin, make_engine
from tests.edges.effects import NOW, PRACTICE

ENTRY = AuditEntry(action="grant", reason="eligible", detail='{"filling":"' + "x" * 3000 + '"}')


def _append(engine: sa.Engine, count: int) -> None:
    with begin(engine) as connection:
        audit.append(connection, PRACTICE, [ENTRY] * count, NOW)


def test_a_copy_made_while_others_write_is_a_sound_beginning_of_the_whole(sqlite_url: str, tmp_path: Path) -> None:
    engine = make_engine(sqlite_url)
    _append(engine, 3 * PAGES)
    source, stop = Path(str(engine.url.database)), threading.Event()

    def write() -> None:
        while not stop.is_set():
            _append(engine, 1)

    writer = threading.Thread(target=write)
    writer.start()
    told: list[int] = []
    try:
        with new_file(tmp_path / "copy.db") as draft:
            copy(source, draft, lambda done, _: told.append(done))
    finally:
        stop.set()
        writer.join()
    assert len(told) > 2, "the copy was made in one go, so nobody wrote meanwhile"
    assert told == sorted(told), "the copy was begun anew"
    check(tmp_path / "copy.db", tmp_path / "copy.db")
    verdict = verify(file_engine(tmp_path / "copy.db"), None, against=None, progress=lambda *_: None)
    whole = verify(engine, None, against=verdict.heads[0].hash, progress=lambda *_: None)
    assert verdict.whole and whole.whole
    assert 3 * PAGES <= verdict.entries[PRACTICE] < whole.entries[PRACTICE]
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith("copy")] == ["copy.db"]


def test_what_fails_half_way_leaves_no_file(tmp_path: Path) -> None:
    (tmp_path / "source.db").write_bytes(b"SQLite format 3\x00" + b"\xff" * 5000)
    with pytest.raises(FatalError, match="no SQLite database"), new_file(tmp_path / "copy.db") as draft:
        copy(tmp_path / "source.db", draft, lambda *_: None)
    assert [path.name for path in tmp_path.iterdir()] == ["source.db"]


def test_a_file_that_appears_meanwhile_is_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "copy.db"
    with pytest.raises(FatalError, match="exists already"), new_file(path) as draft:
        draft.write_text("ours")
        path.write_text("theirs")
    assert path.read_text() == "theirs"
    assert list(tmp_path.iterdir()) == [path]


def test_rows_that_point_nowhere_are_damage(sqlite_url: str) -> None:
    path = Path(sqlite_url.removeprefix("sqlite:///"))
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(
            "INSERT INTO welcome VALUES ('w', 'p', 'nobody', 1, 'none', '', '', null, null, null, null, '', 0)"
        )
    with pytest.raises(FatalError, match="rows point to rows that are missing"):
        check(path, path)
