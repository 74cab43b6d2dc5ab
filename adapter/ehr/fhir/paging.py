"""Walking a search: opaque next links, the server's clock, and every way a walk can go wrong (FHIR search §3.1.3)."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from adapter.ehr import Broken, Record
from adapter.ehr.bundle import Part, reference, unfold
from adapter.ehr.fhir.answer import Resource, resource
from adapter.ehr.fhir.client import Answer, Client
from adapter.errors import SourceError

MOST_PAGES = 50_000
MOST_EMPTY = 50
"""Empty pages in a row: some servers filter after paging, but none for ever."""


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a search."""

    number: int
    parts: list[Part]
    warned: bool
    """Whether the EHR added a remark that makes the search doubtful."""
    total: int | None
    """As the server says; good for a progress bar only."""


class Search:
    """One search, its first page already fetched, so that it can be judged before anything is used.

    Raises SourceError (see ``Client.get``, ``answer.resource``) from the constructor and from ``pages``.
    """

    def __init__(self, client: Client, kind: str, params: dict[str, str], *, most_pages: int = MOST_PAGES) -> None:
        self._client = client
        self._most_pages = most_pages
        self._name = f"GET {kind}?{'&'.join(params)}"
        self._kind = kind
        answer, bundle = self._fetch(client.base.join(f"{kind}?{urlencode(params, safe=':,')}"), 1)
        self._first_answer, self._first_bundle = answer, bundle
        self.first = self._page(bundle, 1)
        self.at = _server_time(answer, bundle.value, client.clock())
        """The server's clock when the search began; None when it did not tell."""

    def honours(self, param: str) -> bool:
        """False when the Bundle's self link, if there is one, shows that ``param`` was left out, or the server warned.

        The self link states which parameters were really used (FHIR search §3.1.1.5).
        """
        link = _link(self._first_bundle.value, "self")
        if self.first.warned:
            return False
        return link is None or param in {key.split(":")[0] for key, _ in parse_qsl(urlsplit(link).query, True)}

    def pages(self) -> Iterator[Page]:
        """Every page, the first one again included. Raises SourceError when the walk cannot be finished."""
        answer, bundle, page = self._first_answer, self._first_bundle, self.first
        seen_links, seen_pages, empty = {answer.url}, {_fingerprint(page)}, 0
        while True:
            yield page
            empty = empty + 1 if not page.parts else 0
            link = _link(bundle.value, "next")
            if link is None:
                return
            number = page.number + 1
            url = self._client.base.resolve(link, seen_at=answer.url)
            if url in seen_links:
                raise self._endless(number, "the next link leads back to a page that was read already")
            if number > self._most_pages or empty > MOST_EMPTY:
                raise self._endless(number, "the search has no end")
            seen_links.add(url)
            answer, bundle = self._fetch(url, number)
            page = self._page(bundle, number)
            fingerprint = _fingerprint(page)
            if page.parts and fingerprint in seen_pages:
                raise self._endless(number, "the page repeats one that was read already")
            seen_pages.add(fingerprint)

    def _fetch(self, url: str, number: int) -> tuple[Answer, Resource]:
        what = f"{self._name}, page {number}"
        answer = self._client.get(url, what)
        bundle = resource(answer, what, max_bytes=self._client.max_body)
        if bundle.value["resourceType"] != "Bundle" or bundle.value.get("type") != "searchset":
            raise SourceError(f"{what}: answered something else than a searchset Bundle. Check base_url.")
        return answer, bundle

    def _page(self, bundle: Resource, number: int) -> Page:
        parts = list(unfold(bundle.value, f"{self._kind} page {number},", doubled=bundle.doubled))
        remarks = [part for part in parts if not isinstance(part, Record | Broken)]
        total = bundle.value.get("total")
        return Page(number, parts, any(r.serious for r in remarks), total if isinstance(total, int) else None)

    def _endless(self, number: int, why: str) -> SourceError:
        return SourceError(f"{self._name}, page {number}: {why}. Try another page_size, or ask the EHR's support.")


def _link(bundle: dict[str, Any], relation: str) -> str | None:
    """The URL of a link of the Bundle; an unreadable one is as good as an address outside: never fetched."""
    links = bundle.get("link")
    for link in links if isinstance(links, list) else []:
        if isinstance(link, dict) and link.get("relation") == relation:
            return str(link.get("url", ""))
    return None


def _fingerprint(page: Page) -> int:
    return hash(tuple(reference(part.resource) for part in page.parts if isinstance(part, Record)))


def _server_time(answer: Answer, bundle: dict[str, Any], now: datetime) -> datetime | None:
    """When the search began, by the server's clock: the earliest it could mean, for an early mark only reads twice."""
    try:
        date = parsedate_to_datetime(answer.headers.get("Date", ""))
    except ValueError:
        return None
    meta = bundle.get("meta")
    stated = [bundle.get("timestamp"), meta.get("lastUpdated") if isinstance(meta, dict) else None]
    return min(date.replace(tzinfo=date.tzinfo or UTC), now, *filter(None, map(_instant, stated)))


def _instant(value: Any) -> datetime | None:
    try:
        at = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return at if at is not None and at.tzinfo else None
