"""How far runs are, for whoever looks: the last report of each, also of a run in another process of this machine."""

import contextlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import msgspec

from adapter.ehr import Progress

FOLDER = "progress"
"""Beside the key file: every process of an installation on one machine finds it there."""
_EVERY_SECONDS = 1.0
_FRESH_SECONDS = 30.0
"""Whoever has not reported for so long has ended, or was killed."""


class Step(NamedTuple):
    """What a run is at: ``resources 1200 of 4000``; ``total`` is None where nobody knows it."""

    what: str
    done: int
    total: int | None


class Board:
    """Written by the jobs' threads, read by the pages'. With a ``folder`` other processes see it too.

    It is a file, not a row: a run holds the database's one writer, and a report must neither wait for it nor stop it.
    One that cannot be written is left out.
    """

    def __init__(self, folder: Path | None = None, *, clock: Callable[[], float] = time.time) -> None:
        self._folder = folder
        self._clock = clock
        self._steps: dict[str, Step] = {}
        self._written: dict[str, float] = {}
        self._own: dict[str, float] = {}
        """When the file that this board wrote last was made: a later one is another process's."""

    def of(self, practice: str) -> Progress:
        """Takes the reports of a practice's runs."""

        def report(what: str, done: int, total: int | None) -> None:
            self._steps[practice] = Step(what, done, total)
            now = self._clock()
            if self._folder is not None and now - self._written.get(practice, 0.0) >= _EVERY_SECONDS:
                self._written[practice] = now
                self._write(practice, self._steps[practice])

        return report

    def now(self, practice: str) -> Step | None:
        """The last report, of whichever process made the latest; None where there is none."""
        mine, others = self._steps.get(practice), self._read(practice)
        if others is None or others[0] <= self._own.get(practice, 0.0):
            return mine
        return others[1]

    def _write(self, practice: str, step: Step) -> None:
        path = self._path(practice)
        with contextlib.suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            new = path.with_suffix(".new")
            new.write_bytes(msgspec.json.encode(step))
            self._own[practice] = new.stat().st_mtime
            new.replace(path)

    def _read(self, practice: str) -> tuple[float, Step] | None:
        if self._folder is None:
            return None
        path = self._path(practice)
        try:
            at = path.stat().st_mtime
            step = msgspec.json.decode(path.read_bytes(), type=Step)
        except (OSError, msgspec.DecodeError):
            return None
        return (at, step) if self._clock() - at <= _FRESH_SECONDS else None

    def _path(self, practice: str) -> Path:
        assert self._folder is not None
        return self._folder / f"{practice.encode().hex()}.json"


def both(first: Progress, second: Progress) -> Progress:
    """Tells two that look."""

    def report(what: str, done: int, total: int | None) -> None:
        first(what, done, total)
        second(what, done, total)

    return report
