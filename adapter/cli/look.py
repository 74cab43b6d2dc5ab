"""Commands that only look: accounts, explain, findings, runs, outbox."""

from typing import Annotated, Any

import typer

from adapter.cli.base import DONE, Json, PracticeId, app, chosen, load, print_json
from adapter.cli.render import show_accounts, show_explanation, show_findings, show_outbox, show_runs

Limit = Annotated[int, typer.Option(min=1, max=100_000, help="Show at most so many.")]


@app.command(rich_help_panel="Look")
def accounts(
    context: typer.Context,
    email: Annotated[str | None, typer.Argument(help="One parent's e-mail address.", metavar="EMAIL")] = None,
    practice: PracticeId = None,
    json: Json = False,
) -> int:
    """List the portal accounts: which charts each may open, and what became of its Welcome email."""
    from adapter.core.email import email_key
    from adapter.store import views
    from adapter.store.engine import read

    built = load(context)
    with read(built.engine) as connection:
        found = views.accounts(
            connection, chosen(built, practice), email_key=email_key(email) if email is not None else None
        )
    print_json(found) if json else show_accounts(found, email)
    return DONE


@app.command(rich_help_panel="Look")
def explain(
    context: typer.Context,
    who: Annotated[str, typer.Argument(help="An e-mail address, Patient/ID or RelatedPerson/ID.", metavar="WHO")],
    practice: PracticeId = None,
    json: Json = False,
) -> int:
    """Say why a parent did or did not get the Welcome email, step by step, and what to do about it."""
    from adapter.jobs.explain import explain as ask
    from adapter.jobs.explain import knows

    built = load(context)
    names = chosen(built, practice)
    known = [name for name in names if knows(built.engine, built.practices[name], who)] or names[:1]
    answers = [(name, ask(built.engine, built.practices[name], who, clock=built.clock)) for name in known]
    if json:
        documents = [{"practice": name, **answer.to_json()} for name, answer in answers]
        print_json(documents[0] if len(documents) == 1 else documents)
        return DONE
    for name, answer in answers:
        show_explanation(answer, built.practices[name].name if len(names) > 1 else None)
    return DONE


@app.command(rich_help_panel="Look")
def findings(
    context: typer.Context,
    practice: PracticeId = None,
    everything: Annotated[bool, typer.Option("--all", help="Also those that somebody has answered.")] = False,
    json: Json = False,
) -> int:
    """List what a human should look at, the gravest first, each with the step that fixes it."""
    from adapter.store import findings as store
    from adapter.store.engine import read

    built = load(context)
    with read(built.engine) as connection:
        found = store.listing(connection, chosen(built, practice), decided=everything)
    print_json(found) if json else show_findings(found)
    return DONE


@app.command(rich_help_panel="Look")
def runs(context: typer.Context, practice: PracticeId = None, limit: Limit = 20, json: Json = False) -> int:
    """List the latest syncs: what was read, what changed, what is held."""
    from adapter.store import runs as store
    from adapter.store.engine import read

    built = load(context)
    with read(built.engine) as connection:
        found = store.listing(connection, chosen(built, practice), limit=limit)
    print_json(found) if json else show_runs(found)
    return DONE


@app.command(rich_help_panel="Look")
def outbox(context: typer.Context, practice: PracticeId = None, json: Json = False) -> int:
    """List what goes out or went out: accounts to the portal, Welcome emails, widgets; and why something waits."""
    from adapter.store import outbox as store
    from adapter.store.engine import read

    built = load(context)
    found: list[dict[str, Any]] = []
    with read(built.engine) as connection:
        for name in chosen(built, practice):
            found += store.listing(connection, practice=name)
    print_json(found) if json else show_outbox(found)
    return DONE
