"""``adapter widgets``: what is live and pending, a preview, publishing, and going back to an earlier revision."""

import sys
from collections.abc import Callable
from typing import Annotated, Any, Literal

import typer

from adapter.cli.base import DONE, FAILED, Json, PracticeId, app, chosen, chosen_one, load, out, print_json, tell
from adapter.cli.widget_sheet import show_changes, show_history, show_preview, show_widgets

group = typer.Typer(invoke_without_command=True, no_args_is_help=False)
app.add_typer(group, name="widgets", rich_help_panel="Look")

Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


@group.callback()
def widgets(context: typer.Context, practice: PracticeId = None, json: Json = False) -> int | None:
    """Show each practice's payment widget: what is live since when, what is pending and until when to wait."""
    if context.invoked_subcommand is not None:
        return None
    from adapter.jobs.pages import status

    built = load(context)
    found = status(built.engine, [built.merchants[name] for name in chosen(built, practice)])
    print_json(found) if json else show_widgets(found)
    return DONE


@group.command()
def preview(
    context: typer.Context,
    practice: PracticeId = None,
    language: Annotated[Literal["en", "es"], typer.Option("--language", "-l", help="The parent's language.")] = "en",
    json: Json = False,
) -> int:
    """Show what parents will see of the merchant in config.toml, before it is published. Changes nothing."""
    from adapter.core.preview import preview as draw

    built = load(context)
    drawn = {name: draw(built.merchants[name], language) for name in chosen(built, practice)}
    if json:
        print_json([{"practice": name, "language": language, "pages": pages} for name, pages in drawn.items()])
        return DONE
    for name, pages in drawn.items():
        show_preview(name, pages)
    return DONE


@group.command()
def history(
    context: typer.Context,
    practice: PracticeId = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="Show at most so many of each practice.")] = 20,
    json: Json = False,
) -> int:
    """List what was published when, newest first: each revision can be rolled back to."""
    from adapter.jobs.pages import history as listing

    built = load(context)
    found = [
        row for name in chosen(built, practice) for row in listing(built.engine, built.merchants[name], limit=limit)
    ]
    print_json(found) if json else show_history(found)
    return DONE


@group.command()
def publish(
    context: typer.Context,
    practice: PracticeId = None,
    again: Annotated[
        bool, typer.Option("--again", help="Also what is published already, for a portal that has lost it.")
    ] = False,
    yes: Yes = False,
    json: Json = False,
) -> int:
    """Publish the merchant of config.toml to the portal's home page, and deliver it now.

    Shows what would change first, and asks when somebody sits at the terminal.
    """
    from adapter.bootstrap import actor
    from adapter.jobs.publish import plan_publish
    from adapter.jobs.publish import publish as carry_out

    built = load(context)
    names = chosen(built, practice)
    plans = {
        name: plan_publish(built.engine, practice=name, desired=built.merchants[name].pages, again=again)
        for name in names
    }

    def make(name: str) -> None:
        carry_out(
            built.engine,
            practice=name,
            desired=built.merchants[name].pages,
            now=built.clock(),
            actor=actor(),
            again=again,
            expected=plans[name].hash,
        )

    return _carry_out(built, plans, make, yes=yes, json=json, nothing="nothing new to publish")


@group.command()
def rollback(
    context: typer.Context,
    revision: Annotated[
        int | None,
        typer.Argument(help="As `adapter widgets history` shows it; the one before when left out.", metavar="REVISION"),
    ] = None,
    practice: PracticeId = None,
    organization: Annotated[
        str,
        typer.Option(help="Whose page, when REVISION is left out; the practice's own by default.", metavar="REF"),
    ] = "",
    yes: Yes = False,
    json: Json = False,
) -> int:
    """Publish an earlier revision again, and deliver it now. It stays until config.toml changes or you publish."""
    from adapter.bootstrap import actor
    from adapter.jobs.publish import plan_back
    from adapter.jobs.publish import rollback as go_back

    built = load(context)
    name = chosen_one(built, practice)
    where: dict[str, Any] = {
        "merchant": built.merchants[name], "revision": revision, "organization": organization,
    }  # fmt: skip
    plan = plan_back(built.engine, **where)

    def make(_: str) -> None:
        go_back(built.engine, **where, now=built.clock(), actor=actor(), expected=plan.hash)

    return _carry_out(built, {name: plan}, make, yes=yes, json=json, nothing="that is what is published")


def _carry_out(
    built: Any, plans: dict[str, Any], make: Callable[[str], None], *, yes: bool, json: bool, nothing: str
) -> int:
    """Shows the plans, asks, carries out those that change something, and delivers."""
    from adapter.jobs.pages import changes, status
    from adapter.jobs.work import deliver_home_page

    wanted = [name for name, plan in plans.items() if plan.changes]
    if not json:
        for name, plan in plans.items():
            if plan.changes:
                show_changes(changes(built.merchants[name], plan))
            else:
                out.print(f"{name}: {nothing}.", markup=False)
        if wanted and not yes and sys.stdin.isatty() and not typer.confirm("Publish this?", err=True):
            tell("Nothing was published.")
            return FAILED
    for name in wanted:
        make(name)
    problems = [problem for name in plans for problem in deliver_home_page(built, name)["problems"]]
    for problem in problems:
        tell(problem)
    found = status(built.engine, [built.merchants[name] for name in plans])
    print_json(found) if json else show_widgets(found)
    return FAILED if problems else DONE
