"""Single requests of an export: guarded, with the token only where it belongs, and never tried again here."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urljoin

import requests
from urllib3.exceptions import HTTPError
from urllib3.response import BaseHTTPResponse

from adapter.ehr.fhir.answer import Refused
from adapter.ehr.fhir.auth import Authorization
from adapter.ehr.fhir.client import Answer
from adapter.errors import SourceError
from adapter.http.urls import Guard, shown_origin

_CHUNK = 256 * 1024
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_MOST_REDIRECTS = 5


class Trouble(SourceError):
    """It did not work this time: no connection, no answer in time, or an answer that was cut off."""


@dataclass(frozen=True, slots=True)
class Stream:
    """An answer whose body is still to come."""

    status: int
    headers: Mapping[str, str]
    raw: BaseHTTPResponse

    def chunks(self, *, unpack: bool) -> Iterator[bytes]:
        """The body, a piece at a time; ``unpack``: without the packing that Content-Encoding states."""
        while chunk := self.raw.read1(_CHUNK, decode_content=unpack):
            yield chunk


class Transport:
    """Asks the EHR, and the listed places of its export files. May be used by several threads at once."""

    def __init__(
        self,
        guard: Guard,
        *,
        authorization: Authorization,
        session: requests.Session,
        timeout: float,
        max_body: int,
    ) -> None:
        self.guard = guard
        self._authorization = authorization
        self._session = session
        self._timeout = timeout
        self.max_body = max_body

    def ask(
        self,
        method: str,
        url: str,
        what: str,
        *,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,
    ) -> Answer:
        """One request with the token, its body read whole. ``what`` names it in messages.

        Raises Trouble when another try may help, Refused for an address that is not the EHR's, SourceError for a body
        that is too large or a sign-in that failed.
        """
        with self.stream(method, url, what, headers=headers, timeout=timeout) as stream:
            body = bytearray()
            for chunk in stream.chunks(unpack=True):
                body += chunk
                if len(body) > self.max_body:
                    raise SourceError(f"{what}: the answer is larger than {self.max_body // 1024 // 1024} MB.")
            return Answer(url, stream.status, stream.headers, bytes(body))

    @contextmanager
    def stream(
        self,
        method: str,
        url: str,
        what: str,
        *,
        token: bool = True,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,
    ) -> Iterator[Stream]:
        """The answer while its body comes in; ``token``: whether it is wanted there at all. Raises as ``ask``.

        A redirect is judged like any other address, and a first 401 has the token renewed.
        """
        timeout = timeout or self._timeout
        with _told(what):
            for _ in range(_MOST_REDIRECTS + 1):
                with self._answer(method, url, what, token, headers or {}, timeout) as response:
                    location = response.headers.get("Location")
                    if response.status_code not in _REDIRECTS or not location:
                        yield Stream(response.status_code, response.headers, response.raw)
                        return
                    url = urljoin(url, location)
        raise SourceError(f"{what}: redirected more than {_MOST_REDIRECTS} times. Ask the EHR's support.")

    def _answer(
        self, method: str, url: str, what: str, token: bool, headers: Mapping[str, str], timeout: float
    ) -> requests.Response:
        if not self.guard.may_fetch(url, file=True):
            raise Refused(
                f"{what}: the EHR points to another address ({shown_origin(url)}), which was not asked. "
                "If its exports really lie there, list that host in bulk_hosts under [practice.ehr]."
            )
        if not (token and self.guard.gets_token(url, file=True)):
            return self._send(method, url, None, headers, timeout)
        given = self._authorization.header()
        response = self._send(method, url, given, headers, timeout)
        if response.status_code == requests.codes.unauthorized and self._authorization.renew(given):
            response.close()
            response = self._send(method, url, self._authorization.header(), headers, timeout)
        return response

    def _send(
        self, method: str, url: str, authorization: str | None, headers: Mapping[str, str], timeout: float
    ) -> requests.Response:
        return self._session.request(
            method,
            url,
            headers={"Accept-Encoding": "gzip", "Cache-Control": "no-cache", **headers},
            auth=_Header(authorization),
            timeout=timeout,
            allow_redirects=False,
            stream=True,
        )


class _Header(requests.auth.AuthBase):
    """The Authorization header or none; as the request's auth it also keeps ~/.netrc out of it."""

    def __init__(self, value: str | None) -> None:
        self._value = value

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self._value:
            request.headers["Authorization"] = self._value
        return request


@contextmanager
def _told(what: str) -> Iterator[None]:
    """Turns what the libraries raise into one sentence."""
    try:
        yield
    except requests.exceptions.SSLError:
        raise SourceError(f"{what}: the TLS certificate there is not accepted. Check the address and the CA.") from None
    except (requests.exceptions.Timeout, TimeoutError):
        raise Trouble(f"{what}: no answer in time") from None
    except requests.exceptions.ConnectionError:
        raise Trouble(f"{what}: it cannot be reached") from None
    except (requests.exceptions.RequestException, HTTPError, OSError):
        raise Trouble(f"{what}: the answer was cut off or damaged on its way") from None
