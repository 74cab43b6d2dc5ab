"""Commands about plans: plan, apply."""

from pathlib import Path
from typing import Annotated, Any

import typer

from adapter.cli.base import (
    DONE,
    FAILED,
    HELD,
    USAGE,
    Json,
    PracticeId,
    app,
    chosen,
    load,
    print_json,
    tell,
)
from adapter.cli.families import show_plan
from adapter.cli.progress import progress_bar
from adapter.cli.render import show_run
from adapter.cli.work import Full, worst


@app.command(rich_help_panel="Every day")
def plan(
    context: typer.Context,
    practice: PracticeId = None,
    full: Full = False,
    out_file: Annotated[
        Path | None,
        typer.Option("--out", help="Keep the plan in this new file, for `adapter apply`.", metavar="FILE"),
    ] = None,
    json: Json = False,
) -> int:
    """Show what a sync would do, family by family, and why. Changes nothing."""
    from adapter.bootstrap import actor
    from adapter.jobs.frozen import freeze, look_ahead
    from adapter.jobs.plan_file import write_plan
    from adapter.jobs.run import Request
    from adapter.jobs.shapes import action_shape

    built = load(context)
    wanted = chosen(built, practice)
    if out_file is not None and len(wanted) > 1:
        tell(f"A file holds the plan of one practice. Say which with --practice: {', '.join(wanted)}.")
        return USAGE
    documents, shown = [], []
    for name in wanted:
        request = Request(full=full, actor=actor())
        with progress_bar(name) as progress:
            where: dict[str, Any] = {"clock": built.clock, "progress": progress}
            if out_file is None:
                said, actions, names = look_ahead(built.engine, built.practices[name], request, **where)
            else:
                said, frozen, names = freeze(built.engine, built.practices[name], request, **where)
                actions = frozen.actions
        documents.append(said | {"actions": [action_shape(action) for action in actions]})
        shown.append((said, actions, names))
        if out_file is not None:
            write_plan(out_file, documents[-1], frozen)
            tell(
                f"Wrote {out_file}, with data of patients: for your eyes only. It is done by: adapter apply {out_file}"
            )
    if json:
        print_json(documents[0] if len(documents) == 1 else documents)
    else:
        for said, actions, names in shown:
            show_plan(said, actions, names)
    if not all(said["complete"] for said in documents):
        return FAILED
    return HELD if any(said["held"] for said in documents) else DONE


@app.command(rich_help_panel="Every day")
def apply(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="The plan, as `adapter plan --out` wrote it.", metavar="FILE")],
    json: Json = False,
) -> int:
    """Do exactly what a plan says, or refuse it and say what moved. The EHR is not asked again."""
    from adapter.bootstrap import actor
    from adapter.jobs.frozen import apply_frozen
    from adapter.jobs.plan_file import read_plan

    built = load(context)
    frozen = read_plan(file)
    with progress_bar(frozen.practice) as progress:
        done = apply_frozen(built.engine, built.practices, frozen, actor=actor(), clock=built.clock, progress=progress)
    if done.report is not None:
        print_json(done.report) if json else show_run(done.report)
        return worst([done.report])
    moved = [*done.moved, *(f"{one.account}: {', '.join(one.moved)}" for one in done.stale)]
    if json:
        print_json({"status": "stale", "practice": frozen.practice, "hash": frozen.hash, "moved": moved})
    tell(f"The plan of {frozen.made_at:%Y-%m-%d %H:%M} is stale, and nothing was done. Since then these have changed:")
    for one in moved[:50]:
        tell(f"  {one}")
    if len(moved) > 50:
        tell(f"  and {len(moved) - 50:,} more")
    tell("Make a new one: adapter plan --out FILE")
    return FAILED
