"""SQLite's file as a whole: copying it while it is in use, checking a copy, and putting one in the place of another."""

import fcntl
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

import sqlalchemy as sa

from adapter.errors import FatalError
from adapter.store.engine import READ_ONLY, make_engine

PAGES = 4096
"""Pages copied at a time, between two reports of progress."""
_SHARED_LOCK = (
    510,
    0x40000002,
)  # length and start of the bytes every open connection holds (sqlite.org/lockingv3.html)
_BUSY = ("SQLITE_BUSY", "SQLITE_LOCKED")

Told = Callable[[int, int], None]
"""``told(done, total)``, in pages."""


def database_file(url: str) -> Path:
    """The file of a SQLite address. Raises FatalError for PostgreSQL, whose own programs do this."""
    try:
        parsed = sa.make_url(url)
    except (sa.exc.ArgumentError, ValueError):
        make_engine(url)  # says what is wrong with it
        raise
    if parsed.get_backend_name() == "postgresql":
        raise FatalError(
            "PostgreSQL is backed up with pg_dump and put back with pg_restore: docs/postgresql.md has the commands."
        )
    return Path(str(parsed.database))


def copy(source: Path, target: Path, told: Told) -> None:
    """Copies a database as it is at this moment into ``target``, an empty file; others may go on writing meanwhile.

    The copy is one file, without a journal beside it. Raises FatalError when the source is no database or unreadable.
    """
    with _translated(source), closing(_open(source, "ro")) as reading, closing(_open(target, "rw")) as writing:
        reading.execute("BEGIN")  # a snapshot: without it, each write by somebody else starts the copy anew
        reading.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        reading.backup(writing, pages=PAGES, progress=lambda _, left, total: told(total - left, total))
        writing.execute("PRAGMA journal_mode = DELETE")


def check(path: Path, name: Path) -> None:
    """Raises FatalError when a copy of ``name`` is damaged, or when its rows point to rows that are not there."""
    with _translated(name), closing(_open(path, "ro")) as connection:
        if connection.execute("PRAGMA integrity_check(1)").fetchone() != ("ok",):
            raise FatalError(f"{name} is damaged: SQLite's integrity check found faults.")
        if connection.execute("PRAGMA foreign_key_check").fetchone() is not None:
            raise FatalError(f"{name} is damaged: some of its rows point to rows that are missing.")


def file_engine(path: Path, *, still: bool = False, replaced: Path | None = None) -> sa.Engine:
    """An engine for a file that nobody else uses; it gets no journal that outlives the connection.

    ``still``: for reading alone, past the lock that we hold on it ourselves. ``replaced`` is readable in the same way,
    as a second schema of that name.
    """

    def connect() -> sqlite3.Connection:
        connection = sqlite3.connect(_uri(path, "ro") + "&immutable=1", uri=True) if still else _open(path, "rw")
        connection.isolation_level = None
        connection.execute("PRAGMA foreign_keys = ON")
        if replaced is not None:
            connection.execute("ATTACH DATABASE ? AS replaced", (_uri(replaced, "ro") + "&immutable=1",))
        return connection

    engine = sa.create_engine("sqlite://", creator=connect, poolclass=sa.NullPool, hide_parameters=True)

    @sa.event.listens_for(engine, "begin")
    def _start(connection: sa.Connection) -> None:
        connection.exec_driver_sql("BEGIN" if connection.get_execution_options().get(READ_ONLY) else "BEGIN IMMEDIATE")

    return engine


@contextmanager
def alone_with(path: Path, now: datetime) -> Iterator[bool]:
    """Keeps everybody else out of a database while the block runs; yields whether it can be read and is sound.

    Its journal is folded into the file first. Raises FatalError when anybody has it open: in WAL mode every connection
    holds a lock for as long as it is open, so an idle service shows too. Raises it also when a run holds a lease.
    """
    with closing(_open(path, "rw")) as connection:
        handle = None
        try:
            sound = _lock(connection, path, now)
            if not sound:
                handle = _lock_bytes(path)
            yield sound
        finally:
            if handle is not None:
                os.close(handle)


def _lock(connection: sqlite3.Connection, path: Path, now: datetime) -> bool:
    try:
        connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        connection.execute("PRAGMA journal_mode = DELETE")
        connection.execute("BEGIN EXCLUSIVE")
        if connection.execute("PRAGMA quick_check(1)").fetchone() != ("ok",):
            return False
        stamp = now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        lease = connection.execute("SELECT name, until FROM lease WHERE until >= ?", (stamp,)).fetchone()
    except sqlite3.DatabaseError as error:
        if _name(error).startswith(_BUSY):
            raise FatalError(f"{path} is in use. Stop `adapter run`, and whatever else has it open, first.") from None
        return False
    if lease is not None:
        raise FatalError(
            f"{lease[0]} holds a lease until {str(lease[1])[11:16]} UTC: a job is at work, or was cut off. "
            "Stop it, or try again after that time."
        )
    return True


def _lock_bytes(path: Path) -> int:
    """The same question to a file that SQLite cannot read any more."""
    handle = os.open(path, os.O_RDWR)
    try:
        fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB, *_SHARED_LOCK)
    except OSError:
        os.close(handle)
        raise FatalError(f"{path} is in use. Stop `adapter run`, and whatever else has it open, first.") from None
    return handle


def put(new: Path, path: Path, aside: Path | None, *, sound: bool) -> None:
    """Puts ``new`` in the place of ``path``, which stays as ``aside``; at every moment one of the two is at ``path``.

    A journal that is left beside ``path`` must never be applied to another database. It goes aside as well; or away,
    when the database is ``sound``: ``alone_with`` has made it a spent one. Raises FatalError when the folder says no.
    """
    try:
        flush(new)
        if aside is not None:
            aside.hardlink_to(path)
            for ending in ("-wal", "-shm", "-journal"):
                journal = path.with_name(path.name + ending)
                with suppress(FileNotFoundError):
                    journal.unlink() if sound else journal.rename(aside.with_name(aside.name + ending))
        new.replace(path)
        flush(path.parent)
    except OSError as error:
        raise FatalError(f"{path} could not be replaced ({error.strerror}). Check the folder and its space.") from None


def flush(path: Path) -> None:
    """Has the disk keep a file, or the names in a folder. Raises OSError."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _open(path: Path, mode: str) -> sqlite3.Connection:
    return sqlite3.connect(_uri(path, mode), uri=True, isolation_level=None, timeout=1)


def _uri(path: Path, mode: str) -> str:
    return f"file:{quote(str(path.resolve()))}?mode={mode}"


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    """SQLite's complaints without its words, which may quote rows."""
    try:
        yield
    except sqlite3.Error as error:
        name = _name(error)
        if name in ("SQLITE_NOTADB", "SQLITE_CORRUPT"):
            raise FatalError(f"{path} is no SQLite database, or a damaged one.") from None
        if name.startswith(_BUSY):
            raise FatalError(f"{path} is being changed by another program. Try again in a moment.") from None
        raise FatalError(
            f"{path} cannot be read or copied ({name}). Check its permissions and the space left."
        ) from None


def _name(error: sqlite3.Error) -> str:
    return str(getattr(error, "sqlite_errorname", "") or type(error).__name__)
