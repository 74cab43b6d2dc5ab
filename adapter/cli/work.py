"""Commands that do something: plan, sync, deliver, register."""

import os
import re
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
    out,
    print_json,
    tell,
    to_json,
)
from adapter.cli.progress import progress_bar
from adapter.cli.render import show_delivery, show_plan, show_run

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
    from adapter.jobs.run import Request
    from adapter.jobs.sync import sync as run_sync

    if person is not None and not _is_reference(person):
        tell(f'--person takes Patient/ID or RelatedPerson/ID, not "{person}".')
        return USAGE
    built = load(context)
    reports = []
    for name in chosen(built, practice):
        request = Request(full=full, person=person, trust_clock=trust_clock, actor=actor())
        with progress_bar(name) as progress:
            reports.append(run_sync(built.engine, built.practices[name], request, clock=built.clock, progress=progress))
        if trust_clock:
            built.portals[name].trust_clock(built.clock())
    if json:
        print_json(reports[0] if len(reports) == 1 else reports)
    else:
        for report in reports:
            show_run(report)
    return _worst(reports)


def _is_reference(text: str) -> bool:
    return re.fullmatch(r"(Patient|RelatedPerson)/[A-Za-z0-9.-]{1,64}", text) is not None


def _worst(reports: list[dict[str, Any]]) -> int:
    states = {report["status"] for report in reports}
    if states & {"failed", "incomplete"}:
        return FAILED
    return HELD if "held" in states else DONE


@app.command(rich_help_panel="Every day")
def plan(
    context: typer.Context,
    practice: PracticeId = None,
    full: Full = False,
    out_file: Annotated[Path | None, typer.Option("--out", help="Write the plan to this file.", metavar="FILE")] = None,
    json: Json = False,
) -> int:
    """Show what a sync would do, with reasons. Changes nothing."""
    from adapter.bootstrap import actor
    from adapter.core.plan import Action
    from adapter.jobs.run import Request
    from adapter.jobs.sync import plan as make_plan

    built = load(context)
    plans = []
    for name in chosen(built, practice):
        actions: list[Action] = []
        with progress_bar(name) as progress:
            shown = make_plan(
                built.engine,
                built.practices[name],
                Request(full=full, actor=actor()),
                clock=built.clock,
                progress=progress,
                take=actions.extend,
            )
        plans.append(shown | {"actions": [_action(action) for action in actions]})
    document = plans[0] if len(plans) == 1 else plans
    if out_file is not None:
        _write_private(out_file, document)
        tell(f"Wrote {out_file}.")
    if json:
        print_json(document)
    else:
        for shown in plans:
            show_plan(shown)
    if not all(shown["complete"] for shown in plans):
        return FAILED
    return HELD if any(shown["held"] for shown in plans) else DONE


def _action(action: Any) -> dict[str, Any]:
    shown = {
        "action": str(action.action),
        "account": action.account,
        "patient": action.patient,
        "reason": action.reason,
        "source": action.source,
    }
    if action.grant:
        grant = action.grant
        shown |= {
            "state": str(grant.state),
            "access": str(grant.access),
            "role": str(grant.role),
            "authority": str(grant.authority),
        }
    if action.new_key:
        shown |= {"new_account": action.new_key}
    return shown


def _write_private(path: Path, document: Any) -> None:
    from adapter.errors import FatalError

    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(to_json(document))
    except OSError as error:
        raise FatalError(f"{path} cannot be written ({error.strerror}). Choose another place.") from None


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
    zone = built.practices[one.practice].zone
    last = (
        f"the last one went on {one.last_sent_at.astimezone(zone):%d %B %Y at %H:%M}"
        if one.last_sent_at
        else "none has been sent yet"
    )
    out.print(
        f"{one.account.name or 'This parent'} gets the Welcome email at {one.account.email}; {last}.", markup=False
    )
    if not yes and not typer.confirm("Send it again?", err=True):
        tell("Nothing was sent.")
        return FAILED
    again(built.engine, one.practice, email, actor=actor(), now=built.clock())
    out.print("Queued. `adapter deliver` sends it now; the service does within a minute.", markup=False)
    return DONE
