"""An incremental sync of a practice in which 100 contacts changed, whatever its size.

``python -m benchmarks.incremental CONFIG TURN`` runs one incremental sync of a practice that was synced in full before,
and prints its seconds. A folder of files cannot tell what changed, so here a small reader stands in for an EHR that
can: it gives the 100 changed contacts and nothing else, without a network.
"""

import dataclasses
import gc
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from adapter.bootstrap import build
from adapter.ehr import Broken, Check, Progress, ReadResult, Record
from adapter.jobs.run import Request
from adapter.jobs.sync import sync
from adapter.sandbox.charts import authority_extension
from adapter.settings import load_settings
from adapter.store import runs
from adapter.store.engine import begin

CHANGED = 100


class ChangedReader:
    """An EHR that says which contacts changed: an Authority withdrawn or given, or a new address, by turns."""

    def __init__(self, export: Path, turn: int) -> None:
        self._records = [Record(_changed(line, index, turn), "") for index, line in enumerate(_spread(export, turn))]

    def read(self, result: ReadResult, *, marks: dict[str, datetime], progress: Progress) -> Iterator[Record | Broken]:
        yield from self._records

    def read_family(self, result: ReadResult, *, patients: list[str]) -> Iterator[Record | Broken]:
        yield from ()

    def read_one(self, ref: str, *, chart: str = "") -> Record | Broken | None:
        return None

    def consents(self, result: ReadResult) -> Iterator[Record | Broken]:
        yield from ()

    def check(self) -> list[Check]:
        return []


def _spread(export: Path, turn: int) -> Iterator[bytes]:
    """So many lines from all over the file, others on every turn."""
    path = export / "RelatedPerson.ndjson"
    size = path.stat().st_size
    with path.open("rb") as file:
        for index in range(CHANGED):
            file.seek(int(size * (index + turn / 100) / (CHANGED + 1)))
            file.readline()
            yield file.readline()


def _changed(line: bytes, index: int, turn: int) -> dict[str, Any]:
    contact: dict[str, Any] = orjson.loads(line)
    contact["meta"] = {"versionId": str(turn + 2), "lastUpdated": datetime.now(UTC).isoformat()}
    if index % 2:
        return contact | {"extension": [authority_extension("none" if turn % 2 == 0 else "joint")]}
    others = [point for point in contact.get("telecom", ()) if point.get("system") != "email"]
    address = {"system": "email", "value": f"moved-{turn}-{index}@mail.example", "use": "home"}
    return contact | {"telecom": [*others, address]}


def main(arguments: Sequence[str]) -> None:
    config, turn = Path(arguments[0]).resolve(), int(arguments[1])
    app = build(load_settings(config), config.parent)
    reader = ChangedReader(config.parent.parent / "ehr", turn)
    practice = dataclasses.replace(app.practices["bench"], reader=reader)
    engine = app.engine
    with begin(engine) as connection:  # files leave no mark to go on from; an EHR that can tell what changed does
        runs.save_marks(connection, "bench", {"RelatedPerson": datetime.now(UTC)})
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)  # as the command line does
    wall, cpu = time.perf_counter(), time.process_time()
    report = sync(engine, practice, Request(), clock=app.clock, progress=lambda *_: None)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    assert report["kind"] == "incremental", report["kind"]
    assert report["read"]["changed"] == CHANGED, report["read"]
    print(orjson.dumps({"wall": wall, "cpu": cpu, "changes": sum(report["changes"].values())}).decode())


if __name__ == "__main__":
    main(sys.argv[1:])
