"""One GET to the EHR: the authorization only where it belongs, time-outs, retries, redirects and a cap on the body."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

import requests
from urllib3.exceptions import HTTPError

from adapter.ehr.fhir import retry
from adapter.ehr.fhir.auth import Authorization
from adapter.ehr.fhir.urls import Base, shown_origin
from adapter.errors import SourceError

_CHUNK = 64 * 1024
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_MOST_REDIRECTS = 5
_SLOWEST = 10
"""A body may take this many time-outs in all; without it a server that drips one byte at a time holds us for ever."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, whatever its status."""

    url: str
    status: int
    headers: Mapping[str, str]
    body: bytes


class _Transient(Exception):
    """Worth another try; the message ends up in the problem."""


class _Header(requests.auth.AuthBase):
    """Sets the header inside the guard's bounds; as the request's auth it also keeps ~/.netrc out of it."""

    def __init__(self, base: Base, value: str | None) -> None:
        self._base = base
        self._value = value

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self._value and self._base.allows(request.url or ""):
            request.headers["Authorization"] = self._value
        return request


class Client:
    """Asks one EHR. May be used by several threads at once."""

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
    ) -> None:
        self.base = base
        self.max_body = max_body
        self.clock = clock
        self._authorization = authorization
        self._timeout = timeout
        self._session = session
        self._sleep = sleep

    def get(self, url: str, what: str) -> Answer:
        """The final answer to a GET, after retries, redirects and, once, a renewed authorization.

        ``what`` names the request in messages. Raises SourceError when there is none: not authorized, unreachable, too
        slow, too large, cut off, overloaded for too long, or a redirect that leaves the EHR.
        """
        renewed = False
        for _ in range(_MOST_REDIRECTS + 1):
            if not self.base.allows(url):
                raise SourceError(
                    f"{what}: the EHR points to another address ({shown_origin(url)}), which was not asked. "
                    f"If that is the EHR too, correct its public address there or base_url here."
                )
            header = self._authorization.header()
            answer = self._persist(url, what, header)
            if answer.status == 401 and not renewed and self._authorization.renew(header):
                renewed = True
                answer = self._persist(url, what, self._authorization.header())
            if answer.status not in _REDIRECTS:
                return answer
            url = self.base.resolve(answer.headers.get("Location", ""), seen_at=url)
        raise SourceError(f"{what}: redirected more than {_MOST_REDIRECTS} times. Check base_url.")

    def _persist(self, url: str, what: str, header: str | None) -> Answer:
        """Asks until there is an answer that is not a passing trouble."""
        for tried in range(1, retry.TRIES + 1):
            headers: Mapping[str, str] = {}
            try:
                answer = self._once(url, what, header)
                if answer.status not in retry.RETRIED:
                    return answer
                headers, trouble = answer.headers, f"answered {answer.status}"
            except _Transient as error:
                trouble = str(error)
            if tried < retry.TRIES:
                self._sleep(retry.wait(tried, headers, now=self.clock()))
        raise SourceError(
            f"{what}: {trouble}, {retry.TRIES} times in a row. Try again later; if it stays, ask the EHR's support."
        )

    def _once(self, url: str, what: str, header: str | None) -> Answer:
        auth = _Header(self.base, header)
        headers = {"Accept": "application/fhir+json", "Accept-Encoding": "gzip", "Cache-Control": "no-cache"}
        try:
            with self._session.get(
                url, headers=headers, auth=auth, timeout=self._timeout, allow_redirects=False, stream=True
            ) as response:
                return Answer(url, response.status_code, response.headers, self._body(response, what))
        except requests.exceptions.SSLError:
            raise SourceError(
                f"{what}: the EHR's TLS certificate is not accepted. Check base_url and the CA."
            ) from None
        except requests.exceptions.Timeout:
            raise _Transient(f"no answer within {self._timeout:g} s") from None
        except requests.exceptions.ConnectionError:
            raise _Transient("the EHR cannot be reached") from None
        except (requests.exceptions.RequestException, HTTPError):
            raise _Transient("the answer was cut off or damaged on its way") from None

    def _body(self, response: requests.Response, what: str) -> bytes:
        """The unpacked body. What counts against the cap is the unpacked size, so a gzip bomb stops there too."""
        deadline = time.monotonic() + self._timeout * _SLOWEST
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
            if time.monotonic() > deadline:
                raise _Transient(f"the answer was not finished within {self._timeout * _SLOWEST:g} s")
        return b"".join(chunks)
