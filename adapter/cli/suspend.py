"""The command that suspends a whole account by hand, and lifts that."""

from typing import Annotated

import typer

from adapter.cli.base import DONE, PracticeId, Reason, app, chosen_one, load, out


@app.command(rich_help_panel="Every day")
def suspend(
    context: typer.Context,
    email: Annotated[str, typer.Argument(help="The account's e-mail address.", metavar="EMAIL")],
    reason: Reason,
    lift: Annotated[bool, typer.Option("--lift", help="Take the suspension back: the charts decide again.")] = False,
    practice: PracticeId = None,
) -> int:
    """Close every chart to one account at once, until somebody lifts it. No brake holds it."""
    from adapter.bootstrap import actor
    from adapter.jobs import suspend as jobs

    built = load(context)
    here = chosen_one(built, practice)
    said = {"reason": reason, "actor": actor(), "now": built.clock()}
    if lift:
        jobs.lift(built.engine, here, email, **said)
        out.print("Lifted. The charts decide again with the next sync: adapter sync", markup=False)
        return DONE
    done = jobs.suspend(built.engine, here, email, **said)
    charts = "1 open chart was" if done.closed == 1 else f"{done.closed} open charts were"
    out.print(f"{done.name or done.email} is suspended; {charts} closed.", markup=False)
    out.print(f"It stays so until: adapter suspend {done.email} --lift --reason TEXT", markup=False)
    out.print("`adapter deliver` tells the portal now; the service does within a minute.", markup=False)
    return DONE
