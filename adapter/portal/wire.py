"""The one road to portals that speak HTTP: nothing leaves the configured address, answers end, errors are ours."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import orjson
import requests
from urllib3.exceptions import HTTPError

from adapter.errors import FatalError, RetriableError
from adapter.http.decode import Undecodable, decode
from adapter.http.retry import asked
from adapter.http.urls import Base, shown_origin
from adapter.portal.sign_in import FixedToken, SignIn

if TYPE_CHECKING:
    from adapter.portal.signature import Seal

_CHUNK = 64 * 1024
_MAX_BODY = 32 * 1024 * 1024
_BUSY = frozenset({408, 425, 429, 500, 502, 503, 504})
_WHERE = "Check portal.base_url in config.toml"


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: a status that is not a passing trouble, and the JSON object of the body (empty without one)."""

    status: int
    headers: Mapping[str, str]
    value: dict[str, Any]

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300

    @property
    def version(self) -> str:
        """The ETag (RFC 9110 §8.8.3); empty when there is none."""
        return self.headers.get("ETag", "")


class _Proven(requests.auth.AuthBase):
    """Sets the header, and signs last; as the request's auth it also keeps ~/.netrc out of it."""

    def __init__(self, value: str | None, seal: "Seal | None") -> None:
        self._value = value
        self._seal = seal

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self._value:
            request.headers["Authorization"] = self._value
        if self._seal:
            self._seal(request)
        return request


class Wire:
    """Asks one portal. May be used by several threads at once. ``media`` is the type of its JSON."""

    def __init__(
        self,
        base_url: str,
        *,
        sign_in: SignIn,
        session: requests.Session,
        timeout: float,
        media: str,
        clock: Callable[[], datetime],
        seal: "Seal | None" = None,
    ) -> None:
        self.base = Base.parse(base_url)
        self._sign_in = sign_in
        self._session = session
        self._timeout = timeout
        self._media = media
        self._clock = clock
        self._seal = seal

    @property
    def signs(self) -> bool:
        """Whether each request carries a signature."""
        return self._seal is not None

    def unproven(self) -> "Wire":
        """The same way, for somebody who proves nothing: to find out whether the portal minds."""
        return self._as(FixedToken(None), None)

    def repeating(self) -> "Wire":
        """The same way, with a signature that repeats itself: to find out whether the portal minds."""
        return self._as(self._sign_in, self._seal.repeating() if self._seal else None)

    def _as(self, sign_in: SignIn, seal: "Seal | None") -> "Wire":
        return Wire(
            self.base.root,
            sign_in=sign_in,
            session=self._session,
            timeout=self._timeout,
            media=self._media,
            clock=self._clock,
            seal=seal,
        )

    def ask(
        self,
        method: str,
        path: str,
        value: Any = None,
        *,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """One question, below the base address. A wrong token is renewed once.

        Raises RetriableError when the portal is not well, FatalError when it cannot be asked at all: who we are is not
        accepted, the answer is a redirect, the certificate is not trusted.
        """
        url = self.base.join(path) if path else self.base.root
        if not self.base.allows(url):
            raise FatalError(f"The portal names a place outside its own address. {_WHERE}.")
        header = self._sign_in.header()
        answer = self._once(method, url, value, params, headers or {}, header)
        if answer.status == 401 and self._sign_in.renew(header):
            answer = self._once(method, url, value, params, headers or {}, self._sign_in.header())
        self._judge(answer, f"{method} {path.split('?')[0].split('/')[0] or 'the base address'}")
        return answer

    def follow(self, link: str) -> Answer:
        """The answer to a link that the portal gave: a GET, below the base address or not at all."""
        url = self.base.resolve(link, seen_at=self.base.root)
        if not url.startswith(f"{self.base.root}/"):
            raise FatalError(f"The portal links to a place outside its own address. {_WHERE}.")
        return self.ask("GET", url.removeprefix(f"{self.base.root}/"))

    def _judge(self, answer: Answer, what: str) -> None:
        status = answer.status
        if 300 <= status < 400:
            place = shown_origin(answer.headers.get("Location", ""))
            raise FatalError(f"{what}: the portal sends us elsewhere ({status}, {place}); not followed. {_WHERE}.")
        if status == 401:
            if self._seal:
                raise FatalError(
                    f"{what}: the portal does not accept the signature (401). Check key_id and secret in "
                    "[practice.portal], and that the clocks of both machines agree."
                )
            raise FatalError(f"{what}: the portal does not accept the token (401). Check it, in [practice.portal].")
        if status == 403:
            who = "this key" if self._seal else "the token"
            raise FatalError(
                f"{what}: {who} may not do this (403). Ask the portal for the right to read and write accounts."
            )
        if status in _BUSY:
            raise RetriableError(
                f"{what}: the portal answered {status}.", retry_after=asked(answer.headers, self._clock())
            )

    def _once(
        self,
        method: str,
        url: str,
        value: Any,
        params: Mapping[str, str] | None,
        headers: Mapping[str, str],
        header: str | None,
    ) -> Answer:
        sent = {"Accept": f"{self._media}, application/json", "Accept-Encoding": "gzip", **headers}
        if value is not None:
            sent["Content-Type"] = self._media
        try:
            with self._session.request(
                method,
                url,
                params=params,
                data=None if value is None else orjson.dumps(value),
                headers=sent,
                auth=_Proven(header, self._seal),
                timeout=self._timeout,
                allow_redirects=False,
                stream=True,
            ) as response:
                return Answer(response.status_code, response.headers, self._value(response))
        except requests.exceptions.SSLError:
            raise FatalError(
                f"The portal's TLS certificate is not accepted. {_WHERE}, and that this machine trusts its issuer."
            ) from None
        except requests.exceptions.Timeout:
            raise RetriableError(f"The portal did not answer within {self._timeout:g} s.") from None
        except requests.exceptions.ConnectionError:
            raise RetriableError(f"The portal cannot be reached. {_WHERE}, and that it is running.") from None
        except (requests.exceptions.RequestException, HTTPError, ValueError):
            raise RetriableError("The portal's answer was cut off or damaged on its way.") from None

    def _value(self, response: requests.Response) -> dict[str, Any]:
        """The body as a JSON object. Something else is an error where the answer should have said something."""
        body = b""
        while chunk := response.raw.read1(_CHUNK, decode_content=True):
            body += chunk
            if len(body) > _MAX_BODY:
                raise RetriableError(f"The portal's answer is larger than {_MAX_BODY // 1024 // 1024} MB.")
        length = response.headers.get("Content-Length", "")
        whole = "Content-Encoding" in response.headers or not length.isdecimal() or len(body) == int(length)
        if not body and whole:
            return {}
        try:
            value = decode(body, max_bytes=_MAX_BODY) if whole else None
        except Undecodable:
            value = None
        if isinstance(value, dict):
            return value
        if 200 <= response.status_code < 300:
            raise RetriableError(f"The portal answered something else than a JSON object. {_WHERE}.")
        return {}
