"""One question to the EHR: authorized only where it belongs, with time-outs, retries, redirects, a cap on the body."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
import requests
from urllib3.exceptions import HTTPError, ReadTimeoutError

from adapter.ehr.fhir.auth import Authorization
from adapter.ehr.fhir.pace import Pace
from adapter.ehr.fhir.timings import Timings
from adapter.errors import SourceError
from adapter.http import retry
from adapter.http.urls import Base, Guard, shown_origin
from adapter.http.wire import WHOLE_ANSWER

_CHUNK = 64 * 1024
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_MOST_REDIRECTS = 5
_KEEP_METHOD = frozenset({307, 308})
MOST_PAGES = 50_000


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, whatever its status."""

    url: str
    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class _Question:
    """What is asked: a GET, a DELETE, or a POST of ``body``. ``what`` names it in messages."""

    what: str
    body: bytes | None = None
    method: str = "GET"

    @property
    def kind(self) -> str:
        """The few words that questions of one kind share: ``GET Patient``."""
        return self.what.split("?")[0].split("/")[0]


class _Transient(Exception):
    """Worth another try; the message ends up in the problem. ``overloaded``: the EHR is asked too hard."""

    def __init__(self, problem: str, *, overloaded: bool = False) -> None:
        self.overloaded = overloaded
        super().__init__(problem)


class _Header(requests.auth.AuthBase):
    """Sets the header inside the guard's bounds; as the request's auth it also keeps ~/.netrc out of it."""

    def __init__(self, guard: Guard, value: str | None) -> None:
        self._guard = guard
        self._value = value

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self._value and self._guard.gets_token(request.url or ""):
            request.headers["Authorization"] = self._value
        return request


class Client:
    """Asks one EHR, no faster than ``pace`` allows. May be used by several threads at once.

    ``max_body`` counts bytes after unpacking. ``max_pages`` and ``check_total`` are for ``Search``.
    """

    def __init__(
        self,
        base: Base,
        *,
        authorization: Authorization,
        timeout: float,
        max_body: int,
        session: requests.Session,
        sleep: Callable[[float], None],
        clock: Callable[[], datetime],
        pace: Pace | None = None,
        max_pages: int = MOST_PAGES,
        check_total: bool = True,
    ) -> None:
        self.base = base
        self.guard = Guard(base)
        self.max_body = max_body
        self.max_pages = max_pages
        self.check_total = check_total
        self.clock = clock
        self.timings = Timings()
        self.pace = pace or Pace(1, sleep=sleep)
        self._authorization = authorization
        self._timeout = timeout
        self._session = session
        self._sleep = sleep

    def get(self, url: str, what: str) -> Answer:
        """The final answer to a GET, after retries, redirects and, once, a renewed authorization.

        ``what`` names the request in messages. Raises SourceError when there is none: not authorized, unreachable, too
        slow, too large, cut off, overloaded for too long, or a redirect that leaves the EHR.
        """
        return self._ask(url, _Question(what))

    def post(self, url: str, value: Any, what: str) -> Answer:
        """The same for a POST of JSON that only asks, such as a batch of searches: it may be sent more than once."""
        return self._ask(url, _Question(what, orjson.dumps(value), "POST"))

    def delete(self, url: str, what: str) -> Answer:
        """The same for a DELETE of what we created ourselves, such as a Subscription."""
        return self._ask(url, _Question(what, method="DELETE"))

    def _ask(self, url: str, question: _Question) -> Answer:
        renewed = False
        for _ in range(_MOST_REDIRECTS + 1):
            if not self.guard.may_fetch(url):
                raise SourceError(
                    f"{question.what}: the EHR points to another address ({shown_origin(url)}), which was not asked. "
                    f"If that is the EHR too, correct its public address there or base_url here."
                )
            header = self._authorization.header()
            answer = self._persist(url, question, header)
            if answer.status == 401 and not renewed and self._authorization.renew(header):
                renewed = True
                answer = self._persist(url, question, self._authorization.header())
            if answer.status not in (_REDIRECTS if question.method == "GET" else _KEEP_METHOD):
                return answer
            url = self.base.resolve(answer.headers.get("Location", ""), seen_at=url)
        raise SourceError(f"{question.what}: redirected more than {_MOST_REDIRECTS} times. Check base_url.")

    def _persist(self, url: str, question: _Question, header: str | None) -> Answer:
        """Asks until there is an answer that is not a passing trouble."""
        for tried in range(1, retry.TRIES + 1):
            headers: Mapping[str, str] = {}
            try:
                with self.pace.turn(question.kind), self._timed():
                    answer = self._once(url, question, header)
                if answer.status not in retry.RETRIED:
                    return answer
                headers, trouble = answer.headers, f"answered {answer.status}"
                overloaded = answer.status in retry.OVERLOADED
            except _Transient as error:
                trouble, overloaded = str(error), error.overloaded
            if tried < retry.TRIES:
                rest = self.pace.rest if overloaded else self._sleep
                rest(retry.wait(tried, headers, now=self.clock()))
        raise SourceError(
            f"{question.what}: {trouble}, {retry.TRIES} times in a row. "
            "Try again later; if it stays, ask the EHR's support."
        )

    @contextmanager
    def _timed(self) -> Iterator[None]:
        started, ended = time.monotonic(), "failed"
        try:
            yield
            ended = "answered"
        finally:
            self.timings.note(ended, time.monotonic() - started)

    def _once(self, url: str, question: _Question, header: str | None) -> Answer:
        auth = _Header(self.guard, header)
        headers = {"Accept": "application/fhir+json", "Accept-Encoding": "gzip", "Cache-Control": "no-cache"}
        if question.body is not None:
            headers["Content-Type"] = "application/fhir+json"
        started = time.monotonic()
        try:
            with self._session.request(
                question.method,
                url,
                data=question.body,
                headers=headers,
                auth=auth,
                timeout=self._timeout,
                allow_redirects=False,
                stream=True,
            ) as response:
                return Answer(url, response.status_code, response.headers, self._body(response, question.what))
        except requests.exceptions.SSLError:
            raise SourceError(
                f"{question.what}: the EHR's TLS certificate is not accepted. Check base_url and the CA."
            ) from None
        except (requests.exceptions.Timeout, ReadTimeoutError):
            whole = self._timeout * WHOLE_ANSWER
            if time.monotonic() - started >= whole:
                raise SourceError(
                    f"{question.what}: the answer was not finished within {whole:g} s and was not read on. "
                    "Lower page_size, or raise timeout_seconds."
                ) from None
            raise _Transient(f"no answer within {self._timeout:g} s", overloaded=True) from None
        except requests.exceptions.ConnectionError:
            raise _Transient("the EHR cannot be reached") from None
        except (requests.exceptions.RequestException, HTTPError, ValueError):  # some libraries pass theirs on
            raise _Transient("the answer was cut off or damaged on its way") from None

    def _body(self, response: requests.Response, what: str) -> bytes:
        """The unpacked body. What counts against the cap is the unpacked size, so a gzip bomb stops there too."""
        chunks: list[bytes] = []
        size = 0
        while chunk := response.raw.read1(_CHUNK, decode_content=True):
            chunks.append(chunk)
            size += len(chunk)
            if size > self.max_body:
                raise SourceError(
                    f"{what}: the answer is larger than {self.max_body / 1024 / 1024:g} MB and was not read on. "
                    "Lower page_size, or raise max_body_megabytes."
                )
        return b"".join(chunks)
