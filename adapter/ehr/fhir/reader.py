"""The ``fhir`` reader: chooses how to read from what the EHR declares, and checks that it was obeyed."""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import requests

from adapter.ehr import Broken, Check, Progress, ReadResult, Record
from adapter.ehr.bundle import Part, Remark, patient_of, reference, unfold
from adapter.ehr.fhir import checks
from adapter.ehr.fhir.answer import Refused, is_gone, resource
from adapter.ehr.fhir.auth import Authorization
from adapter.ehr.fhir.auth.none import NoAuthorization
from adapter.ehr.fhir.capability import REVINCLUDE, Capability, probe
from adapter.ehr.fhir.client import MOST_PAGES, Client
from adapter.ehr.fhir.contacts import Contacts, contacts_of, patient_id
from adapter.ehr.fhir.pace import Pace
from adapter.ehr.fhir.paging import Search
from adapter.ehr.fhir.urls import Base
from adapter.ehr.fhir.wire import make_session
from adapter.errors import SourceError

MOST_FAILURES = 10
"""Charts whose contacts could not be read before the walk stops: the EHR is then not well."""
SAMPLE = 2
"""Charts without included contacts that are asked for again, to see whether ``_revinclude`` was obeyed."""


def _now() -> datetime:
    return datetime.now(UTC)


class FhirReader:
    """Reads one EHR's FHIR API. The parameters have the names and meanings of ``[practice.ehr]`` in config.toml.

    ``authorization`` says who is asking; nobody when left out.
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
        session: requests.Session | None = None,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], datetime] = _now,
    ) -> None:
        self._client = Client(
            Base.parse(base_url),
            authorization=authorization or NoAuthorization(),
            timeout=timeout_seconds,
            max_body=max_body_megabytes * 1024 * 1024,
            session=session or make_session(concurrency),
            sleep=sleep,
            clock=clock,
            pace=Pace(concurrency, sleep=sleep),
            max_pages=max_pages,
            check_total=check_total,
        )
        self._page_size = page_size
        self._overlap = timedelta(minutes=overlap_minutes)

    def read(self, result: ReadResult, *, marks: dict[str, datetime], progress: Progress) -> Iterator[Record | Broken]:
        """Yields what changed since ``marks`` where the EHR can tell, else everything. See ``Reader``."""
        try:
            able = checks.usable(probe(self._client))
            if not result.full and (searches := self._open_changes(able, result, marks)):
                for kind, search in searches.items():
                    yield from self._walk(kind, search, result, progress)
            else:
                yield from self._read_all(able, result, progress)
        except SourceError as error:
            result.fail(str(error))

    def read_family(self, result: ReadResult, *, patients: list[str]) -> Iterator[Record | Broken]:
        """Yields these charts, each by a read, and every contact on them, each by a search."""
        result.strategy = result.strategy or "each chart by itself, then its contacts"
        try:
            for chart, problem in self._client.pace.each(self._try_one, patients):
                if chart is not None:
                    yield chart
                if problem:
                    result.fail(problem)
            yield from self._contacts([ref for ref in patients if patient_id(ref)], result)
        except SourceError as error:
            result.fail(str(error))

    def read_one(self, ref: str) -> Record | Broken | None:
        """One resource by reference, None when the EHR itself says it is gone (404, 410).

        Raises SourceError when it cannot tell.
        """
        kind, _, key = ref.partition("/")
        if kind not in ("Patient", "RelatedPerson") or patient_id(f"Patient/{key}") is None:
            raise SourceError("That is not a reference to a Patient or RelatedPerson, so it cannot be read.")
        what = f"GET {ref}"
        answer = self._client.get(self._client.base.join(ref), what)
        if is_gone(answer, max_bytes=self._client.max_body):
            return None
        found = resource(answer, what, max_bytes=self._client.max_body)
        part = next(unfold(found.value, ref, doubled=found.doubled))
        if isinstance(part, Remark) or (part.ref if isinstance(part, Broken) else reference(part.resource)) != ref:
            raise SourceError(f"{what}: answered another resource. Ask the EHR's support.")
        return part

    def check(self) -> list[Check]:
        """Reach, FHIR version, access, strategy, incremental or not; asks for one Patient at most."""
        return checks.run(self._client)

    def _open_changes(self, able: Capability, result: ReadResult, marks: dict[str, datetime]) -> dict[str, Search]:
        """The two searches for what changed; none when only a full read can tell, and ``result`` then says why."""
        if not able.incremental:
            why = "the EHR does not declare _lastUpdated for both Patient and RelatedPerson"
        elif not marks.keys() >= {"Patient", "RelatedPerson"}:
            why = "there is no mark of an earlier read"
        else:
            include = {"_revinclude": REVINCLUDE}
            patients = self._since("Patient", marks, include) if able.revinclude else None
            patients = patients or self._since("Patient", marks, {})
            contacts = self._since("RelatedPerson", marks, {})
            if patients and contacts:
                result.strategy = "what changed since the last read (_lastUpdated)"
                return {"Patient": patients, "RelatedPerson": contacts}
            why = "the EHR declares _lastUpdated but does not obey it"
        result.full = True
        result.strategy = f"everything, because {why}"
        return {}

    def _since(self, kind: str, marks: dict[str, datetime], more: dict[str, str]) -> Search | None:
        since = (marks[kind] - self._overlap).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return self._obeyed(kind, {"_lastUpdated": f"ge{since}", **more}, "_lastUpdated")

    def _read_all(self, able: Capability, result: ReadResult, progress: Progress) -> Iterator[Record | Broken]:
        before = f"{result.strategy}; " if result.strategy else ""
        why = "the EHR does not declare _revinclude"
        if able.revinclude:
            search = self._obeyed("Patient", {"_revinclude": REVINCLUDE}, "_revinclude")
            if search and self._includes_all(search, able):
                result.strategy = f"{before}Patients together with their contacts (_revinclude, as the EHR declares)"
                yield from self._walk("Patient", search, result, progress)
                _mark(result, search, "RelatedPerson")
                return
            why = "the EHR declares _revinclude but does not obey it"
        result.strategy = f"{before}Patients, then the contacts of each, because {why}"
        search = self._search("Patient", {})
        yield from self._walk("Patient", search, result, progress, contacts=True)
        _mark(result, search, "RelatedPerson")

    def _obeyed(self, kind: str, params: dict[str, str], needed: str) -> Search | None:
        """The search, if the EHR obeys the parameter; None when it left it out or refused it."""
        try:
            search = self._search(kind, params)
        except Refused:
            return None
        return search if search.honours(needed) else None

    def _includes_all(self, search: Search, able: Capability) -> bool:
        """Whether a few charts that came without contacts really have none."""
        records = [part for part in search.first.parts if isinstance(part, Record)]
        if not able.contacts_by_patient:
            return True
        included = {patient_of(record.resource) for record in records}
        bare = [ref for ref in map(reference, (r.resource for r in records)) if patient_id(ref) and ref not in included]
        return not any(contacts_of(self._client, ref, page_size=self._page_size).rows for ref in bare[:SAMPLE])

    def _walk(
        self, kind: str, search: Search, result: ReadResult, progress: Progress, *, contacts: bool = False
    ) -> Iterator[Record | Broken]:
        """Yields a search's pages, each followed by its charts' contacts if asked for; sets the mark at the end."""
        done = 0
        for page in search.pages():
            yield from _told(page.parts, result)
            records = [part for part in page.parts if isinstance(part, Record)]
            done += sum(record.resource.get("resourceType") == kind for record in records)
            progress(f"{kind}s", done, page.total if page.total and page.total >= done else None)
            if contacts:
                charts = [ref for record in records if patient_id(ref := reference(record.resource))]
                yield from self._contacts(list(dict.fromkeys(charts)), result)
        _mark(result, search, kind)

    def _contacts(self, charts: list[str], result: ReadResult) -> Iterator[Record | Broken]:
        """The contacts of these charts, several searches at a time, in the order of the charts."""
        for found in self._client.pace.each(self._contacts_of, charts):
            yield from found.rows
            for problem in found.problems:
                result.fail(problem)
            if found.ignored or len(result.problems) >= MOST_FAILURES:
                raise SourceError("Reading stopped there: the contacts of the charts that follow were not asked for.")

    def _contacts_of(self, ref: str) -> Contacts:
        return contacts_of(self._client, ref, page_size=self._page_size)

    def _try_one(self, ref: str) -> tuple[Record | Broken | None, str]:
        try:
            return self.read_one(ref), ""
        except SourceError as error:
            return None, str(error)

    def _search(self, kind: str, params: dict[str, str]) -> Search:
        return Search(self._client, kind, {**params, "_count": str(self._page_size)})


def _told(parts: list[Part], result: ReadResult) -> Iterator[Record | Broken]:
    """The records and broken places; a serious remark goes to ``result``."""
    for part in parts:
        if not isinstance(part, Remark):
            yield part
        elif part.serious:
            result.fail(f"{part.origin}: {part.problem}, so rows may be missing. Ask the EHR's support.")


def _mark(result: ReadResult, search: Search, kind: str) -> None:
    """Sets the mark of a type that was read to its end without a doubt."""
    if result.complete and search.at is not None:
        result.marks[kind] = search.at
