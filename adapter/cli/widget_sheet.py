"""Payment widgets for people to read: where each page stands, what would change, what parents will see."""

from typing import Any

from rich import box
from rich.markup import escape
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from adapter.cli.base import out, table
from adapter.cli.render import styled
from adapter.core.preview import LOOKS

_KEYS = {
    "vendor_name": "vendor",
    "title": "title",
    "title_es": "in Spanish",
    "link": "link",
    "warning": "warning",
    "warning_en": "its text",
    "warning_es": "in Spanish",
}
_REASONS = {
    "widget-new": "is new",
    "widget-changed": "changes",
    "widget-removed": "is taken off",
    "widget-drift": "is put back: the portal shows something else",
    "widget-again": "is published again",
    "widget-edited": "was written on the desk",
    "widget-rollback": "goes back to an earlier revision",
}
_STYLES = {"blue": "blue", "yellow": "yellow", "red": "bold red"}
_WIDTH = 62


def show_widgets(found: list[dict[str, Any]]) -> None:
    """Each page and where it stands: what is live since when, what is pending and until when to wait."""
    if not found:
        out.print(
            "No payment widget was published yet. Configure [practice.merchant], then: adapter widgets publish",
            markup=False,
        )
        return
    for practice in dict.fromkeys(row["practice"] for row in found):
        out.print(Text(practice, style="bold"))
        grid = Table.grid(padding=(0, 2, 0, 0))
        grid.add_column(width=9)
        grid.add_column(overflow="fold")
        for row in (row for row in found if row["practice"] == practice):
            if row["organization"]:
                grid.add_row(Text("for"), Text(whose(row), style="bold"))
            for label, line in _lines(row):
                grid.add_row(label, line)
        out.print(Padding(grid, (0, 0, 0, 2)))
    if any(row["state"] not in ("live", "unpublished") for row in found):
        out.print(f"\n{found[0]['note']}", markup=False)


def whose(row: dict[str, Any]) -> str:
    """Whose page it is: the Organization's name with its reference, or the practice."""
    name, reference = row["organization_name"], row["organization"]
    if not reference:
        return "the practice"
    return reference if name in (None, reference) else f"{name} ({reference})"


def _lines(row: dict[str, Any]) -> list[tuple[Text, Text]]:
    lines = []
    live, pending = row["live"], row["pending"]
    if row["state"] == "unpublished":
        return [(styled("not yet"), Text(f"{_words(row)}; publish it with: adapter widgets publish"))]
    if live and row["state"] != "drifted":
        lines.append(
            (styled("live"), Text(f"{_words(live)}, revision {live['revision']}, since {_time(live['since'])}"))
        )
    elif row["state"] == "drifted":
        text = f"the portal shows something else than revision {row['revision']} ({_words(row)}); see adapter findings"
        lines.append((styled("drifted"), Text(text)))
    elif not live:
        lines.append((styled("live"), Text("nothing yet")))
    if pending and pending["wait_until"]:
        text = f"{_words(pending)}, revision {pending['revision']}, accepted {_time(pending['since'])}; "
        lines.append((styled("pending"), Text(f"{text}wait until {_time(pending['wait_until'])}")))
    elif pending:
        text = f"{_words(pending)}, revision {pending['revision']}: the portal has not accepted it yet; adapter outbox"
        lines.append((styled("queued"), Text(text)))
    if row["charts"] == 0:
        text = "no open chart names this Organization, so nobody sees it; adapter accounts --json shows what they name"
        lines.append((Text("note"), Text(text, style="yellow")))
    if row["rolled_back"]:
        lines.append((Text("note"), Text("published by hand; config.toml asks for something else", style="yellow")))
    elif row["settings_differ"]:
        lines.append((Text("note"), Text("config.toml has changed; publish it with: adapter widgets publish")))
    return lines


def _words(row: dict[str, Any]) -> str:
    """One page in a few words."""
    if not row["vendor"]:
        return f"a Billing warning alone ({row['warning']})" if row["warning"] else "no payment widget"
    text = f"{row['vendor_name']} “{row['title']}”"
    return f"{text} with a Billing warning ({row['warning']})" if row["warning"] else text


def _time(text: str) -> str:
    return f"{text[:16].replace('T', ' ')} UTC"


def show_changes(plan: dict[str, Any]) -> None:
    """What would be published: page by page, line by line, what is there and what would be."""
    if not plan["changes"]:
        out.print(f"{plan['practice']}: nothing new to publish.", markup=False)
        return
    out.print(f"[bold]{escape(plan['practice'])}[/] · plan {plan['hash'][:12]}")
    for change in plan["changes"]:
        out.print(f"  The page of {whose(change)} {_REASONS[change['reason']]}.", markup=False)
        grid = Table.grid(padding=(0, 2, 0, 0))
        grid.add_column(width=10)
        grid.add_column(overflow="fold")
        before, after = change["before"] or {}, change["after"] or {}
        for key, label in _KEYS.items():
            old, new = before.get(key), after.get(key)
            if old != new and old is not None:
                grid.add_row(label, Text(f"- {old}", style="red"))
            if old != new and new is not None:
                grid.add_row("" if old is not None else label, Text(f"+ {new}", style="green"))
            if old == new and new is not None:
                grid.add_row(label, Text(f"  {new}", style="dim"))
        out.print(Padding(grid, (0, 0, 0, 4)))


def show_preview(practice: str, pages: list[dict[str, Any]]) -> None:
    """The home page and the Billing section as parents will see them."""
    for page in pages:
        who = f"{practice}: {whose({**page, 'organization_name': page['name']})}"
        out.print(Text(f"\n{who}", style="bold"))
        home, billing = page["home"], page["billing"]
        if home is None and billing is None:
            out.print("  Parents see nothing for payments.")
        if home:
            leads = f"opens {home['link']}" if home["link"] else f"opens {home['vendor']} from within the portal"
            body = Text.assemble((f"[ {home['title']} ]", "bold reverse"), "\n", (leads, "dim"))
            _panel("Home", body, "white")
        if billing:
            style = _STYLES[billing["look"]]
            body = Text.assemble((f"{billing['level'].upper()}  ", style), billing["text"])
            _panel("Billing", body, style)


def _panel(title: str, body: Text, style: str) -> None:
    panel = Panel(body, title=title, title_align="left", width=_WIDTH, border_style=style, box=box.ROUNDED)
    out.print(Padding(panel, (0, 0, 0, 2)))


def show_history(found: list[dict[str, Any]]) -> None:
    """Every revision, newest first."""
    if not found:
        out.print("No payment widget was published yet.")
        return
    rows = table("rev", "page", "what", "state", "made (UTC)", "live since")
    for one in found:
        rows.add_row(
            str(one["revision"]),
            Text(f"{one['practice']} {one['organization'] or ''}".strip()),
            Text(_words(one)),
            styled(one["state"]),
            one["created_at"][:16].replace("T", " "),
            (one["live_at"] or "")[:16].replace("T", " "),
        )
    out.print(rows)
    out.print("\nGo back to one of them: adapter widgets rollback REV", markup=False)


assert set(_STYLES) == set(LOOKS.values())
