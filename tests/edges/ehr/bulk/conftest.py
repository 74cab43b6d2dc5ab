"""A server with exports, and a reader of it that never really waits."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from adapter.ehr import Broken, ReadResult, Record
from adapter.ehr.fhir.auth.bearer import Bearer
from adapter.ehr.fhir.bulk.making import make_bulk
from adapter.ehr.fhir.reader import FhirReader
from tests.edges.ehr.bulk.server import BulkServer
from tests.edges.ehr.families import families, refs

TOKEN = "canary-token"


@dataclass
class Read:
    """What one read gave."""

    result: ReadResult
    rows: list[Record | Broken]
    shown: list[tuple[str, int, int | None]]

    @property
    def refs(self) -> set[str]:
        return refs(self.rows)

    @property
    def problem(self) -> str:
        """The one problem of an incomplete read."""
        assert not self.result.complete
        (problem,) = self.result.problems
        return problem


@dataclass
class Bench:
    """Reads ``server`` by exports; ``slept`` are the waits that were asked for."""

    server: BulkServer
    notes: Path
    slept: list[float] = field(default_factory=list)
    untouched: bool = True
    options: dict[str, Any] = field(default_factory=dict)

    def reader(self, **options: Any) -> FhirReader:
        options = {"alone": True, "bulk_hours": 6} | self.options | options
        authorization = Bearer(SecretStr(TOKEN))
        bulk = make_bulk(
            self.server.base_url,
            authorization=authorization,
            notes=self.notes,
            untouched=lambda began: self.untouched,
            clock=lambda: datetime.now(UTC),
            sleep=self.slept.append,
            timeout_seconds=5,
            **options,
        )
        return FhirReader(
            self.server.base_url,
            authorization=authorization,
            bulk=bulk,
            strategy="bulk" if options["alone"] else "auto",
            sleep=self.slept.append,
        )

    def read(self, *, marks: dict[str, datetime] | None = None, **options: Any) -> Read:
        result = ReadResult(full=marks is None)
        shown: list[tuple[str, int, int | None]] = []

        def progress(what: str, done: int, total: int | None) -> None:
            shown.append((what, done, total))

        rows = list(self.reader(**options).read(result, marks=marks or {}, progress=progress))
        return Read(result, rows, shown)


@pytest.fixture
def server() -> Iterator[BulkServer]:
    with BulkServer(families()) as running:
        yield running


@pytest.fixture
def bench(server: BulkServer, tmp_path: Path) -> Bench:
    return Bench(server, tmp_path / "exports" / "main-street.json")


Change = Callable[[BulkServer], None]
