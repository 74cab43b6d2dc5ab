"""Commands about charts that were merged: merges, merge, unmerge."""

from typing import Annotated, Any

import msgspec
import typer

from adapter.cli.base import (
    DONE,
    FAILED,
    HELD,
    USAGE,
    Json,
    PracticeId,
    Reason,
    app,
    chart_reference,
    chosen,
    chosen_one,
    load,
    out,
    print_json,
    tell,
    words,
)
from adapter.cli.families import show_families
from adapter.cli.render import CHANGES
from adapter.core.families import because

From = Annotated[str, typer.Argument(help="The chart that was merged: Patient/ID.", metavar="FROM")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do it without asking.")]
HEADINGS = {
    "pending": "Waits for you",
    "held": "Cannot move",
    "taken-back": "Taken back in the EHR, waits for you",
    "done": "Done",
}


@app.command(rich_help_panel="Look")
def merges(context: typer.Context, practice: PracticeId = None, json: Json = False) -> int:
    """List charts that were merged in the EHR: which wait for a human, which are done, which cannot move."""
    from adapter.jobs.merge_view import listing

    built = load(context)
    found = listing(built.engine, chosen(built, practice))
    print_json(found) if json else _show_list(found)
    return HELD if any(one["state"] != "done" for one in found) else DONE


@app.command(rich_help_panel="Every day")
def merge(
    context: typer.Context,
    source: From,
    target: Annotated[str, typer.Argument(help="The chart that is left: Patient/ID.", metavar="INTO")],
    reason: Reason = "",
    yes: Yes = False,
    practice: PracticeId = None,
    json: Json = False,
) -> int:
    """Carry access over to the chart that is left: who keeps, gets or loses it is shown, and done when confirmed."""
    return _move(context, source, target, reason, yes, practice, json)


@app.command(rich_help_panel="Every day")
def unmerge(
    context: typer.Context,
    source: From,
    reason: Reason = "",
    yes: Yes = False,
    practice: PracticeId = None,
    json: Json = False,
) -> int:
    """Give access back to a chart whose merge the EHR has taken back: shown first, done after a confirmation."""
    return _move(context, source, None, reason, yes, practice, json)


def _move(
    context: typer.Context,
    source: str,
    target: str | None,
    reason: str,
    yes: bool,
    practice: str | None,
    json: bool,
) -> int:
    from adapter.bootstrap import actor
    from adapter.jobs.merges import merge as move

    chart_reference(source, "FROM")
    if target is not None:
        chart_reference(target, "INTO")
    built = load(context)
    here = built.practices[chosen_one(built, practice)]
    asked: dict[str, Any] = {"unmerge": target is None, "actor": actor()}
    shown = move(built.engine, here, source, target, now=built.clock(), apply=False, **asked)
    if not json:
        _show(shown)
    if not yes and (json or not typer.confirm("Do this?", err=True)):
        print_json(msgspec.to_builtins(shown)) if json else tell("Nothing was changed.")
        return DONE if json else FAILED
    if not reason:
        tell("Say why with --reason: it is kept in the audit trail.")
        return USAGE
    asked |= {"reason": reason, "expected": shown.hash, "seen": shown.seen}
    done = move(built.engine, here, source, target, now=built.clock(), apply=True, **asked)
    if json:
        print_json(msgspec.to_builtins(done))
    elif done.needs_second:
        tell("Noted. Somebody else has to let it go too.")
    else:
        out.print(f"Done as run {done.done_by}. `adapter deliver` tells the portal.", markup=False)
    return HELD if done.needs_second else DONE


def _show_list(found: list[dict[str, Any]]) -> None:
    if not found:
        out.print("No chart that anybody can open was merged.")
        return
    for one in found:
        out.print(f"[bold]{HEADINGS[one['state']]}[/] · since {one['since'][:10]}")
        out.print(f"  {one['said']}", markup=False)
        if one["state"] == "pending":
            out.print(f"  Look at what would move: adapter merge {one['source']} {one['target']}", markup=False)
        elif one["state"] == "taken-back":
            out.print(f"  Look at what would come back: adapter unmerge {one['source']}", markup=False)
        elif one["state"] == "held":
            out.print(f"  Nothing moves, because {one['problem']}.", markup=False)
        else:
            out.print(f"  By {one['done_by']}, run {one['run']}: {one['reason']}", markup=False)


def _show(shown: Any) -> None:
    out.print(shown.said, style="bold", markup=False)
    for one in shown.moves:
        chart = "their own chart" if one.own else shown.source if shown.unmerge else shown.target
        why = f" ({because(one.why)})" if one.why and one.what in ("loses", "has nothing") else ""
        out.print(f"  {one.name or one.account} <{one.account}> {one.what}: {chart}{why}", markup=False)
        if one.mail:
            out.print(f"    {one.mail}", markup=False)
    if not shown.changes:
        out.print("Nobody's access changes.")
        return
    out.print(f"  {words(shown.changes, CHANGES)}", markup=False)
    show_families([msgspec.to_builtins(family) for family in shown.families])
    out.print()
