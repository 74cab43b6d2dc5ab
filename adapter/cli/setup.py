"""Commands that set up and look after the adapter: init, check, migrate."""

import os
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Annotated, Any

import typer

from adapter.cli.base import DONE, FAILED, USAGE, Json, PracticeId, app, chosen, load, out, print_json, tell
from adapter.cli.keys import Algorithm, show_key
from adapter.cli.push import Task, push_checks
from adapter.ehr import Check
from adapter.errors import AdapterError, ConfigError

EXAMPLE = "config.example.toml"


@app.command(rich_help_panel="Set up")
def init(context: typer.Context) -> int:
    """Write config.toml from the example. An existing file is never overwritten."""
    from adapter.settings import config_path

    path = config_path(context.obj)
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        tell(f"{path} exists already and was left as it is.")
        return FAILED
    except OSError as error:
        tell(f"{path} cannot be written ({error.strerror}). Check the folder and its permissions.")
        return FAILED
    with os.fdopen(handle, "wb") as file:
        file.write(_example())
    out.print(f"Wrote {path}. Open it, fill in your practice, then run: adapter check", markup=False)
    return DONE


def _example() -> bytes:
    packaged = resources.files("adapter") / "_data" / EXAMPLE
    if packaged.is_file():
        return packaged.read_bytes()
    return (Path(__file__).parents[2] / EXAMPLE).read_bytes()


@app.command(rich_help_panel="Set up")
def check(
    context: typer.Context,
    practice: PracticeId = None,
    new_key: Annotated[
        bool, typer.Option("--new-key", help="Make the key for signing in to the EHR; print its public half.")
    ] = False,
    jwks: Annotated[
        bool, typer.Option("--jwks", help="Print the public half of the key again, to register it.")
    ] = False,
    alg: Annotated[
        Algorithm | None, typer.Option("--alg", help="With --new-key: what the key is for; RS384 when left out.")
    ] = None,
    subscribe: Annotated[
        bool, typer.Option("--subscribe", help="Create the Subscriptions by which the EHR tells of changes.")
    ] = False,
    unsubscribe: Annotated[bool, typer.Option("--unsubscribe", help="Remove them from the EHR again.")] = False,
    json: Json = False,
) -> int:
    """Look at everything the adapter depends on: a line each, and what to do about a failure."""
    if new_key or jwks:
        return show_key(context, practice, make=new_key, algorithm=alg)
    if subscribe and unsubscribe:
        tell("Choose one of --subscribe and --unsubscribe.")
        return USAGE
    task: Task = "subscribe" if subscribe else "unsubscribe" if unsubscribe else "look"
    checks: list[Check] = []
    try:
        built = load(context)
    except ConfigError as error:
        checks = [
            Check("configuration", False, f"{fault.file}: {fault.key}: {fault.problem}", fault.remedy)
            for fault in error.faults
        ]
        _show(checks, [], json)
        return USAGE
    checks.append(Check("configuration", True, f"practices: {', '.join(built.practices)}"))
    checks.append(_line("database", lambda: _database(built)))
    checks.append(_line("mail", lambda: built.make_mailer().check()))
    checks += _bounces(built)
    wanted = chosen(built, practice)
    for settings in (one for one in built.settings.practice if one.id in wanted):
        name = settings.id
        checks.append(Check(f"{name}: mapping", True, settings.mapping))
        if authority_file := settings.authority_file:
            checks.append(_line(f"{name}: authority file", lambda path=authority_file: _authorities(path)))  # type: ignore[misc]
        try:
            checks += [
                Check(f"{name}: {found.what}", found.ok, found.detail, found.remedy)
                for found in built.practices[name].reader.check()
            ]
        except AdapterError as error:
            checks.append(Check(f"{name}: EHR", False, str(error)))
        checks.append(_line(f"{name}: portal", lambda name=name: built.portals[name].check()))  # type: ignore[misc]
        checks += _sender(built, settings)
        checks += _push(built, settings, task)
    times = _next_times(built)
    _show(checks, times, json)
    return DONE if all(found.ok for found in checks) else FAILED


def _bounces(built: Any) -> list[Check]:
    """The mailbox of delivery reports, where there is one."""
    from adapter.bootstrap.mail import make_bounce_box

    try:
        box = make_bounce_box(built.settings.bounces)
    except AdapterError as error:
        return [Check("bounces", False, str(error))]
    return [_line("bounces", box.check)] if box else []


def _sender(built: Any, practice: Any) -> list[Check]:
    """What the DNS says of the address that the practice's mail comes from."""
    from adapter.bootstrap.mail import look_up_sender

    found = look_up_sender(practice, built.settings.mail)
    return [Check(f"{practice.id}: {one.what}", one.ok, one.detail, one.remedy) for one in found]


def _push(built: object, practice: Any, task: Task) -> list[Check]:
    try:
        found = push_checks(built, practice, task)
    except AdapterError as error:
        found = [Check("push", False, str(error))]
    return [Check(f"{practice.id}: {one.what}", one.ok, one.detail, one.remedy) for one in found]


def _database(built: object) -> str:
    from adapter.store.engine import describe

    return describe(built.engine)  # type: ignore[attr-defined]


def _authorities(path: Path) -> str:
    from adapter.jobs.authorities import load_authorities

    return f"{len(load_authorities(path)):,} lines"


def _line(what: str, look: Callable[[], str]) -> Check:
    try:
        return Check(what, True, look())
    except AdapterError as error:
        return Check(what, False, str(error))


def _next_times(built: object) -> list[dict[str, str]]:
    from adapter.jobs.schedule import next_times

    found = next_times(built.scheduled, built.clock())  # type: ignore[attr-defined]
    return [
        {"practice": entry.practice, "job": entry.job, "next": entry.at.isoformat(timespec="minutes")}
        for entry in found
    ]


def _show(checks: list[Check], times: list[dict[str, str]], json: bool) -> None:
    if json:
        lines = [
            {"what": found.what, "ok": found.ok, "detail": found.detail, "remedy": found.remedy} for found in checks
        ]
        print_json({"checks": lines, "next": times})
        return
    for found in checks:
        mark = "[green]ok  [/]" if found.ok else "[red bold]FAIL[/]"
        out.print(f"{mark} [bold]{found.what}[/]  ", end="")
        out.print(found.detail, markup=False, style="" if found.ok else "red")
        if found.remedy and not found.ok:
            out.print(f"     {found.remedy}", markup=False)
    if times:
        out.print("\n[bold]Next, while `adapter run` is running[/]")
        for entry in times:
            out.print(f"     {entry['next'].replace('T', ' ')}  {entry['practice']}: {entry['job']}", markup=False)


@app.command(rich_help_panel="Set up")
def migrate(
    context: typer.Context,
    grant: Annotated[
        str | None,
        typer.Option(
            help="PostgreSQL: also give this role what the service needs; to the audit trail it can only add.",
            metavar="ROLE",
        ),
    ] = None,
) -> int:
    """Bring the database up to date after an update of the adapter. Make a backup first."""
    from adapter.portal.embedded import records as portal
    from adapter.settings import config_path, load_settings
    from adapter.store.engine import describe, make_engine
    from adapter.store.migrations import migrate as bring_up
    from adapter.store.migrations import pending
    from adapter.store.roles import grant_to

    engine = make_engine(load_settings(config_path(context.obj)).store.url.get_secret_value())
    changed = pending(engine)
    bring_up(engine)
    where = describe(engine)
    out.print(f"{where[:1].upper()}{where[1:]} is up to date{'' if changed else ' already'}.", markup=False)
    if grant is not None:
        if engine.dialect.name == "postgresql":
            portal.metadata.create_all(engine)  # made on first use otherwise, which that role may not do
        grant_to(engine, grant, portal.metadata.sorted_tables)
        out.print(f"The role {grant} has what the service needs, and can only add to the audit trail.", markup=False)
    return DONE
