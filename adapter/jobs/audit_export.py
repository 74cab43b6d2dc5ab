"""The audit trail as a file for others: CSV that no spreadsheet executes, or FHIR AuditEvents, one a line."""

import csv
from collections.abc import Callable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import Any, TextIO

import orjson
import sqlalchemy as sa

from adapter.ehr import Progress
from adapter.jobs.audit_fhir import audit_event
from adapter.jobs.new_file import new_file
from adapter.store import audit_trail
from adapter.store.audit_trail import Wanted
from adapter.store.engine import read

COLUMNS = (
    "practice",
    "seq",
    "at",
    "actor",
    "run",
    "action",
    "account",
    "email",
    "patient",
    "reason",
    "source",
    "before",
    "after",
    "detail",
    "hash",
)
# What a spreadsheet may take for a formula (OWASP, "CSV Injection").
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
_TOLD_EVERY = 1_000

Entries = Iterator[dict[str, Any]]


class Format(StrEnum):
    """``fhir``: NDJSON, one FHIR R4 AuditEvent a line."""

    CSV = "csv"
    FHIR = "fhir"


def export(engine: sa.Engine, wanted: Wanted, path: Path, form: Format, *, progress: Progress) -> int:
    """Writes the entries to a new file, for the owner's eyes only. Returns how many.

    Raises FatalError when the file exists or cannot be written, or when an entry cannot be said in FHIR.
    """
    write = _WRITERS[form]
    with new_file(path) as draft, draft.open("w", encoding="utf-8", newline="") as file, read(engine) as connection:
        return write(file, _counted(audit_trail.entries(connection, wanted), progress))


def _counted(entries: Entries, progress: Progress) -> Entries:
    for number, entry in enumerate(entries, start=1):
        if number % _TOLD_EVERY == 0:
            progress("entries", number, None)
        yield entry


def _write_csv(file: TextIO, entries: Entries) -> int:
    writer = csv.writer(file)
    writer.writerow(COLUMNS)
    written = 0
    for entry in entries:
        writer.writerow([_cell(entry[name]) for name in COLUMNS])
        written += 1
    return written


def _cell(value: Any) -> str:
    """A value as text that is only ever text: an apostrophe goes before what would start a formula."""
    if value is None or value == {}:
        return ""
    text = value if isinstance(value, str) else orjson.dumps(value).decode()
    return f"'{text}" if text.startswith(_FORMULA) else text


def _write_fhir(file: TextIO, entries: Entries) -> int:
    written = 0
    for entry in entries:
        file.write(f"{audit_event(entry)}\n")
        written += 1
    return written


_WRITERS: dict[Format, Callable[[TextIO, Entries], int]] = {Format.CSV: _write_csv, Format.FHIR: _write_fhir}
