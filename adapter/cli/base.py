"""What every command shares: the app, the configuration, output to people and to programs."""

import re
import sys
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer
from rich.console import Console
from rich.table import Table

from adapter import __version__

DONE, FAILED, USAGE, HELD = 0, 1, 2, 3

app = typer.Typer(
    name="adapter",
    help="Keeps the patient portal's accounts equal to what the EHR says about families, and explains every decision.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    rich_markup_mode="rich",
)

out = Console(highlight=False, soft_wrap=False)
err = Console(stderr=True, highlight=False)

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")]
PracticeId = Annotated[
    str | None,
    typer.Option("--practice", "-p", help="One practice of the configuration; all when left out.", metavar="ID"),
]
Reason = Annotated[str, typer.Option(help="Why, in your words; kept in the audit trail.", metavar="TEXT")]


def _version(wanted: bool) -> None:
    if wanted:
        print(f"adapter {__version__}")
        raise typer.Exit


@app.callback()
def _main(
    context: typer.Context,
    config: Annotated[
        Path | None,
        typer.Option(help="The configuration file.", show_default="./config.toml, or $ADAPTER_CONFIG", metavar="FILE"),
    ] = None,
    _: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")] = False,
) -> None:
    context.obj = config


def load(context: typer.Context) -> Any:
    """The application of the configuration in force. Raises ConfigError listing every fault of every file at once."""
    from adapter.bootstrap import build  # wiring pulls in everything; `--help` and `init` do not need it
    from adapter.errors import ConfigError
    from adapter.logs import configure_logs
    from adapter.settings import config_path, load_settings

    path = config_path(context.obj)
    settings = load_settings(path)
    configure_logs(
        practices=[practice.id for practice in settings.practice], console=sys.stderr.isatty(), level="warning"
    )
    built = build(settings, path.resolve().parent)
    faults = []
    for look in (lambda: built.practices, lambda: built.scheduled, lambda: built.merchants):
        try:
            look()
        except ConfigError as error:
            faults += error.faults
    if faults:
        raise ConfigError(faults)
    return built


def chosen(built: Any, practice: str | None) -> list[str]:
    """The practice ids a command is about. Raises ConfigError for one that is not in the configuration."""
    known = [settings.id for settings in built.settings.practice]
    if practice is None:
        return known
    if practice not in known:
        remedy = f"The configuration has: {', '.join(known)}."
        raise _misused("--practice", f'there is no practice "{practice}".', remedy)
    return [practice]


def chosen_one(built: Any, practice: str | None) -> str:
    """The one practice a command is about. Raises ConfigError when there are several and none was named."""
    wanted = chosen(built, practice)
    if len(wanted) > 1:
        raise _misused("--practice", f"there are {len(wanted)} practices.", f"Say which one: {', '.join(wanted)}.")
    return wanted[0]


def chart_reference(value: str, argument: str) -> str:
    """The reference of a chart, as it was typed. Raises ConfigError when it is none."""
    if not re.fullmatch(r"Patient/[A-Za-z0-9.-]{1,64}", value):
        raise _misused(argument, f'"{value}" is no reference to a chart.', "It is Patient/ID, for example Patient/123.")
    return value


def _misused(argument: str, problem: str, remedy: str) -> Exception:
    from adapter.errors import ConfigError, Fault

    return ConfigError([Fault(file="command line", key=argument, problem=problem, remedy=remedy)])


def to_json(document: Any) -> bytes:
    """A document as indented JSON, ending in a newline."""
    return orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE | orjson.OPT_NON_STR_KEYS)


def print_json(document: Any) -> None:
    """One JSON document on stdout."""
    sys.stdout.buffer.write(to_json(document))
    sys.stdout.flush()


def tell(message: str) -> None:
    """A line for people on stderr."""
    err.print(message, markup=False, soft_wrap=True)


def table(*columns: str, title: str | None = None) -> Table:
    """A calm table that fits 80 columns."""
    shown = Table(
        title=title,
        title_justify="left",
        title_style="bold",
        box=None,
        pad_edge=False,
        header_style="bold",
        padding=(0, 2, 0, 0),
    )
    for column in columns:
        shown.add_column(column, overflow="fold")
    return shown


def words(counts: dict[str, int], names: dict[str, tuple[str, str]] | None = None) -> str:
    """Counts as words: ``1 account opened, 3 charts opened``; "nothing" for none.

    ``names`` has, in the order to tell them, the words for one and for several; other keys speak for themselves.
    """
    told = {name: (name, name) for name in sorted(counts)} if names is None else names
    parts = [f"{counts[name]:,} {told[name][counts[name] != 1]}" for name in told if counts.get(name)]
    return ", ".join(parts) or "nothing"
