"""Runs one measured part in a process of its own, so that its time and its peak memory are nobody else's."""

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

ROOT = Path(__file__).parents[1]
MEGABYTE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Cost:
    """What one process took: seconds on the clock, seconds of CPU, and its peak memory in MB; and what it printed."""

    wall: float
    cpu: float
    peak: float
    output: bytes

    @property
    def answer(self) -> Any:
        """The one JSON document it printed."""
        return orjson.loads(self.output)


def measured(module: str, *arguments: str | Path | int, codes: Sequence[int] = (0,)) -> Cost:
    """Runs ``python -m module`` to its end.

    Raises SystemExit with its last words when it ends with a code other than ``codes``.
    """
    command = [sys.executable, "-m", module, *map(str, arguments)]
    started = time.perf_counter()
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stderr is not None
        output, complaint = process.stdout.read(), process.stderr.read()
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in codes:
        raise SystemExit(f"{module} ended with {process.returncode}:\n{complaint.decode(errors='replace')[-2000:]}")
    return Cost(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024 / MEGABYTE, output)
