"""Commands about what a run holds: held, release."""

from typing import Annotated

import typer

from adapter.cli.base import DONE, FAILED, HELD, Json, PracticeId, app, chosen, load, out, print_json, tell, words
from adapter.cli.families import show_held
from adapter.cli.render import CHANGES


@app.command(rich_help_panel="Look")
def held(
    context: typer.Context,
    run: Annotated[int | None, typer.Argument(help="One run, as `adapter runs` shows it.", metavar="[RUN]")] = None,
    practice: PracticeId = None,
    json: Json = False,
) -> int:
    """List what the brakes hold because it is more than is ordinary, family by family, and why."""
    from adapter.jobs.held import held_plans

    built = load(context)
    found = held_plans(built.engine, chosen(built, practice), run)
    print_json(found) if json else show_held(found)
    return HELD if found else DONE


@app.command(rich_help_panel="Every day")
def release(
    context: typer.Context,
    run: Annotated[int, typer.Argument(help="The run, as `adapter runs` shows it.", metavar="RUN")],
    plan: Annotated[
        str | None,
        typer.Option(help="The plan you have looked at (`adapter held`): anything else is refused.", metavar="HASH"),
    ] = None,
) -> int:
    """Let go what a run holds: a practice's first Welcome emails, and what its brakes kept back."""
    from adapter.bootstrap import actor
    from adapter.jobs.release import release as let_go

    built = load(context)
    done = let_go(built.engine, built.practices, run, actor=actor(), now=built.clock(), expected=plan)
    if done.welcome:
        out.print(
            f"Released {done.welcome:,} Welcome emails of {done.practice}. `adapter deliver` sends them.", markup=False
        )
    if done.stale:
        tell(f"Nothing of the plan was done: {len(done.stale):,} of its accounts are not as they were.")
        for one in done.stale:
            tell(f"  {one.account}: {', '.join(one.moved)} changed")
        tell("The next sync decides them anew: adapter sync")
        if done.left:
            tell(f"{done.left:,} are as they were: adapter release {run} lets those go.")
        return FAILED
    if done.needs_second:
        tell(f"Noted. Somebody else has to release run {run} too; then {done.left:,} accounts change.")
        return HELD
    if done.changes:
        out.print(f"Done as run {done.done_by}: {words(done.changes, CHANGES)}.", markup=False)
        out.print("`adapter deliver` tells the portal.", markup=False)
    elif not done.welcome:
        tell(f"Run {run} holds no Welcome emails, and nothing else.")
    return DONE
