"""The token endpoint: one POST of a form that says who we are, answered by an access token (RFC 6749 §4.4, §5).

It may live on another host than the FHIR API. What proves who we are goes there and nowhere else: no redirect is
followed.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import requests
from pydantic import SecretStr
from urllib3.exceptions import HTTPError, ReadTimeoutError

from adapter.errors import SourceError
from adapter.http import retry
from adapter.http.decode import Undecodable, decode
from adapter.http.refusals import remedy_for
from adapter.http.urls import shown_origin

_MAX_BYTES = 256 * 1024
_SKEW = 60
"""Seconds by which two clocks may differ before it is worth a word."""


@dataclass(frozen=True, slots=True)
class Login:
    """What one request proves itself with: form fields, and a header where the secret travels in one."""

    form: Mapping[str, str]
    header: SecretStr | None = None


@dataclass(frozen=True, slots=True)
class Granted:
    """An access token as it was granted. ``scopes`` is None when the answer names none: all that was asked for."""

    token: SecretStr
    lifetime: Any
    """``expires_in`` as it came: seconds, or anything else."""
    scopes: tuple[str, ...] | None


class _Transient(Exception):
    """Worth another try; the message ends up in the problem."""


class _Only(requests.auth.AuthBase):
    """Sets this header or none; as the request's auth it also keeps ~/.netrc out of it."""

    def __init__(self, header: SecretStr | None) -> None:
        self._header = header

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self._header:
            request.headers["Authorization"] = self._header.get_secret_value()
        return request


class TokenEndpoint:
    """Asks for access tokens. ``session`` ends every answer in time (``wire.make_session``); ``whom``: whose it is."""

    def __init__(
        self,
        *,
        session: requests.Session,
        timeout: float,
        sleep: Callable[[float], None],
        clock: Callable[[], datetime],
        whom: str = "the EHR",
    ) -> None:
        self._whom = whom
        self._session = session
        self._timeout = timeout
        self._sleep = sleep
        self._clock = clock

    def ask(self, url: str, login: Callable[[], Login]) -> Granted:
        """A token from ``url``. ``login`` is called for every try, since an assertion may be used only once.

        Raises SourceError when none is granted; the message shows the endpoint's origin and the OAuth error code.
        """
        what = f"POST token ({shown_origin(url)})"
        for tried in range(1, retry.TRIES + 1):
            headers: Mapping[str, str] = {}
            try:
                status, headers, body = self._once(url, login())
                if status not in retry.RETRIED:
                    return self._granted(what, status, headers, body)
                trouble = f"answered {status}"
            except _Transient as error:
                trouble = str(error)
            if tried < retry.TRIES:
                self._sleep(retry.wait(tried, headers, now=self._clock()))
        raise SourceError(
            f"{what}: {trouble}, {retry.TRIES} times in a row, so nothing was read. "
            f"Try again later; if it stays, ask {self._whom}'s support."
        )

    def _once(self, url: str, login: Login) -> tuple[int, Mapping[str, str], bytes]:
        try:
            with self._session.post(
                url,
                data=dict(login.form),
                headers={"Accept": "application/json", "Accept-Encoding": "identity", "Cache-Control": "no-store"},
                auth=_Only(login.header),
                timeout=self._timeout,
                allow_redirects=False,
                stream=True,
            ) as response:
                return response.status_code, response.headers, self._body(response)
        except requests.exceptions.SSLError:
            raise SourceError(
                f"POST token ({shown_origin(url)}): its TLS certificate is not accepted. Check token_url and the CA."
            ) from None
        except (requests.exceptions.Timeout, ReadTimeoutError):
            raise _Transient(f"no answer within {self._timeout:g} s") from None
        except requests.exceptions.ConnectionError:
            raise _Transient(f"{self._whom}'s token endpoint cannot be reached") from None
        except (requests.exceptions.RequestException, HTTPError):
            raise _Transient("the answer was cut off or damaged on its way") from None

    def _body(self, response: requests.Response) -> bytes:
        """At most a little more than the cap: what is too large is refused when it is decoded."""
        body = b""
        while len(body) <= _MAX_BYTES and (chunk := response.raw.read1(_MAX_BYTES, decode_content=True)):
            body += chunk
        return body

    def _granted(self, what: str, status: int, headers: Mapping[str, str], body: bytes) -> Granted:
        if 300 <= status < 400:
            raise SourceError(
                f"{what}: answered {status}, a redirect, which is not followed with a secret. "
                "Set token_url to the address of the token endpoint itself."
            )
        value = _json_object(body)
        if status != 200:
            raise SourceError(f"{what}: answered {status}{remedy_for(value, self._whom)}{self._skew(headers)}")
        if value is None:
            raise SourceError(f"{what}: answered something else than JSON. Check token_url.")
        token, kind = value.get("access_token"), value.get("token_type")
        if not isinstance(token, str) or not re.fullmatch(r"[!-~]{1,65536}", token):
            raise SourceError(f"{what}: answered without a usable access_token. Check token_url.")
        if not isinstance(kind, str) or kind.lower() != "bearer":
            raise SourceError(
                f"{what}: granted a token that is not a bearer token. Ask {self._whom}'s support for one."
            )
        scope = value.get("scope")
        if "scope" in value and not isinstance(scope, str):
            raise SourceError(f"{what}: answered with a scope that is not text. Ask {self._whom}'s support.")
        scopes = tuple(scope.split()) if isinstance(scope, str) else None
        return Granted(SecretStr(token), value.get("expires_in"), scopes)

    def _skew(self, headers: Mapping[str, str]) -> str:
        """A word on the clocks when they differ: an assertion is good for a few minutes only."""
        try:
            at = parsedate_to_datetime(headers.get("Date", ""))
        except ValueError:
            return ""
        off = round((self._clock() - at.replace(tzinfo=at.tzinfo or UTC)).total_seconds())
        if abs(off) < _SKEW:
            return ""
        side = "ahead of" if off > 0 else "behind"
        return f" This machine's clock is {abs(off)} s {side} {self._whom}'s: set it right first."


def _json_object(body: bytes) -> dict[str, Any] | None:
    try:
        value = decode(body, max_bytes=_MAX_BYTES)
    except Undecodable:
        return None
    return value if isinstance(value, dict) else None
