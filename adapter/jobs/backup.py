"""Backup and restore: a copy that is proven before it is kept, and put back only when nothing can go wrong with it."""

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import sqlalchemy as sa

from adapter.core.audit_check import Head
from adapter.ehr import Progress
from adapter.errors import FatalError
from adapter.jobs.audit import Verdict, verify
from adapter.jobs.new_file import new_file
from adapter.store import backup as files
from adapter.store import restored
from adapter.store import tables as t
from adapter.store.engine import begin, read
from adapter.store.migrations import is_new, migrate
from adapter.store.restored import Settled


@dataclass(frozen=True, slots=True)
class Contents:
    """What a backup holds. ``last`` is the time of the trail's last entry: how far the backup reaches."""

    accounts: int
    grants: int
    entries: int
    last: datetime | None
    heads: list[Head] = field(default_factory=list)


def backup(url: str, path: Path, *, progress: Progress) -> tuple[Contents, Verdict]:
    """Copies the SQLite database at ``url`` into a new file, also while syncs and deliveries go on.

    The copy is kept only when SQLite finds it sound. A broken audit trail is told, not refused: it is what there is.
    Raises FatalError for PostgreSQL, when ``path`` exists, or when the copy is damaged.
    """
    source = files.database_file(url)
    if not source.exists():
        raise FatalError(f"There is no database at {source} yet. Check store.url in config.toml.")
    with new_file(path) as draft:
        files.copy(source, draft, lambda done, total: progress("pages", done, total))
        return _inspect(draft, source, progress)


def _inspect(path: Path, name: Path, progress: Progress) -> tuple[Contents, Verdict]:
    """Checks a copy and says what it holds. ``name`` is what to call it. Raises FatalError when it is damaged."""
    files.check(path, name)
    engine = files.file_engine(path)
    if is_new(engine):
        raise FatalError(f"{name} is no database of the adapter.")
    verdict = verify(engine, None, against=None, progress=progress)
    with read(engine) as connection:
        counts = [
            connection.scalar(sa.select(sa.func.count()).select_from(table)) or 0 for table in (t.account, t.grant)
        ]
        last = connection.scalar(sa.select(sa.func.max(t.audit.c.at))) if verdict.whole else None
    return Contents(counts[0], counts[1], sum(verdict.entries.values()), last, verdict.heads), verdict


@dataclass(frozen=True, slots=True)
class Restored:
    """What a restore did. ``aside`` is where the database is now that was replaced; None when there was none."""

    aside: Path | None
    settled: Settled


def restore(
    url: str,
    path: Path,
    *,
    actor: str,
    now: datetime,
    confirm: Callable[[Contents, int | None], bool],
    progress: Progress,
) -> Restored | None:
    """Puts a backup in the place of the SQLite database at ``url``. Returns None when ``confirm`` says no.

    Everything is checked on a copy first: SQLite's own checks, foreign keys, the audit trail's chain. The copy is
    brought up to date and made safe (``store.restored``), and takes the place of the database, which is kept aside.
    ``confirm`` gets what the backup holds, and how many entries the trail has grown by since (None: cannot be told).

    Raises FatalError for PostgreSQL, when anybody has the database open, or when the backup is damaged or too new.
    """
    target = files.database_file(url)
    if not path.exists():
        raise FatalError(f"There is no file {path}.")
    with _draft_beside(target) as draft:
        files.copy(path, draft, lambda done, total: progress("pages", done, total))
        contents, verdict = _inspect(draft, path, progress)
        if not verdict.whole:
            raise FatalError(
                f"The audit trail in {path} is broken: somebody has changed it. Nothing was replaced. Use another one."
            )
        migrate(files.file_engine(draft))
        with _alone(target, now) as sound:
            grown = _entries(target) - contents.entries if sound else None
            if not confirm(contents, grown):
                return None
            settled = _settle(files.file_engine(draft, replaced=target if sound else None), sound, actor, path, now)
            files.check(draft, path)
            aside = _aside(target, now) if target.exists() else None
            files.put(draft, target, aside, sound=sound)
    return Restored(aside, settled)


def make_safe(engine: sa.Engine, *, actor: str, now: datetime) -> Settled:
    """The last step of a restore alone, for a PostgreSQL database that pg_restore has just put back.

    Raises FatalError when the audit trail is broken, or when a run holds a lease.
    """
    if not verify(engine, None, against=None, progress=lambda *_: None).whole:
        raise FatalError("The audit trail is broken: somebody has changed it. `adapter audit verify` says where.")
    with begin(engine) as connection:
        lease = connection.execute(sa.select(t.lease).where(t.lease.c.until >= now)).first()
        if lease is not None:
            raise FatalError(
                f"{lease.name} holds a lease until {lease.until.astimezone(UTC):%H:%M} UTC: a job is at work, or was "
                "when the backup was made. Stop the service, or try again after that time."
            )
        return restored.settle(connection, replaced=False, actor=actor, source="pg_restore", now=now)


def _settle(engine: sa.Engine, sound: bool, actor: str, path: Path, now: datetime) -> Settled:
    with begin(engine) as connection:
        return restored.settle(connection, replaced=sound, actor=actor, source=path.name, now=now)


@contextmanager
def _draft_beside(target: Path) -> Iterator[Path]:
    """An empty file of the owner's alone in the database's folder, gone at the end unless it was renamed."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        draft = target.with_name(f".{target.name}.restore-{secrets.token_hex(8)}")
        draft.touch(mode=0o600, exist_ok=False)
    except OSError as error:
        raise FatalError(f"{target.parent} cannot be written ({error.strerror}). Check its permissions.") from None
    try:
        yield draft
    finally:
        for leftover in (draft, draft.with_name(f"{draft.name}-journal")):
            leftover.unlink(missing_ok=True)


@contextmanager
def _alone(target: Path, now: datetime) -> Iterator[bool]:
    if not target.exists():
        yield False
        return
    with files.alone_with(target, now) as sound:
        yield sound


def _entries(path: Path) -> int:
    with read(files.file_engine(path, still=True)) as connection:
        return connection.scalar(sa.select(sa.func.count()).select_from(t.audit)) or 0


def _aside(target: Path, now: datetime) -> Path:
    return target.with_name(f"{target.name}.before-restore-{now.astimezone(UTC):%Y%m%dT%H%M%SZ}")
