"""The command that takes one chart away from one account."""

import re
from typing import Annotated

import typer

from adapter.cli.base import DONE, USAGE, PracticeId, app, chosen, load, out, tell


@app.command(rich_help_panel="Every day")
def revoke(
    context: typer.Context,
    email: Annotated[str, typer.Argument(help="The account's e-mail address.", metavar="EMAIL")],
    patient: Annotated[str, typer.Argument(help="The chart: Patient/ID.", metavar="PATIENT")],
    reason: Annotated[str, typer.Option(help="Why, in your words; kept in the audit trail.", metavar="TEXT")],
    lift: Annotated[bool, typer.Option("--lift", help="Take the revocation back: the chart decides again.")] = False,
    practice: PracticeId = None,
) -> int:
    """Take one chart away from one account at once, until somebody lifts it. No brake holds it."""
    from adapter.bootstrap import actor
    from adapter.jobs import revoke as jobs

    if not re.fullmatch(r"Patient/[A-Za-z0-9.-]{1,64}", patient):
        tell(f'PATIENT is a reference such as Patient/123, not "{patient}".')
        return USAGE
    built = load(context)
    wanted = chosen(built, practice)
    if len(wanted) > 1:
        tell(f"Say which practice with --practice: {', '.join(wanted)}.")
        return USAGE
    said = {"reason": reason, "actor": actor(), "now": built.clock()}
    if lift:
        jobs.lift(built.engine, wanted[0], email, patient, **said)
        out.print(f"Lifted. The chart decides again: adapter sync --person {patient}", markup=False)
        return DONE
    done = jobs.revoke(built.engine, wanted[0], email, patient, **said)
    what = "is suspended" if done.was_open else "was not open; no sync opens it any more"
    out.print(f"{patient} {what} for {done.name or email}. It stays so until: adapter revoke --lift", markup=False)
    out.print("`adapter deliver` tells the portal now; the service does within a minute.", markup=False)
    return DONE
