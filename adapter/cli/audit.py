"""``adapter audit``: who did what and why, proof that nobody has changed it since, and copies for others."""

from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.text import Text

from adapter.cli.base import (
    DONE,
    FAILED,
    USAGE,
    Json,
    PracticeId,
    app,
    chart_reference,
    chosen,
    load,
    out,
    print_json,
    table,
    tell,
)
from adapter.cli.base import to_json as as_json
from adapter.cli.progress import progress_bar

group = typer.Typer(invoke_without_command=True, no_args_is_help=False)
app.add_typer(group, name="audit", rich_help_panel="Look")

Email = Annotated[
    str | None, typer.Option(help="Entries about this parent's account, under any address it has had.", metavar="EMAIL")
]
Patient = Annotated[str | None, typer.Option(help="Entries about this chart: Patient/ID.", metavar="REF")]
Since = Annotated[
    str | None,
    typer.Option(
        help="From this day or time on, on the practice's clock: 2026-03-02 or 2026-03-02T09:00.", metavar="DAY"
    ),
]
Actor = Annotated[
    str | None, typer.Option(help="What this one did: a user of this machine, schedule, delivery.", metavar="WHO")
]
Run = Annotated[int | None, typer.Option(help="What this run did.", metavar="RUN")]


@group.callback()
def audit(
    context: typer.Context,
    practice: PracticeId = None,
    email: Email = None,
    patient: Patient = None,
    since: Since = None,
    actor: Actor = None,
    run: Run = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="Show at most so many.")] = 50,
    json: Json = False,
) -> int | None:
    """Show the audit trail, the latest entries first: who did what to which account and chart, and why."""
    if context.invoked_subcommand is not None:
        return None
    from adapter.store.audit_trail import entries
    from adapter.store.engine import read

    built = load(context)
    wanted = _wanted(built, practice, email, patient, since, actor, run)
    with read(built.engine) as connection:
        found = list(entries(connection, wanted, newest=True, limit=limit))
    print_json(found) if json else _show(found, built, limit)
    return DONE


@group.command()
def verify(
    context: typer.Context,
    head: Annotated[
        str | None,
        typer.Option(help="What `adapter audit head` gave earlier: its file, or one hash.", metavar="FILE|HASH"),
    ] = None,
    practice: PracticeId = None,
    json: Json = False,
) -> int:
    """Check every entry: find edits, deletions, insertions and swaps; with --head also an end that was cut off."""
    from adapter.jobs.audit import describe, read_head
    from adapter.jobs.audit import verify as check

    against = read_head(head) if head is not None else None
    built = load(context)
    names = chosen(built, practice) if practice is not None else None
    with progress_bar("Checking") as progress:
        verdict = check(built.engine, names, against=against, progress=progress)
    if json:
        print_json(verdict.to_json())
    else:
        for line in describe(verdict):
            out.print(line, markup=False, soft_wrap=True)
        if head is None and verdict.whole:
            tell("Whether the end was cut off shows only against a head that was exported: adapter audit head.")
    return DONE if verdict.whole else FAILED


@group.command()
def head(
    context: typer.Context,
    out_file: Annotated[Path | None, typer.Option("--out", help="Write them to this new file.", metavar="FILE")] = None,
    practice: PracticeId = None,
    json: Json = False,
) -> int:
    """Show the last entry's number and hash, to be kept on another machine: they prove later that none is missing."""
    from adapter.jobs.audit import Heads, heads
    from adapter.jobs.new_file import new_file

    built = load(context)
    exported = Heads(built.clock().isoformat(), heads(built.engine, chosen(built, practice)))
    document = {
        "at": exported.at,
        "heads": [{"practice": one.practice, "seq": one.seq, "hash": one.hash} for one in exported.heads],
    }
    if out_file is not None:
        with new_file(out_file) as draft:
            draft.write_bytes(as_json(document))
        tell(f"Wrote {out_file}. Keep it where nobody who can change the database can write.")
    if json:
        print_json(document)
    elif out_file is None:
        for one in exported.heads:
            out.print(f"{one.practice} {one.seq} {one.hash}", markup=False, soft_wrap=True)
    return DONE


@group.command()
def export(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="A new file.", metavar="FILE")],
    form: Annotated[
        Literal["csv", "fhir"],
        typer.Option("--format", help="csv for a spreadsheet; fhir: AuditEvent resources, one a line (NDJSON)."),
    ] = "csv",
    practice: PracticeId = None,
    email: Email = None,
    patient: Patient = None,
    since: Since = None,
    actor: Actor = None,
    run: Run = None,
) -> int:
    """Write the audit trail, or the part that is asked for, to a file. It names parents: keep it safe."""
    from adapter.jobs.audit_export import Format
    from adapter.jobs.audit_export import export as write

    built = load(context)
    wanted = _wanted(built, practice, email, patient, since, actor, run)
    with progress_bar("Export") as progress:
        count = write(built.engine, wanted, file, Format(form), progress=progress)
    out.print(f"Wrote {count:,} {'entry' if count == 1 else 'entries'} to {file}.", markup=False, soft_wrap=True)
    return DONE


def _wanted(
    built: Any,
    practice: str | None,
    email: str | None,
    patient: str | None,
    since: str | None,
    actor: str | None,
    run: int | None,
) -> Any:
    from adapter.core.email import email_key
    from adapter.store.audit_trail import Wanted

    if patient is not None:
        chart_reference(patient, "--patient")
    names = chosen(built, practice)
    return Wanted(
        practices=names,
        since={} if since is None else {name: _instant(since, built.practices[name].zone) for name in names},
        email_key=None if email is None else email_key(email),
        patient=patient,
        actor=actor,
        run=run,
    )


def _instant(text: str, zone: Any) -> datetime:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise _usage("--since takes a day or a time, for example 2026-03-02 or 2026-03-02T09:00.") from None
    return at if at.tzinfo is not None else at.replace(tzinfo=zone)


def _usage(message: str) -> typer.Exit:
    tell(message)
    return typer.Exit(USAGE)


def _clock_face(at: str, zone: Any) -> str:
    """The time on the practice's clock; as it is stored when somebody has made it no time at all."""
    try:
        return f"{datetime.fromisoformat(at).astimezone(zone):%Y-%m-%d %H:%M}"
    except ValueError:
        return at


def _show(found: list[dict[str, Any]], built: Any, limit: int) -> None:
    if not found:
        tell("There is no such entry.")
        return
    several = len({entry["practice"] for entry in found}) > 1
    shown = table("When", "Who", "What", "Whom", "Chart", "Why")
    for entry in found:
        at = _clock_face(entry["at"], built.practices[entry["practice"]].zone)
        who = entry["actor"].removeprefix("person:")
        whom = entry["email"] or entry["detail"].get("email") or ""
        chart = (entry["patient"] or "").removeprefix("Patient/")
        what = f"{entry['practice']}: {entry['action']}" if several else entry["action"]
        shown.add_row(*(Text(value) for value in (at, who, what, whom, chart, entry["reason"])))
    out.print(shown)
    if len(found) == limit:
        tell(f"These are the latest {limit:,}; --limit shows more, `adapter audit export` all.")
