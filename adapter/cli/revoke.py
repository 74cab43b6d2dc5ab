"""The command that takes one chart away from one account."""

from typing import Annotated

import typer

from adapter.cli.base import DONE, PracticeId, Reason, app, chart_reference, chosen_one, load, out


@app.command(rich_help_panel="Every day")
def revoke(
    context: typer.Context,
    email: Annotated[str, typer.Argument(help="The account's e-mail address.", metavar="EMAIL")],
    patient: Annotated[str, typer.Argument(help="The chart: Patient/ID.", metavar="PATIENT")],
    reason: Reason,
    lift: Annotated[bool, typer.Option("--lift", help="Take the revocation back: the chart decides again.")] = False,
    practice: PracticeId = None,
) -> int:
    """Take one chart away from one account at once, until somebody lifts it. No brake holds it."""
    from adapter.bootstrap import actor
    from adapter.jobs import revoke as jobs

    chart_reference(patient, "PATIENT")
    built = load(context)
    here = chosen_one(built, practice)
    said = {"reason": reason, "actor": actor(), "now": built.clock()}
    if lift:
        jobs.lift(built.engine, here, email, patient, **said)
        out.print(f"Lifted. The chart decides again: adapter sync --person {patient}", markup=False)
        return DONE
    done = jobs.revoke(built.engine, here, email, patient, **said)
    what = "is suspended" if done.was_open else "was not open; no sync opens it any more"
    out.print(f"{patient} {what} for {done.name or email}. It stays so until: adapter revoke --lift", markup=False)
    out.print("`adapter deliver` tells the portal now; the service does within a minute.", markup=False)
    return DONE
