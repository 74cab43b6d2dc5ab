"""The exit code of the command after an interrupt that fell where Python itself remembers it."""

import subprocess
import sys
from pathlib import Path

SCRIPT = """
import runpy, sys
import adapter.cli

def interrupted(arguments):
    try:
        exec("raise KeyboardInterrupt")
    except KeyboardInterrupt:
        return 1

adapter.cli.run = interrupted
runpy.run_module("adapter", run_name="__main__", alter_sys=True)
"""


def test_an_interrupt_while_a_class_is_made_ends_with_the_exit_code_and_not_by_a_signal(tmp_path: Path) -> None:
    script = tmp_path / "interrupted.py"
    script.write_text(SCRIPT)
    assert subprocess.run([sys.executable, "-m", script.stem], cwd=tmp_path, timeout=60, check=False).returncode == 1
