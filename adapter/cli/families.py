"""How plans are shown on the terminal: counts first, then family by family what, for whom and why."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from adapter.cli.base import out, words
from adapter.cli.render import CHANGES
from adapter.core.families import families
from adapter.core.plan import Action

VERBS = {
    "open-account": "open account",
    "grant": "open chart",
    "queue-welcome": "send Welcome",
    "hold-welcome": "hold Welcome",
    "hold-grant": "hold chart",
    "suspend-grant": "suspend chart",
    "end-grant": "close chart",
    "change-grant": "change access",
    "cancel-welcome": "cancel Welcome",
    "move-account": "move account",
    "move-account-back": "move back",
    "update-account": "update account",
    "reopen-account": "reopen account",
    "suspend-account": "suspend account",
    "close-account": "close account",
}


def show_plan(plan: Mapping[str, Any], actions: Sequence[Action], names: Mapping[str, str]) -> None:
    """A plan: counts first, then family by family."""
    out.print(f"[bold]Plan[/] · {escape(plan['practice'])} · {plan['hash'][:12]}")
    if not plan["complete"]:
        out.print("The EHR could not be read completely: only restrictions would be applied.", style="red")
    for problem in plan["problems"]:
        out.print(Padding(Text(problem, style="red"), (0, 0, 0, 2)))
    out.print(Padding(Text(words(plan["changes"], CHANGES)), (0, 0, 0, 2)))
    if plan["held"]:
        out.print(Padding(Text(f"Would wait for a human: {words(plan['held'], CHANGES)}"), (0, 0, 0, 2)))
    show_families([msgspec.to_builtins(family) for family in families(actions, names)])


def show_families(found: Sequence[Mapping[str, Any]]) -> None:
    """Each family: whose charts, then account by account what is done and why."""
    for family in found:
        whose = family["charts"] or sorted({line["name"] for line in family["lines"] if line["name"]})
        out.print(Text("\n" + (", ".join(whose) or family["lines"][0]["account"]), style="bold"))
        before, said = None, ""
        grid = Table.grid(padding=(0, 2, 0, 0))
        grid.add_column(width=15)
        grid.add_column(overflow="fold")
        for line in family["lines"]:
            if line["account"] != before:
                before, said = line["account"], ""
                grid.add_row(Text(line["name"] or "Account", style="dim"), Text(before))
            why = "" if line["because"] == said and not _what(line) else line["because"]
            grid.add_row(Text(VERBS[line["action"]]), Text.assemble(_what(line), (why, "dim")))
            said = line["because"]
        out.print(Padding(grid, (0, 0, 0, 2)))


def _what(line: Mapping[str, Any]) -> str:
    if line["new_account"]:
        return f"to {line['new_account']}: "
    if not line["patient"]:
        return ""
    return f"{line['chart']} ({line['patient']}): " if line["chart"] else f"{line['patient']}: "


def show_held(found: Sequence[Mapping[str, Any]]) -> None:
    """What the brakes hold, run by run, and how to let it go."""
    if not found:
        out.print("Nothing is held by a brake.")
        return
    for plan in found:
        run, short = plan["run"], plan["hash"][:12]
        out.print(Text.assemble((f"Run {run}", "bold"), f" · {plan['practice']} · plan {short}"))
        out.print(Padding(Text(plan["cause"]), (0, 0, 0, 2)))
        out.print(Padding(Text(f"Waiting: {words(plan['counts'], CHANGES)}"), (0, 0, 0, 2)))
        show_families(plan["families"])
        out.print(f"\nIf this is right, until {plan['until'][:10]}: adapter release {run} --plan {short}", markup=False)
        if plan["approved_by"]:
            out.print(f"Released by {plan['approved_by']} already; a second person is needed.", markup=False)
        out.print("If not: put right what is named, then sync again; what is no longer due goes away.\n")
