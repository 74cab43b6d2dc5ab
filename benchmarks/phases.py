"""Where the time of a first full sync goes. ``python -m benchmarks.phases CONFIG`` prints seconds by phase.

Reader and mapper are wrapped in stopwatches; the other phases are told apart by the progress that a sync reports.
The stopwatches themselves cost a little, so the total is not the one to compare with the floor.
"""

import dataclasses
import gc
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path

import orjson

from adapter.bootstrap import build
from adapter.core.facts import Reading
from adapter.core.mapping import Mapper, MappingProfile
from adapter.ehr import Broken, Progress, Reader, ReadResult, Record
from adapter.jobs.run import Request
from adapter.jobs.sync import sync
from adapter.settings import load_settings

PHASES = {"records": "merging", "charts": "charts", "accounts": "accounts", "changes": "applying"}


class Stopwatch:
    """Adds up seconds by phase."""

    def __init__(self) -> None:
        self.spent: defaultdict[str, float] = defaultdict(float)
        self._last = time.perf_counter()

    def progress(self, what: str, done: int, total: int | None) -> None:
        """Books the time since the last report to the phase that reports now."""
        now = time.perf_counter()
        self.spent[PHASES.get(what, what)] += now - self._last
        self._last = now

    def rest(self) -> float:
        return time.perf_counter() - self._last


class TimedReader:
    """The practice's reader, timed from record to record."""

    def __init__(self, reader: Reader, watch: Stopwatch) -> None:
        self.read_family, self.read_one, self.check = reader.read_family, reader.read_one, reader.check
        self.consents = reader.consents
        self._read = reader.read
        self._spent = watch.spent

    def read(self, result: ReadResult, *, marks: dict[str, datetime], progress: Progress) -> Iterator[Record | Broken]:
        records = self._read(result, marks=marks, progress=progress)
        while True:
            started = time.perf_counter()
            record = next(records, None)
            self._spent["reading"] += time.perf_counter() - started
            if record is None:
                return
            yield record


class TimedMapper(Mapper):
    """The practice's mapper, timed from record to record."""

    def __init__(self, profile: MappingProfile, watch: Stopwatch) -> None:
        super().__init__(profile)
        self._spent = watch.spent

    def read(self, resource: object, origin: str = "") -> Reading:
        started = time.perf_counter()
        fact = super().read(resource, origin)
        self._spent["mapping"] += time.perf_counter() - started
        return fact


def main(arguments: Sequence[str]) -> None:
    config = Path(arguments[0])
    app = build(load_settings(config), config.resolve().parent)
    practice = app.practices["bench"]
    engine = app.engine
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)  # as the command line does
    watch = Stopwatch()
    practice = dataclasses.replace(
        practice, reader=TimedReader(practice.reader, watch), mapper=TimedMapper(practice.mapper.profile, watch)
    )
    sync(engine, practice, Request(full=True), clock=app.clock, progress=watch.progress)
    spent = watch.spent
    spent["committing"] = watch.rest()
    spent["merging"] -= spent["reading"] + spent["mapping"]
    names = ("reading", "mapping", "merging", "charts", "accounts", "applying", "committing")
    print(orjson.dumps({name: spent[name] for name in names}).decode())


if __name__ == "__main__":
    main(sys.argv[1:])
