"""The command line: each module adds commands to ``app``; ``run`` turns every error into one line and an exit code.

0 done · 1 failed or incomplete · 2 usage or configuration · 3 done, but something is held for a human.
"""

import gc
import os
from collections.abc import Sequence

from typer.exceptions import Abort, Exit, TyperException

from adapter.cli import (
    audit,
    backup,
    brakes,
    decide,
    demo,
    look,
    mail,
    mapping,
    merges,
    people,
    plans,
    portal,
    revoke,
    service,
    setup,
    suspend,
    tokens,
    undo,
    widgets,
    work,
)
from adapter.cli.base import FAILED, USAGE, app, tell
from adapter.errors import AdapterError, ConfigError

__all__ = ["app", "run"]

MODULES = (
    setup,
    people,
    tokens,
    mapping,
    mail,
    backup,
    plans,
    work,
    brakes,
    undo,
    merges,
    revoke,
    suspend,
    decide,
    look,
    audit,
    widgets,
    portal,
    service,
    demo,
)
DEBUG_ENV = "ADAPTER_DEBUG"
INTERRUPTED = 130
"""What typer makes of Ctrl-C."""


def run(arguments: Sequence[str]) -> int:
    """Runs one command and returns its exit code. No traceback reaches a user unless ``$ADAPTER_DEBUG`` is set."""
    # What is imported by now lives as long as the process: the collector need not look at it again and again, and a
    # sync that makes a million short-lived objects is a fifth faster when it is asked less often (`make bench`).
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)
    try:
        result = app(_config_first(arguments), prog_name="adapter", standalone_mode=False)
        if result == INTERRUPTED:
            return _stopped()
        return result if isinstance(result, int) else 0
    except (Abort, KeyboardInterrupt):
        return _stopped()
    except Exit as stop:
        return stop.exit_code
    except TyperException as error:
        message = error.format_message()
        hint = "" if "Usage:" in message else f" What it takes: {_command(error)} --help"
        tell(message + hint)
        return USAGE
    except ConfigError as error:
        for fault in error.faults:
            tell(str(fault))
        return USAGE
    except AdapterError as error:
        tell(str(error))
        return FAILED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return FAILED
    except Exception as error:
        if os.environ.get(DEBUG_ENV):
            raise
        tell(
            f"The adapter met an error of its own ({type(error).__name__}). Nothing half-done was kept. "
            f"Set {DEBUG_ENV}=1 to see where, and report it without any patient's data."
        )
        return FAILED


def _stopped() -> int:
    tell("Stopped; nothing more was done.")
    return FAILED


def _command(error: TyperException) -> str:
    context = getattr(error, "ctx", None)
    return str(context.command_path) if context is not None else "adapter"


def _config_first(arguments: Sequence[str]) -> list[str]:
    """Lets the global ``--config`` stand anywhere: people put it behind the command as well."""
    first, rest = [], []
    waiting = iter(arguments)
    for argument in waiting:
        if argument == "--":
            rest += [argument, *waiting]
        elif argument == "--config":
            first += [argument, *(value for value in (next(waiting, None),) if value is not None)]
        elif argument.startswith("--config="):
            first.append(argument)
        else:
            rest.append(argument)
    return first + rest
