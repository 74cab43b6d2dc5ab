"""``adapter backup`` and ``adapter restore``: the whole database into a file, and back."""

from pathlib import Path
from typing import Annotated, Any

import typer

from adapter.cli.base import DONE, FAILED, HELD, USAGE, Json, app, load, out, print_json, tell, words
from adapter.cli.progress import progress_bar

_HELD = {
    "held": ("Welcome email is held", "Welcome emails are held"),
    "unknown": ("mail is unknown", "mails are unknown"),
}


@app.command(rich_help_panel="Set up")
def backup(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="A new file.", metavar="FILE")],
    json: Json = False,
) -> int:
    """Copy the SQLite database to a file and check the copy; the service may go on running."""
    from adapter.jobs.audit import describe
    from adapter.jobs.backup import backup as make

    built = load(context)
    with progress_bar("Backup") as progress:
        contents, verdict = make(built.settings.store.url.get_secret_value(), file, progress=progress)
    if json:
        counts = {"accounts": contents.accounts, "grants": contents.grants, "entries": contents.entries}
        print_json({"file": str(file), "bytes": file.stat().st_size, **counts, "audit": verdict.to_json()})
    else:
        out.print(f"Wrote {file}: {_contents(contents)}. The copy is sound.", markup=False, soft_wrap=True)
        _tell_key(built)
    if not verdict.whole:
        for line in describe(verdict):
            tell(line)
        tell("The audit trail is broken. The backup is as the database is; `adapter restore` will not take it.")
    return DONE if verdict.whole else FAILED


def _tell_key(built: Any) -> None:
    key = built.settings.store.key_file
    tell(f"It does not hold the key of the links in Welcome emails: keep a copy of {key} in another place.")


@app.command(rich_help_panel="Set up")
def restore(
    context: typer.Context,
    file: Annotated[Path | None, typer.Argument(help="A file that `adapter backup` wrote.", metavar="FILE")] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    after_pg_restore: Annotated[
        bool,
        typer.Option(
            "--after-pg-restore", help="PostgreSQL, instead of FILE: make the database safe that pg_restore put back."
        ),
    ] = False,
) -> int:
    """Put a backup in the place of the SQLite database. Stop the service first; no mail leaves by itself afterwards."""
    from adapter.bootstrap import actor
    from adapter.jobs.backup import Contents
    from adapter.jobs.backup import restore as put_back

    if (file is None) is not after_pg_restore:
        tell("Name the file to restore. On PostgreSQL use pg_restore, then --after-pg-restore: docs/postgresql.md.")
        return USAGE
    built = load(context)
    url = built.settings.store.url.get_secret_value()
    if file is None:
        return _after_pg_restore(built, actor(), yes)

    def confirm(contents: Contents, grown: int | None) -> bool:
        reaches = f", up to {contents.last:%Y-%m-%d %H:%M} UTC" if contents.last else ""
        out.print(f"{file} holds {_contents(contents)}{reaches}.", markup=False, soft_wrap=True)
        if grown is None:
            tell("There is no database that could be compared with it.")
        elif grown > 0:
            tell(f"The audit trail has grown by {grown:,} entries since; they stay in the database that is put aside.")
        tell(_WARNING if grown is not None else f"{_WARNING} {_BLIND}")
        return yes or typer.confirm("Put it back?", err=True)

    with progress_bar("Restore") as progress:
        done = put_back(url, file, actor=actor(), now=built.clock(), confirm=confirm, progress=progress)
    if done is None:
        tell("Nothing was changed.")
        return FAILED
    if done.aside is not None:
        out.print(f"The database from before is {done.aside}.", markup=False, soft_wrap=True)
    return _show(done.settled)


_WARNING = (
    "What the backup knows as waiting may have left since, so no mail leaves by itself: Welcome emails are held until "
    "`adapter release`, and the next sync reads and decides everything again."
)
_BLIND = "Links in Welcome emails that were sent before stop working, and charts are open as they were at that time."


def _after_pg_restore(built: Any, actor: str, yes: bool) -> int:
    from adapter.errors import FatalError
    from adapter.jobs.backup import make_safe

    if built.engine.dialect.name != "postgresql":
        raise FatalError("This is a SQLite database: adapter restore FILE.")
    tell(f"{_WARNING} {_BLIND}")
    if not yes and not typer.confirm("Was this database just put back by pg_restore?", err=True):
        tell("Nothing was changed.")
        return FAILED
    return _show(make_safe(built.engine, actor=actor, now=built.clock()))


def _show(settled: Any) -> int:
    out.print("Restored.", markup=False)
    waiting = {"held": settled.held, "unknown": settled.unknown}
    if any(waiting.values()):
        tell(f"{words(waiting, _HELD)}: `adapter outbox` lists them.")
    if settled.sent_since:
        tell(
            f"{settled.sent_since:,} Welcome emails went to accounts that the backup does not know. The next sync "
            "plans them again, and holds them where hold_first_welcome is true: look before you release them."
        )
    if settled.suspended:
        closed = words({"closed": settled.suspended}, {"closed": ("chart is closed", "charts are closed")})
        tell(f"{closed} that the backup had open: access was taken away since.")
    tell("Next: adapter sync; then start the service.")
    return HELD if any(waiting.values()) else DONE


def _contents(contents: Any) -> str:
    counts = {"accounts": contents.accounts, "grants": contents.grants, "entries": contents.entries}
    names = {
        "accounts": ("account", "accounts"),
        "grants": ("grant", "grants"),
        "entries": ("entry of the audit trail", "entries of the audit trail"),
    }
    return words(counts, names)
