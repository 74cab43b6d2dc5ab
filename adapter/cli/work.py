"""Commands that do something: sync, deliver, register."""

import re
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
    out,
    print_json,
    tell,
)
from adapter.cli.progress import progress_bar
from adapter.cli.render import show_delivery, show_run

Full = Annotated[bool, typer.Option("--full", help="Read everything, not only what changed.")]


@app.command(rich_help_panel="Every day")
def sync(
    context: typer.Context,
    practice: PracticeId = None,
    full: Full = False,
    person: Annotated[
        str | None, typer.Option(help="One family alone: Patient/ID or RelatedPerson/ID.", metavar="REF")
    ] = None,
    trust_clock: Annotated[
        bool, typer.Option("--trust-clock", help="Decide by this clock although an earlier run was at a later time.")
    ] = False,
    json: Json = False,
) -> int:
    """Read the EHR, decide who may see whose chart, and bring the accounts up to date."""
    from adapter.bootstrap import actor
    from adapter.jobs.board import FOLDER, Board, both
    from adapter.jobs.run import Request
    from adapter.jobs.sync import sync as run_sync

    if person is not None and not _is_reference(person):
        tell(f'--person takes Patient/ID or RelatedPerson/ID, not "{person}".')
        return USAGE
    built = load(context)
    board = Board(built.settings.store.key_file.parent / FOLDER)
    reports = []
    for name in chosen(built, practice):
        request = Request(full=full, person=person, trust_clock=trust_clock, actor=actor())
        with progress_bar(name) as bar:
            progress = both(bar, board.of(name))
            reports.append(run_sync(built.engine, built.practices[name], request, clock=built.clock, progress=progress))
        if trust_clock:
            built.portals[name].trust_clock(built.clock())
    if json:
        print_json(reports[0] if len(reports) == 1 else reports)
    else:
        for report in reports:
            show_run(report)
    return worst(reports)


def _is_reference(text: str) -> bool:
    return re.fullmatch(r"(Patient|RelatedPerson)/[A-Za-z0-9.-]{1,64}", text) is not None


def worst(reports: list[dict[str, Any]]) -> int:
    """The exit code of so many runs."""
    states = {report["status"] for report in reports}
    if states & {"failed", "incomplete"}:
        return FAILED
    return HELD if "held" in states else DONE


@app.command(rich_help_panel="Every day")
def deliver(context: typer.Context, json: Json = False) -> int:
    """Deliver what is due now: accounts to the portal, Welcome emails, the payment widget."""
    from adapter.jobs.work import deliver_all

    built = load(context)
    report = deliver_all(built)
    if json:
        print_json(report)
    else:
        show_delivery(report)
    return FAILED if report["problems"] else DONE


@app.command(rich_help_panel="Every day")
def register(
    context: typer.Context,
    email: Annotated[str, typer.Argument(help="The parent's e-mail address.", metavar="EMAIL")],
    practice: PracticeId = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> int:
    """Send a parent the Welcome email again, after a confirmation."""
    from adapter.bootstrap import actor
    from adapter.jobs.explain import explain
    from adapter.jobs.register import look
    from adapter.jobs.register import register as again

    built = load(context)
    zones = {name: built.practices[name].zone for name in chosen(built, practice)}
    found = [look(built.engine, name, email, built.clock().astimezone(zone)) for name, zone in zones.items()]
    found = [one for one in found if one.account is not None] or found[:1]
    if len(found) > 1:
        tell(f"{email} has accounts at {', '.join(one.practice for one in found)}. Say which with --practice.")
        return USAGE
    one = found[0]
    if one.account is None or one.problem:
        tell(one.problem)
        answer = explain(built.engine, built.practices[one.practice], email, clock=built.clock)
        tell(answer.verdict)
        if answer.remedy:
            tell(answer.remedy)
        return FAILED
    out.print(f"{one.account.name or 'This parent'} gets the Welcome email at {one.account.email}.", markup=False)
    out.print(one.became, markup=False)
    if not yes and not typer.confirm("Send it again?", err=True):
        tell("Nothing was sent.")
        return FAILED
    again(built.engine, one.practice, email, actor=actor(), now=built.clock())
    out.print("Queued. `adapter deliver` sends it now; the service does within a minute.", markup=False)
    return DONE
