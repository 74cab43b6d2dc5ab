"""``adapter mail``: the Welcome email as its reader will see it."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from adapter.cli.base import DONE, PracticeId, app, chosen_one, load, out, tell

group = typer.Typer(invoke_without_command=True, no_args_is_help=False)
app.add_typer(group, name="mail", rich_help_panel="Set up")


@group.callback()
def mail(context: typer.Context) -> int | None:
    """See the Welcome email as parents will, in the practice's own words."""
    if context.invoked_subcommand is None:
        print(context.get_help())
    return DONE


@group.command()
def preview(
    context: typer.Context,
    practice: PracticeId = None,
    language: Annotated[
        Literal["en", "es"] | None, typer.Option(help="en or es; the practice's own when left out.")
    ] = None,
    html: Annotated[Path | None, typer.Option(help="Also write the HTML part to this file.", metavar="FILE")] = None,
) -> int:
    """Show the Welcome email to an invented parent. Nothing is sent, and its link leads nowhere."""
    from adapter.errors import FatalError
    from adapter.mail.render import Reader, welcome_message

    built = load(context)
    settings = built.identities[chosen_one(built, practice)]
    message = welcome_message(
        settings.letterhead,
        Reader(email="ana.rivera@mail.example", name="Ana Rivera", language=language or settings.language),
        username="ana.rivera@mail.example",
        link=f"{settings.registration_url}?token=preview",
        link_hours=settings.link_hours,
        message_id=f"<preview@{settings.mail_from.rpartition('@')[2]}>",
        now=built.clock(),
    )
    for header in ("From", "To", "Subject"):
        out.print(f"{header}: {message[header]}", markup=False, highlight=False)
    plain, rich = message.get_body(("plain",)), message.get_body(("html",))
    assert plain is not None and rich is not None
    out.print(f"\n{plain.get_content()}", markup=False, highlight=False)
    if html is not None:
        try:
            html.write_text(rich.get_content(), encoding="utf-8")
        except OSError as error:
            raise FatalError(f"{html} cannot be written ({error.strerror}). Choose another place.") from None
        tell(f"Wrote {html}.")
    return DONE
