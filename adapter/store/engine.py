"""Opening the database: one way to write, one way to read, and no value of ours in an error message."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import URL

from adapter.errors import ConfigError, FatalError, Fault, RetriableError
from adapter.store.interrupts import deferred

BUSY_SECONDS = 30
"""How long a writer waits for another one; ``?timeout=`` in the address of a SQLite file says otherwise."""
READ_ONLY = "adapter_read_only"


def make_engine(url: str) -> sa.Engine:
    """An engine for a SQLite file or a PostgreSQL database; nothing is connected yet.

    The folder of a SQLite file is made when it is missing; folder and file are the owner's alone (0700, 0600).
    Raises ConfigError when the address is not one of the two, FatalError when the file cannot be made.
    """
    parsed = _parse(url)
    if parsed.get_backend_name() == "sqlite":
        return _sqlite(parsed)
    # hide_parameters: an error of the database must not carry names and addresses into a log.
    return sa.create_engine(
        parsed,
        hide_parameters=True,
        pool_pre_ping=True,
        connect_args={"connect_timeout": 10, "application_name": "fhir-portal-adapter"},
    )


@contextmanager
def begin(engine: sa.Engine) -> Iterator[sa.Connection]:
    """One write transaction: committed at the end, rolled back on any exception.

    SQLite takes its write lock at the start (BEGIN IMMEDIATE), so a transaction never fails half-way because
    another one wrote; PostgreSQL runs READ COMMITTED, and rows are claimed by guarded UPDATEs. Ctrl-C waits for its
    end (see ``interrupts``).

    Raises FatalError when the database cannot be reached or refuses, RetriableError when it is busy or went away.
    """
    with deferred(), _translated(engine), _connected(engine) as connection, connection.begin():
        yield connection


@contextmanager
def begin_at_once(engine: sa.Engine) -> Iterator[sa.Connection]:
    """Like ``begin``, for what is not worth waiting for: on SQLite it raises RetriableError when another one writes."""
    with _translated(engine), _connected(engine) as connection:
        if engine.dialect.name != "sqlite":
            with connection.begin():
                yield connection
            return
        driver: Any = connection.connection.dbapi_connection
        usual = driver.execute("PRAGMA busy_timeout").fetchone()[0]
        driver.execute("PRAGMA busy_timeout = 50")
        try:
            with connection.begin():
                yield connection
        finally:
            driver.execute(f"PRAGMA busy_timeout = {usual}")


@contextmanager
def read(engine: sa.Engine) -> Iterator[sa.Connection]:
    """One snapshot: every query inside sees the same moment, and writing is refused. Raises like ``begin``."""
    if engine.dialect.name == "sqlite":
        with _translated(engine), _connected(engine) as plain:
            connection = plain.execution_options(**{READ_ONLY: True})
            connection.exec_driver_sql("PRAGMA query_only = ON")
            connection.rollback()
            try:
                with connection.begin():
                    yield connection
            finally:
                connection.exec_driver_sql("PRAGMA query_only = OFF")
                connection.rollback()
        return
    with _translated(engine), _connected(engine) as plain:
        connection = plain.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        with connection.begin():
            yield connection


def describe(engine: sa.Engine) -> str:
    """Where the database is, for people: never with a user name or a password."""
    url = engine.url
    if url.get_backend_name() == "sqlite":
        return f"the database file {url.database}"
    host = url.host or url.query.get("host") or "this machine"
    return f"the PostgreSQL database {url.database!r} on {host}{f':{url.port}' if url.port else ''}"


def _parse(url: str) -> URL:
    remedy = "Use sqlite:///path/to/adapter.db or postgresql+psycopg://user:password@host/name."
    try:
        parsed = sa.make_url(url)
        known = parsed.drivername in ("sqlite", "sqlite+pysqlite", "postgresql", "postgresql+psycopg")
    except (sa.exc.ArgumentError, ValueError):
        known = False
    if not known:
        raise _fault("is not an address of a SQLite file or a PostgreSQL database.", remedy) from None
    if parsed.get_backend_name() == "postgresql":
        return parsed.set(drivername="postgresql+psycopg")
    if parsed.database in (None, "", ":memory:"):
        raise _fault("names no file, and a database in memory would forget everything.", remedy)
    return parsed


def _fault(problem: str, remedy: str) -> ConfigError:
    return ConfigError([Fault(file="config.toml", key="store.url", problem=problem, remedy=remedy)])


def _sqlite(url: URL) -> sa.Engine:
    _make_private(Path(str(url.database)))
    if "timeout" not in url.query:
        url = url.update_query_dict({"timeout": str(BUSY_SECONDS)})
    engine = sa.create_engine(url, hide_parameters=True)

    # The two listeners are SQLAlchemy's documented way to get real transactions out of Python's sqlite3.
    @sa.event.listens_for(engine, "connect")
    def _configure(connection: Any, _record: Any) -> None:
        connection.isolation_level = None
        for pragma in (
            "journal_mode = WAL",
            "synchronous = FULL",
            "foreign_keys = ON",
            "recursive_triggers = ON",  # or INSERT OR REPLACE deletes rows past the triggers that guard the audit trail
            "cache_size = -65536",
            "wal_autocheckpoint = 16384",
        ):
            connection.execute(f"PRAGMA {pragma}")

    @sa.event.listens_for(engine, "begin")
    def _start(connection: sa.Connection) -> None:
        read_only = connection.get_execution_options().get(READ_ONLY)
        connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")

    return engine


def _make_private(path: Path) -> None:
    """Makes folder and file for the owner's eyes only; SQLite gives its -wal and -shm files the mode of the file."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    except OSError as error:
        raise FatalError(
            f"The database file {path} cannot be written ({error.strerror}). Check the folder and its permissions."
        ) from None


@contextmanager
def _connected(engine: sa.Engine) -> Iterator[sa.Connection]:
    try:
        connection = engine.connect()
    except sa.exc.DBAPIError as error:
        raise FatalError(
            f"Cannot reach {describe(engine)} ({_code(error)}). Check store.url in config.toml, and that it is running."
        ) from None
    with connection:
        yield connection


@contextmanager
def _translated(engine: sa.Engine) -> Iterator[None]:
    """Turns what the database says into our own errors, without its words: they quote values of rows."""
    try:
        yield
    except sa.exc.DBAPIError as error:
        if _passing(error):
            raise RetriableError(
                f"Busy or gone: {describe(engine)} ({_code(error)}). The next run tries again."
            ) from None
        raise FatalError(
            f"A statement was refused by {describe(engine)} ({_code(error)}). Nothing of it was kept."
        ) from None


def _passing(error: sa.exc.DBAPIError) -> bool:
    """Whether waiting may help: somebody else holds the lock, or the server went away."""
    name = getattr(error.orig, "sqlite_errorname", None)
    if name is not None:
        return str(name).startswith(("SQLITE_BUSY", "SQLITE_LOCKED"))
    return isinstance(error, sa.exc.OperationalError)


def _code(error: sa.exc.DBAPIError) -> str:
    """The error's class and code: ``UniqueViolation 23505``, ``IntegrityError SQLITE_CONSTRAINT_UNIQUE``."""
    original = error.orig
    code = getattr(original, "sqlstate", None) or getattr(original, "sqlite_errorname", None) or ""
    return f"{type(original).__name__} {code}".strip()
