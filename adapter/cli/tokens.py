"""``adapter tokens``: which programs may use the JSON API, and in which role."""

from typing import Annotated

import typer

from adapter.cli.base import DONE, Json, app, chosen, load, out, print_json, table, tell
from adapter.core.staff import StaffRole

group = typer.Typer(no_args_is_help=True)
app.add_typer(group, name="tokens", rich_help_panel="Set up", help="Which programs may use the JSON API.")

Practices = Annotated[
    list[str] | None,
    typer.Option("--practice", "-p", help="A practice of the configuration; may be given again.", metavar="ID"),
]


@group.command()
def add(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="What it is for: its name in the audit trail.", metavar="NAME")],
    role: Annotated[
        StaffRole,
        typer.Option(help="viewer looks; reconciler also resends and syncs a family; admin does everything."),
    ] = StaffRole.VIEWER,
    practice: Practices = None,
    days: Annotated[int, typer.Option(min=1, max=3650, help="For so many days.")] = 90,
    json: Json = False,
) -> int:
    """Make a token, shown this once. Without --practice for every practice of the configuration."""
    from adapter.bootstrap import actor
    from adapter.jobs.tokens import add as make
    from adapter.jobs.tokens import shape

    built = load(context)
    names = [chosen(built, one)[0] for one in practice] if practice else chosen(built, None)
    now = built.clock()
    token, made = make(built.engine, name, dict.fromkeys(names, role), days=days, actor=actor(), now=now)
    if json:
        print_json(shape(made, now) | {"token": token})
        return DONE
    out.print(f"{name} is {role} at {', '.join(names)} until {made.expires_at:%Y-%m-%d}.", markup=False)
    out.print("\nThe token, which is not shown again:\n", markup=False)
    out.print(f"  {token}", markup=False, soft_wrap=True)
    return DONE


@group.command(name="list")
def list_(context: typer.Context, json: Json = False) -> int:
    """List the tokens there are and were."""
    from adapter.jobs.tokens import listing

    built = load(context)
    found = listing(built.engine, built.clock())
    if json:
        print_json(found)
        return DONE
    if not found:
        tell("There are no tokens. Make one: adapter tokens add NAME")
        return DONE
    shown = table("Name", "Roles", "State", "Until")
    for one in found:
        roles = ", ".join(f"{role} at {practice}" for practice, role in one["roles"].items())
        shown.add_row(one["name"], roles, one["state"], one["expires_at"][:10])
    out.print(shown)
    return DONE


@group.command()
def revoke(
    context: typer.Context, name: Annotated[str, typer.Argument(help="Its name, or its id.", metavar="NAME")]
) -> int:
    """End a token at once."""
    from adapter.bootstrap import actor
    from adapter.jobs.tokens import revoke as end

    built = load(context)
    end(built.engine, name, actor=actor(), now=built.clock())
    out.print("Revoked: it opens nothing any more.", markup=False)
    return DONE
