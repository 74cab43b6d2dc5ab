"""``adapter people``: who may use the admin's desk, and in which role."""

from typing import Annotated

import typer

from adapter.cli.base import DONE, Json, app, load, out, print_json, table, tell
from adapter.core.staff import StaffRole

group = typer.Typer(no_args_is_help=True)
app.add_typer(group, name="people", rich_help_panel="Set up", help="Who may use the admin's desk, and in which role.")

Name = Annotated[str, typer.Argument(help="The name they sign in with.", metavar="NAME")]
Practices = Annotated[
    list[str] | None,
    typer.Option("--practice", "-p", help="A practice of the configuration; may be given again.", metavar="ID"),
]


@group.command()
def add(
    context: typer.Context,
    name: Name,
    role: Annotated[
        StaffRole,
        typer.Option(help="viewer looks; reconciler also settles, resends and syncs a family; admin does everything."),
    ] = StaffRole.VIEWER,
    practice: Practices = None,
    subject: Annotated[
        str | None,
        typer.Option(help="They sign in by OpenID Connect alone: their `sub` at the provider.", metavar="SUB"),
    ] = None,
    json: Json = False,
) -> int:
    """Add a person, or give one another role. Without --practice at every practice of the configuration.

    A new person gets a password and a secret for their authenticator app, shown this once.
    """
    from adapter.bootstrap import actor
    from adapter.jobs.people import add as make

    built = load(context)
    roles = dict.fromkeys(_several(built, practice), role)
    made = make(built.engine, built.key, name, roles, subject=subject, actor=actor(), now=built.clock())
    _show(made, json=json, done=f"{made.name} is {role} at {', '.join(roles)}.")
    return DONE


@group.command(name="list")
def list_(context: typer.Context, json: Json = False) -> int:
    """List everybody who may sign in."""
    from adapter.jobs.people import listing

    found = listing(load(context).engine)
    if json:
        print_json(found)
        return DONE
    if not found:
        tell("Nobody may sign in yet. The first one: adapter people add NAME --role admin")
        return DONE
    shown = table("Name", "Roles", "Signs in with")
    for person in found:
        roles = ", ".join(f"{role} at {practice}" for practice, role in person["roles"].items())
        shown.add_row(person["name"], roles or "none", person["signs_in"])
    out.print(shown)
    return DONE


@group.command()
def remove(context: typer.Context, name: Name, practice: Practices = None) -> int:
    """Remove a person, or with --practice their role there, and sign them out everywhere."""
    from adapter.bootstrap import actor
    from adapter.jobs.people import remove as take_away

    built = load(context)
    take_away(built.engine, name, practice or (), actor=actor(), now=built.clock())
    out.print("Removed, and signed out everywhere.", markup=False)
    return DONE


@group.command()
def reset(context: typer.Context, name: Name, json: Json = False) -> int:
    """Give a person a new password and secret, and sign them out everywhere."""
    from adapter.bootstrap import actor
    from adapter.jobs.people import reset as renew

    built = load(context)
    made = renew(built.engine, built.key, name, actor=actor(), now=built.clock())
    _show(made, json=json, done=f"{made.name} is signed out everywhere.")
    return DONE


def _several(built: object, practices: list[str] | None) -> list[str]:
    from adapter.cli.base import chosen

    return [chosen(built, name)[0] for name in practices] if practices else chosen(built, None)


def _show(made: object, *, json: bool, done: str) -> None:
    from adapter.jobs.people import Enrolment

    assert isinstance(made, Enrolment)
    if json:
        print_json({"name": made.name, "password": made.password, "secret": made.secret, "uri": made.uri})
        return
    out.print(done, markup=False)
    if made.password:
        out.print("\nHand these over in person; they are not shown again.\n", markup=False)
        out.print(f"  Password           {made.password}", markup=False, soft_wrap=True)
        out.print(f"  Authenticator app  {made.secret}", markup=False, soft_wrap=True)
        out.print(f"  or as a link       {made.uri}", markup=False, soft_wrap=True)
