"""Reading the EHR. Every reader yields records and then says whether what it read was everything."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

import msgspec


class Record(msgspec.Struct, frozen=True, gc=False):
    """One resource as it came, decoded. ``origin`` says where: ``patients.ndjson:12`` or ``page 3, entry 7``."""

    resource: dict[str, Any]
    origin: str


@dataclass(frozen=True, slots=True)
class Broken:
    """Something that is not a usable JSON object: where, and what is wrong (never quoting its content).

    ``ref`` is ``Type/id`` when at least that could be read for certain, else empty.
    """

    origin: str
    problem: str
    path: str = "$"
    ref: str = ""


@dataclass(kw_only=True)
class ReadResult:
    """What one read amounts to; filled while the records are drawn, final once they are exhausted.

    ``complete`` stays True only if every page or file was read to its end without an error. ``full`` says whether the
    whole population was asked for. ``problems`` are one-line sentences for the admin, without PHI. ``marks`` holds, per
    resource type, the new watermark to store *if* the run is complete and applied.
    """

    full: bool
    complete: bool = True
    strategy: str = ""
    problems: list[str] = field(default_factory=list)
    marks: dict[str, datetime] = field(default_factory=dict)
    gone: list[str] = field(default_factory=list)
    """``Type/id`` of what the EHR says outright was deleted, and that it did not give as well."""
    whole_charts: set[str] = field(default_factory=set)
    """Charts that a read of changes brought with every contact on them, so that a missing one is noticed at once."""

    def fail(self, problem: str) -> None:
        """Notes that something was not read: from here on the run is incomplete."""
        self.complete = False
        self.problems.append(problem)


Progress = Callable[[str, int, int | None], None]
"""``progress(what, done, total or None)``, called now and then while reading."""


def quietly(what: str, done: int, total: int | None) -> None:
    """A Progress that nobody watches."""


@dataclass(frozen=True, slots=True)
class Check:
    """One line of ``adapter check``."""

    what: str
    ok: bool
    detail: str
    remedy: str = ""


class Reader(Protocol):
    """One EHR. Two exist: ``ehr.files`` and ``ehr.fhir``."""

    def read(self, result: ReadResult, *, marks: dict[str, datetime], progress: Progress) -> Iterator[Record | Broken]:
        """Yields records. With ``result.full`` everything, else what changed since ``marks`` (a reader may set
        ``result.full = True`` when it cannot tell, for example for lack of a mark or of ``_lastUpdated``)."""
        ...

    def read_family(self, result: ReadResult, *, patients: list[str]) -> Iterator[Record | Broken]:
        """Yields these charts (``Patient/<id>``) and every contact on them."""
        ...

    def read_one(self, ref: str, *, chart: str = "") -> Record | Broken | None:
        """One resource by reference; None when the EHR says it is gone (404, 410).

        ``chart`` is the one a contact was last on: some EHRs have no id for a contact alone.
        Raises SourceError when it cannot tell.
        """
        ...

    def consents(self, result: ReadResult) -> Iterator[Record | Broken]:
        """Yields every Consent; ``result`` is told when some may be missing."""
        ...

    def check(self) -> list[Check]:
        """Looks at the source without changing anything."""
        ...
