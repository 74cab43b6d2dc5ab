"""An access token that is renewed in time: one renewal at once, whoever else needs it waits for that one."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from pydantic import SecretStr

from adapter.ehr import Check
from adapter.ehr.fhir.auth import scopes
from adapter.ehr.fhir.auth.discovery import Discovery
from adapter.errors import SourceError
from adapter.http.token_endpoint import Granted, Login, TokenEndpoint

_UNSTATED = 300.0
"""Seconds a token is used when the EHR does not say how long it lives; SMART recommends five minutes."""
_SHORTEST, _LONGEST = 30.0, 3600.0
_MARGIN = 60.0
_QUIET = timedelta(seconds=10)
"""After a refusal nobody asks again for so long: those who waited for the token get the same answer."""


@dataclass(frozen=True, slots=True)
class _Token:
    value: SecretStr
    renew_at: datetime
    lifetime: float
    scopes: tuple[str, ...]

    @property
    def header(self) -> str:
        return f"Bearer {self.value.get_secret_value()}"


class TokenAuthorization:
    """Client credentials: ``login`` says who we are to the endpoint that ``discovery`` finds.

    ``wanted`` are the scopes to ask for; None asks for what reading ``types`` needs. ``name`` is the way in words.
    """

    def __init__(
        self,
        *,
        name: str,
        login: Callable[[str], Login],
        discovery: Discovery,
        endpoint: TokenEndpoint,
        clock: Callable[[], datetime],
        wanted: tuple[str, ...] | None = None,
        types: tuple[str, ...] = scopes.TYPES,
    ) -> None:
        self._name = name
        self._login = login
        self._discovery = discovery
        self._endpoint = endpoint
        self._clock = clock
        self._wanted = wanted
        self._types = types
        self._lock = threading.Lock()
        self._token: _Token | None = None
        self._refused: tuple[datetime, str] | None = None

    def __repr__(self) -> str:
        return f"TokenAuthorization({self._name}, **********)"

    def header(self) -> str:
        """See ``Authorization``; renews a minute before the token ends."""
        token = self._token
        return token.header if token and self._is_fresh(token) else self._current().header

    def renew(self, refused: str | None) -> bool:
        """See ``Authorization``; always True, or SourceError."""
        self._current(refused)
        return True

    def check(self) -> list[Check]:
        """Which way, the token's life, and the scopes granted."""
        try:
            token = self._current()
        except SourceError as error:
            return [Check("EHR sign-in", False, f"{self._name}: {error}")]
        lines = [Check("EHR sign-in", True, f"{self._name}: a token for {token.lifetime:g} s")]
        needed = scopes.shown(f"system/{kind}.rs" for kind in self._types)
        compared = f"needed: {needed}" if self._is_compared(token.scopes) else "the EHR's own, so they say nothing here"
        return [*lines, Check("EHR scopes", True, f"granted: {scopes.shown(token.scopes)} ({compared})")]

    def _current(self, refused: str | None = None) -> _Token:
        """The token in force; a new one when it is due, or when the EHR has just refused it."""
        with self._lock:
            token = self._token
            if token and self._is_fresh(token) and token.header != refused:
                return token
            self._raise_again()
            self._token = None
            try:
                self._token = self._new()
            except SourceError as error:
                self._refused = (self._clock(), str(error))
                self._discovery.forget()
                raise
            self._refused = None
            return self._token

    def _is_fresh(self, token: _Token) -> bool:
        return self._clock() < token.renew_at

    def _raise_again(self) -> None:
        if self._refused and timedelta() <= self._clock() - self._refused[0] < _QUIET:
            raise SourceError(self._refused[1])

    def _new(self) -> _Token:
        url = self._discovery.token_url()
        asked = self._asked()
        granted = self._endpoint.ask(url, lambda: self._with_scope(self._login(url), asked))
        lifetime = _lifetime(granted.lifetime)
        at = self._clock() + timedelta(seconds=lifetime - min(_MARGIN, lifetime / 4))
        return _Token(granted.token, at, lifetime, self._enough(granted, asked))

    def _asked(self) -> tuple[str, ...]:
        if self._wanted is not None:
            return self._wanted
        return scopes.scopes_for(self._types, self._discovery.configuration())

    def _with_scope(self, login: Login, asked: tuple[str, ...]) -> Login:
        form = {"grant_type": "client_credentials", **login.form}
        return Login(form | {"scope": " ".join(asked)} if asked else form, login.header)

    def _enough(self, granted: Granted, asked: tuple[str, ...]) -> tuple[str, ...]:
        """The granted scopes. Raises SourceError when they are too few to read everything."""
        found = asked if granted.scopes is None else granted.scopes
        lacking = scopes.missing(self._types, found, asked=asked) if self._is_compared((*found, *asked)) else []
        if lacking:
            raise SourceError(
                f"The EHR's token does not allow {' and '.join(lacking)} (granted: {scopes.shown(found)}), so nothing "
                "was read. Have the scope granted to this client in the EHR; if `scopes` is set, it must ask for it."
            )
        return found

    def _is_compared(self, found: tuple[str, ...]) -> bool:
        """Servers with scopes of their own say by them nothing that could be compared."""
        return scopes.speaks_smart(found)


def _lifetime(value: Any) -> float:
    """Seconds a token is used, from ``expires_in``: within bounds, whatever the EHR says."""
    if isinstance(value, str) and value.isascii() and value.isdecimal():
        value = int(value[:10])
    if isinstance(value, bool) or not isinstance(value, int | float):
        return _UNSTATED
    return min(max(float(value), _SHORTEST), _LONGEST)
