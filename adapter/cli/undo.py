"""The command that takes a run back."""

from typing import Annotated, Any

import msgspec
import typer

from adapter.cli.base import DONE, FAILED, Json, app, load, out, print_json, tell, words
from adapter.cli.families import show_families
from adapter.cli.render import CHANGES
from adapter.core.families import because


@app.command(rich_help_panel="Every day")
def undo(
    context: typer.Context,
    run: Annotated[int, typer.Argument(help="The run, as `adapter runs` shows it.", metavar="RUN")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do it without asking.")] = False,
    json: Json = False,
) -> int:
    """Take a run back: show what that does, then do it after a confirmation. Mail that has left is listed."""
    from adapter.bootstrap import actor
    from adapter.jobs.shapes import undo_shape
    from adapter.jobs.undo import undo as take_back

    built = load(context)

    def ask(apply: bool, expected: str | None = None) -> Any:
        now = built.clock()
        return take_back(built.engine, built.practices, run, actor=actor(), now=now, apply=apply, expected=expected)

    shown = ask(apply=False)
    if not json:
        _show(shown)
    if shown.blocked or not shown.changes:
        if json:
            print_json(undo_shape(shown))
        return FAILED
    if not yes and (json or not typer.confirm("Take it back?", err=True)):
        print_json(undo_shape(shown)) if json else tell("Nothing was changed.")
        return DONE if json else FAILED
    done = ask(apply=True, expected=shown.hash)
    if json:
        print_json(undo_shape(done))
    else:
        out.print(f"Done as run {done.done_by}. `adapter deliver` tells the portal.", markup=False)
    return DONE


def _show(shown: Any) -> None:
    out.print(f"Taking back run {shown.run} of {shown.practice}", style="bold", markup=False)
    if shown.blocked:
        out.print("It cannot be taken back, because this is not as the run left it:")
        for one in shown.blocked[:50]:
            by = f", changed again by run {one.by}: take that back first" if one.by else ""
            out.print(f"  {one.account}: {one.what}{by}", markup=False)
        return
    if not shown.changes:
        out.print("Nothing of it can be taken back.")
        _tell_rest(shown)
        return
    out.print(f"  {words(shown.changes, CHANGES)}", markup=False)
    show_families([msgspec.to_builtins(family) for family in shown.families])
    _tell_rest(shown)


def _tell_rest(shown: Any) -> None:
    if shown.stays:
        out.print("\nThese stay closed, because the charts now speak against them:")
        for address, chart, code in shown.stays:
            out.print(f"  {address}: {chart} ({because(code)})", markup=False)
    if shown.left:
        out.print("\nMail that has left cannot be called back:")
        for address in shown.left:
            out.print(f"  {address}", markup=False)
    if shown.dead_links:
        out.print("\nTheir links stay dead; `adapter register EMAIL` sends a new Welcome email:")
        for address in shown.dead_links:
            out.print(f"  {address}", markup=False)
    if shown.again:
        out.print("\nThe next sync that looks at these families would do this at once:", style="yellow")
        show_families([msgspec.to_builtins(family) for family in shown.again])
    out.print()
