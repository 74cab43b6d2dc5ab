"""``adapter portal``: looks into the portal itself: what it has, and whether that is what was decided."""

from typing import Annotated, Any

import typer

from adapter.cli.base import DONE, FAILED, HELD, Json, PracticeId, app, chosen, load, out, print_json, tell, words

group = typer.Typer(no_args_is_help=True)
app.add_typer(group, name="portal", rich_help_panel="Operate")

_KINDS = {
    "portal-extra": ("opened more than was decided", "opened more than was decided"),
    "portal-orphan": ("was nobody's", "were nobody's"),
    "portal-missing": ("is missing or opens less", "are missing or open less"),
    "portal-changed": ("is different otherwise", "are different otherwise"),
}


@group.callback()
def portal() -> None:
    """Look into the portal: compare it with what was decided."""


@group.command()
def compare(
    context: typer.Context,
    practice: PracticeId = None,
    repair: Annotated[
        bool, typer.Option("--repair", help="Put back what is missing or different, and close what is nobody's.")
    ] = False,
    json: Json = False,
) -> int:
    """Read the portal back: who has registered, and whether every account opens exactly what was decided."""
    from adapter.bootstrap import actor
    from adapter.jobs.work import read_back

    built = load(context)
    reports = [read_back(built, name, actor=actor(), insist=repair) for name in chosen(built, practice)]
    if json:
        print_json(reports[0] if len(reports) == 1 else reports)
    else:
        for report in reports:
            show_comparison(report)
    return FAILED if any(report["problems"] for report in reports) else max(_ending(report) for report in reports)


def _ending(report: dict[str, Any]) -> int:
    left = sum(report["drift"].values()) - report["repaired"]
    return HELD if left else DONE


def show_comparison(report: dict[str, Any]) -> None:
    """What was read back, what differs, and what to do about it."""
    accounts = words({"account": report["accounts"]}, {"account": ("account", "accounts")})
    line = f"{report['practice']}: {accounts} read, {report['equal']:,} as decided"
    line += f", {report['moving']:,} on their way" if report["moving"] else ""
    out.print(line + ".", markup=False)
    if report["registered"]:
        out.print(f"{report['registered']:,} registered since the last look.", markup=False)
    for one in report["differences"]:
        where = f": {', '.join(one['where'])}" if one["where"] else ""
        done = " (repaired)" if one["repaired"] else ""
        out.print(f"  {one['account'] or 'an account'} {_KINDS[one['code']][0]}{where}{done}", markup=False)
    if report["held"]:
        out.print(f"{report['held']:,} at once are too many to act on. See: adapter findings", markup=False)
    elif sum(report["drift"].values()) > report["repaired"]:
        out.print("To put it back: adapter portal compare --repair", markup=False)
    for problem in report["problems"]:
        tell(problem)
