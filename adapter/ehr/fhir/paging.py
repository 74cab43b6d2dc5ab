"""Walking a search: opaque next links, the server's clock, and every way a walk can go wrong (FHIR search §3.1.3)."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import partial
from typing import Any, TypeVar
from urllib.parse import parse_qsl, urlencode, urlsplit

from adapter.ehr import Broken, Record
from adapter.ehr.bundle import Part, reference, unfold
from adapter.ehr.fhir.answer import Resource, instant, resource
from adapter.ehr.fhir.client import Answer, Client
from adapter.errors import SourceError

T = TypeVar("T")

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
    """As the server says. It may be wrong: good for a progress bar, and for a second look when a walk ends early."""

    def count(self, kind: str | None = None) -> int:
        """How many rows the page brought, of one type or of any; a broken row counts as either."""
        return sum(
            isinstance(part, Broken) or (isinstance(part, Record) and kind in (None, part.resource.get("resourceType")))
            for part in self.parts
        )


class Search:
    """One search, its first page already fetched, so that it can be judged before anything is used.

    Raises SourceError (see ``Client.get``, ``answer.resource``) from the constructor and from ``pages``.
    """

    def __init__(self, client: Client, kind: str, params: dict[str, str]) -> None:
        self._client = client
        self._params = params
        self._name = f"GET {kind}?{'&'.join(params)}"
        self._kind = kind
        answer, bundle = self._fetch(self._address(), 1)
        self._first_answer, self._first_bundle = answer, bundle
        self.first = self._page(bundle, 1)
        self.at = _server_time(answer, bundle.value, client.clock())
        """The server's clock when the search began; None when it did not tell."""

    def honours(self, param: str) -> bool:
        """False when the Bundle's self link, if there is one, shows that ``param`` was left out, or the server warned.

        The self link states which parameters were really used (FHIR search §3.1.1.5).
        """
        if self.first.warned:
            return False
        stated = [link for link in _links(self._first_bundle.value, "self") if isinstance(link, str)]
        return not stated or param in {key.split(":")[0] for key, _ in parse_qsl(urlsplit(stated[0]).query, True)}

    @property
    def client(self) -> Client:
        """What asks."""
        return self._client

    @property
    def cut(self) -> bool:
        """Whether records come as a part of themselves, as asked."""
        return "_elements" in self._params

    def pages(self) -> Iterator[Page]:
        """Every page, the first one again included. Raises SourceError when the walk cannot be finished.

        While the caller works on a page, the next one is already on its way; what goes wrong there is raised after.
        """
        walk = _Walk(self._first_answer, self._first_bundle, self.first)
        while True:
            coming = in_background(partial(self._step, walk)) if _links(walk.bundle.value, "next") else None
            yield walk.page
            following = coming() if coming else self._step(walk)
            if following is None:
                return
            walk = following

    def _step(self, walk: "_Walk") -> "_Walk | None":
        """The next page of the walk, fetched and checked; None when it has ended."""
        page = walk.page
        empty = walk.empty + 1 if not page.parts else 0
        matches, rows = walk.matches + page.count(self._kind), walk.rows + page.count()
        link = self._next(walk.bundle.value, page.number)
        if link is None:
            self._look_again(page, matches, rows)
            return None
        number = page.number + 1
        url = self._client.base.resolve(link, seen_at=walk.answer.url)
        if hash(url) in walk.seen_links:
            raise self._endless(number, "the next link leads back to a page that was read already")
        if empty > MOST_EMPTY:
            raise self._endless(number, "the search has no end")
        if number > self._client.max_pages:
            raise SourceError(
                f"{self._name}: there are more than {self._client.max_pages} pages. Raise page_size or max_pages."
            )
        answer, bundle = self._fetch(url, number)
        following = self._page(bundle, number)
        fingerprint = _fingerprint(following)
        if following.parts and fingerprint in walk.seen_pages:
            raise self._endless(number, "the page repeats one that was read already")
        walk.seen_links.add(hash(url))
        walk.seen_pages.add(fingerprint)
        return _Walk(answer, bundle, following, empty, matches, rows, walk.seen_links, walk.seen_pages)

    def _look_again(self, last: Page, matches: int, rows: int) -> None:
        """A walk that ends short of the total may have lost a next link: the first page is asked for its total again.

        Totals are wrong now and then, so a single one proves nothing, and a walk of several pages whose last one is
        merely shorter than the others has ended. ``rows``: some servers count included rows too.
        """
        total = self.first.total
        if total is None or total <= matches or total == rows or not self._client.check_total:
            return
        if last.number > 1 and 0 < last.count(self._kind) < self.first.count(self._kind):
            return
        _, bundle = self._fetch(self._address(), 1)
        again = bundle.value.get("total")
        if isinstance(again, int) and again > matches and again != rows:
            raise SourceError(
                f"{self._name}: the EHR counts {again} and gave {matches}, without a link to more. "
                "Ask the EHR's support; if its counts are known to be wrong, set check_total = false."
            )

    def _address(self) -> str:
        return self._client.base.join(f"{self._kind}?{urlencode(self._params, safe=':,')}")

    def _next(self, bundle: dict[str, Any], number: int) -> str | None:
        """The next link; None when there is none. One that cannot be read is no end: it is a reason to stop here."""
        found = _links(bundle, "next")
        if not found:
            return None
        if len(set(map(str, found))) > 1 or not isinstance(found[0], str) or not found[0]:
            raise SourceError(
                f"{self._name}, page {number}: its link to the next page cannot be read. Ask the EHR's support."
            )
        return found[0]

    def _fetch(self, url: str, number: int) -> tuple[Answer, Resource]:
        what = f"{self._name}, page {number}"
        answer = self._client.get(url, what)
        bundle = resource(answer, what, max_bytes=self._client.max_body)
        if bundle.value["resourceType"] != "Bundle" or bundle.value.get("type") != "searchset":
            raise SourceError(f"{what}: answered something else than a searchset Bundle. Check base_url.")
        return answer, bundle

    def _page(self, bundle: Resource, number: int) -> Page:
        where = f"{self._kind} page {number},"
        parts = list(unfold(bundle.value, where, doubled=bundle.doubled, parts=self.cut))
        remarks = [part for part in parts if not isinstance(part, Record | Broken)]
        total = bundle.value.get("total")
        is_count = isinstance(total, int) and not isinstance(total, bool)
        return Page(number, parts, any(r.serious for r in remarks), total if is_count else None)

    def _endless(self, number: int, why: str) -> SourceError:
        return SourceError(f"{self._name}, page {number}: {why}. Try another page_size, or ask the EHR's support.")


class _Walk:
    """How far a walk has come: the page at hand, and what came before it."""

    def __init__(
        self,
        answer: Answer,
        bundle: Resource,
        page: Page,
        empty: int = 0,
        matches: int = 0,
        rows: int = 0,
        seen_links: set[int] | None = None,
        seen_pages: set[int] | None = None,
    ) -> None:
        self.answer, self.bundle, self.page = answer, bundle, page
        self.empty, self.matches, self.rows = empty, matches, rows
        self.seen_links = seen_links if seen_links is not None else {hash(answer.url)}
        self.seen_pages = seen_pages if seen_pages is not None else {_fingerprint(page)}


def in_background(work: Callable[[], T]) -> Callable[[], T]:
    """Starts the work and gives what waits for its result. A daemon: nobody who stops has to wait for an EHR."""
    done: Future[T] = Future()

    def run() -> None:
        try:
            done.set_result(work())
        except BaseException as error:
            done.set_exception(error)

    threading.Thread(target=run, name="next-page", daemon=True).start()
    return done.result


def _links(bundle: dict[str, Any], relation: str) -> list[Any]:
    """The addresses of a Bundle's links of one relation. What is no link at all stands for a link of any relation."""
    links = bundle.get("link")
    if links is None:
        return []
    return [
        link.get("url") if isinstance(link, dict) else None
        for link in (links if isinstance(links, list) else [links])
        if not isinstance(link, dict) or str(link.get("relation", relation)).strip().lower() == relation
    ]


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
    return min(date.replace(tzinfo=date.tzinfo or UTC), now, *filter(None, map(instant, stated)))
