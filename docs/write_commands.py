"""Writes docs/commands.md from the commands' own help, so that the two cannot disagree."""

import os
import subprocess
import sys
from pathlib import Path

from typer.main import get_command

from adapter.cli import app

TARGET = Path(__file__).with_name("commands.md")
INTRODUCTION = """# Commands

Written by `make docs` from the commands' own help; change it there.

Exit codes: 0 done · 1 failed or incomplete · 2 usage or configuration (all faults at once) · 3 done, but something is
held for a human. `--json` prints one JSON document on stdout and nothing else; everything else goes to stderr.
"""


def main() -> None:
    """Writes the file anew."""
    parts = [INTRODUCTION, _section("adapter", [])]
    for name, command in sorted(get_command(app).commands.items()):  # type: ignore[attr-defined]
        parts.append(_section(f"adapter {name}", [name]))
        parts += [_section(f"adapter {name} {below}", [name, below]) for below in getattr(command, "commands", ())]
    TARGET.write_text("\n".join(parts), encoding="utf-8")


def _section(title: str, arguments: list[str]) -> str:
    environment = os.environ | {"COLUMNS": "88", "TERM": "dumb", "NO_COLOR": "1", "PYTHONIOENCODING": "utf-8"}
    command = [sys.executable, "-m", "adapter", *arguments, "--help"]
    shown = subprocess.run(command, env=environment, capture_output=True, encoding="utf-8", check=True)  # noqa: S603 our own
    lines = "\n".join(line.rstrip() for line in shown.stdout.strip("\n").splitlines())
    return f"## {title}\n\n```text\n{lines}\n```\n"


if __name__ == "__main__":
    main()
