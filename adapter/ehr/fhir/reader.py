"""The ``fhir`` reader: chooses how to read from what the EHR declares, and checks that it was obeyed."""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Literal

import requests

from adapter.core.search import SearchRules, StrategyName
from adapter.ehr import Broken, Check, Progress, ReadResult, Record, quietly
from adapter.ehr.bundle import Remark
from adapter.ehr.fhir import checks
from adapter.ehr.fhir.auth import Authorization
from adapter.ehr.fhir.auth.none import NoAuthorization
from adapter.ehr.fhir.capability import UNKNOWN, Capability, probe
from adapter.ehr.fhir.changes import changes
from adapter.ehr.fhir.client import MOST_PAGES, Client
from adapter.ehr.fhir.one import read_families, read_one
from adapter.ehr.fhir.pace import Pace
from adapter.ehr.fhir.strategies import Strategy, Unproven, Way
from adapter.ehr.fhir.strategies.choosing import SEARCHING, Choice, choose
from adapter.ehr.fhir.strategies.only_needed import ELEMENTS, only_needed
from adapter.ehr.fhir.strategies.source import Source, walk
from adapter.errors import SourceError
from adapter.http.urls import Base
from adapter.http.wire import make_session


def _now() -> datetime:
    return datetime.now(UTC)


class FhirReader:
    """Reads one EHR's FHIR API. The parameters have the names and meanings of ``[practice.ehr]`` in config.toml.

    ``authorization`` says who is asking; nobody when left out. ``rules`` are the mapping profile's ``[search]`` table.
    ``bulk`` is a strategy of its own to try before the searching ones.
    ``session``, ``sleep`` and ``clock`` are there to be replaced. Raises ValueError for a base_url that is no address.
    """

    def __init__(
        self,
        base_url: str,
        *,
        authorization: Authorization | None = None,
        page_size: int = 200,
        concurrency: int = 4,
        timeout_seconds: float = 30,
        overlap_minutes: int = 10,
        max_body_megabytes: int = 64,
        max_pages: int = MOST_PAGES,
        check_total: bool = True,
        strategy: StrategyName | Literal["auto"] = "auto",
        elements: bool = False,
        rules: SearchRules | None = None,
        bulk: Strategy | None = None,
        session: requests.Session | None = None,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], datetime] = _now,
    ) -> None:
        self._pace = Pace(concurrency, sleep=sleep)
        self._authorization = authorization or NoAuthorization()
        self._client = Client(
            Base.parse(base_url),
            authorization=self._authorization,
            timeout=timeout_seconds,
            max_body=max_body_megabytes * 1024 * 1024,
            session=session or make_session(concurrency),
            sleep=sleep,
            clock=clock,
            pace=self._pace,
            max_pages=max_pages,
            check_total=check_total,
        )
        self._page_size = page_size
        self._overlap = timedelta(minutes=overlap_minutes)
        self._rules = rules or SearchRules()
        self._forced: StrategyName | None = None if strategy == "auto" else strategy
        self._strategies = (*((bulk,) if bulk else ()), *SEARCHING)
        self._elements = elements
        self._doubted: dict[StrategyName, str] = {}

    def read(self, result: ReadResult, *, marks: dict[str, datetime], progress: Progress) -> Iterator[Record | Broken]:
        """Yields what changed since ``marks`` where the EHR can tell, else everything. See ``Reader``.

        A way that shows on its way that it leaves something out is not used again by this reader: everything is read
        once more by the next best one, so that what a run knows is whole.
        """
        try:
            source, asked = self._sparing(self._source())
            way = self._changes(source, marks, result)
            if way is not None:
                result.strategy += asked
                yield from way.read(result, progress)
                return
            said = result.strategy
            while True:
                choice = self._everything(source, marks, result, said)
                result.strategy += asked if choice.name != "bulk" else ""
                try:
                    yield from choice.way.read(result, progress)
                    return
                except Unproven as unproven:
                    self._doubted[choice.name] = str(unproven)
                    result.marks.clear()
        except SourceError as error:
            result.fail(str(error))

    def read_family(self, result: ReadResult, *, patients: list[str]) -> Iterator[Record | Broken]:
        """Yields these charts, each by a read, and every contact on them."""
        result.strategy = result.strategy or "each chart by itself, then its contacts"
        try:
            yield from read_families(self._asking, patients, result)
        except SourceError as error:
            result.fail(str(error))

    def read_one(self, ref: str, *, chart: str = "") -> Record | Broken | None:
        """One resource by reference, None when the EHR itself says it is gone. See ``Reader``."""
        return read_one(self._asking, ref, chart)

    def consents(self, result: ReadResult) -> Iterator[Record | Broken]:
        """Yields every Consent, page by page."""
        try:
            for parts in walk("Consent", self._asking.search("Consent", {}), result, quietly):
                yield from (part for part in parts if not isinstance(part, Remark))
        except SourceError as error:
            result.fail(str(error))

    @property
    def client(self) -> Client:
        """What asks the EHR, for whatever else there is to ask."""
        return self._client

    @property
    def kinds(self) -> tuple[str, ...]:
        """The resource types that hold charts and contacts here."""
        return ("Patient",) if self._rules.contacts == "Patient.contact" else ("Patient", "RelatedPerson")

    def check(self) -> list[Check]:
        """Sign-in, reach, FHIR version, access, strategy, incremental or not; reads nothing but small samples."""
        signed_in = self._authorization.check()
        if not all(found.ok for found in signed_in):
            return signed_in
        lines = checks.run(self._client, self._with, self._strategies, self._forced)
        return [
            *signed_in,
            *lines,
            *(self._check_elements() if self._elements and all(one.ok for one in lines) else []),
        ]

    def _check_elements(self) -> list[Check]:
        try:
            _, said = self._sparing(self._source())
        except SourceError as error:
            return [Check("EHR elements", False, str(error))]
        return [Check("EHR elements", True, said.removeprefix("; "))]

    def _changes(self, source: Source, marks: dict[str, datetime], result: ReadResult) -> Way | None:
        """The way to read what changed; None when a full read is wanted or needed, and ``result`` then says why."""
        if result.full or self._forced == "bulk":
            return None
        try:
            way = changes(source, marks, self._overlap)
        except Unproven as unproven:
            result.strategy = f"everything, because {unproven}; "
            return None
        result.strategy = way.how
        return way

    def _everything(self, source: Source, marks: dict[str, datetime], result: ReadResult, said: str) -> Choice:
        """The best way to read everything; one that can tell what changed since the marks may do that.

        ``said`` is why everything is read, where only changes were wanted.
        """
        since = {} if result.full else marks
        choice = choose(source, self._strategies, since, forced=self._forced, doubted=self._doubted)
        result.full = choice.way.full
        result.strategy = f"{said if result.full else ''}{choice}"
        return choice

    def _sparing(self, source: Source) -> tuple[Source, str]:
        """The source to read with, asked for the needed elements only where that is wanted and proven; and what to say
        about it."""
        if not self._elements:
            return source, ""
        try:
            return only_needed(source), f"; {ELEMENTS}"
        except Unproven as unproven:
            return source, f"; {unproven}"

    def _source(self) -> Source:
        able = probe(self._client)
        exported = checks.is_exported(able, self._rules, self._strategies, self._forced)
        return self._with(able if exported else checks.usable(able, self._rules))

    @property
    def _asking(self) -> Source:
        """For what needs no capability: reads, and the search that the profile's own strategy rests on."""
        return self._with(UNKNOWN)

    def _with(self, capability: Capability) -> Source:
        return Source(self._client, self._pace, capability, self._rules, self._page_size)
