"""``adapter widgets``: what is live, what is pending, and publishing."""

import typer

from adapter.cli.base import DONE, FAILED, Json, PracticeId, app, chosen, load, out, print_json, tell
from adapter.cli.render import show_widgets

group = typer.Typer(invoke_without_command=True, no_args_is_help=False)
app.add_typer(group, name="widgets", rich_help_panel="Look")


@group.callback()
def widgets(context: typer.Context, practice: PracticeId = None, json: Json = False) -> int | None:
    """Show each practice's payment widget: what is live, what is pending and until when to wait."""
    if context.invoked_subcommand is not None:
        return None
    from adapter.jobs.publish import status

    built = load(context)
    found = status(built.engine, practices=chosen(built, practice))
    print_json(found) if json else show_widgets(found)
    return DONE


@group.command()
def publish(context: typer.Context, practice: PracticeId = None, json: Json = False) -> int:
    """Publish the merchant of config.toml to the portal's home page, and deliver it now."""
    from adapter.bootstrap import actor
    from adapter.jobs.publish import publish as make_revision
    from adapter.jobs.publish import status
    from adapter.jobs.work import deliver_home_page

    built = load(context)
    names = chosen(built, practice)
    for name in names:
        made = make_revision(built.engine, practice=name, desired=built.widgets[name], now=built.clock(), actor=actor())
        if not json:
            done = "nothing new to publish" if made is None else f"revision {made.revision} is on its way"
            out.print(f"{name}: {done}.", markup=False)
    problems = [problem for name in names for problem in deliver_home_page(built, name)["problems"]]
    for problem in problems:
        tell(problem)
    found = status(built.engine, practices=names)
    print_json(found) if json else show_widgets(found)
    return FAILED if problems else DONE
