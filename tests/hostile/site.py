"""An installation that knows the families as they were, and an EHR that has changed since and misbehaves."""

import dataclasses
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from pydantic import SecretStr

from adapter.bootstrap import build
from adapter.core.search import StrategyName
from adapter.ehr.fhir import FhirReader
from adapter.ehr.fhir.auth.bearer import Bearer
from adapter.jobs.run import Request
from adapter.jobs.sync import sync
from adapter.settings import load_settings
from tests.acceptance.adapter_cli import Adapter
from tests.edges.ehr.scripted import Reply, ScriptedEhr
from tests.hostile.fault import Fault, Scene
from tests.hostile.population import PAGE_SIZE, PAGES, after, before

TOKEN = "canary-token"
LONG_AGO = "2020-01-01T00:00:00.000000Z"


class Site:
    """The installation; ``sync`` reads everything."""

    def __init__(self, adapter: Adapter) -> None:
        self.adapter = adapter

    def sync(
        self,
        base_url: str,
        *,
        timeout: float = 10,
        full: bool = True,
        strategy: StrategyName | Literal["auto"] = "auto",
    ) -> dict[str, Any]:
        """One full sync, as the schedule does it, except that waits between tries take no time; its report."""
        app = build(load_settings(self.adapter.config), self.adapter.folder)
        reader = FhirReader(
            base_url,
            authorization=Bearer(SecretStr(TOKEN)),
            page_size=PAGE_SIZE,
            timeout_seconds=timeout,
            max_body_megabytes=1,
            strategy=strategy,
            sleep=lambda seconds: None,
        )
        practice = dataclasses.replace(app.practices["main-street"], reader=reader)
        try:
            return sync(app.engine, practice, Request(full=full), clock=app.clock, progress=lambda *_: None)
        finally:
            app.engine.dispose()

    def marks(self) -> dict[str, str]:
        """The watermark of each type."""
        with sqlite3.connect(self.adapter.folder / "var" / "adapter.db") as connection:
            return dict(connection.execute("SELECT resource_type, at FROM watermark"))

    def state(self) -> list[tuple[Any, ...]]:
        """Every account, grant and effect."""
        with sqlite3.connect(self.adapter.folder / "var" / "adapter.db") as connection:
            return [
                row
                for table in ("account", '"grant"', "effect")
                for row in connection.execute(f"SELECT * FROM {table}")
            ]

    def set_marks(self, at: str) -> None:
        with sqlite3.connect(self.adapter.folder / "var" / "adapter.db") as connection:
            connection.execute("UPDATE watermark SET at = ?", (at,))


def first_site(folder: Path) -> Path:
    """The folder of an installation whose first sync went well, long ago."""
    adapter = Adapter(folder, policy="hold_first_welcome = false", ehr=_fhir("http://127.0.0.1:9/fhir"))
    with ScriptedEhr(before()) as ehr:
        report = Site(adapter).sync(ehr.base_url)
        assert (report["status"], report["changes"]["grant"]) == ("complete", 12), report
    Site(adapter).set_marks(LONG_AGO)
    with sqlite3.connect(folder / "var" / "adapter.db") as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return folder


def copy_of(known: Path, folder: Path) -> Site:
    """A fresh copy of an installation."""
    shutil.copytree(known, folder)
    return Site(Adapter(folder, policy="hold_first_welcome = false", ehr=_fhir("http://127.0.0.1:9/fhir")))


@contextmanager
def changed_ehr(**options: Any) -> Iterator[ScriptedEhr]:
    """The EHR as it is now; every search tells its total."""
    with ScriptedEhr(after(), totals=True, **options) as ehr:
        yield ehr


def spoil(ehr: ScriptedEhr, elsewhere: str, fault: Fault, place: str, *, kind: str = "Patient") -> None:
    """Has the fault happen on the first, a middle or the last page of a search."""

    def happen(reply: Reply) -> None:
        fault.spoil(reply, Scene(ehr, elsewhere, ehr.requests[-1]))

    ehr.fault(kind, happen, page=PAGES[place], times=fault.times)


def _fhir(base_url: str) -> str:
    return f'kind = "fhir"\nbase_url = "{base_url}"'
