"""How the adapter is known to a portal: a token that somebody handed over, or one from the portal's token endpoint."""

import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Protocol

from pydantic import SecretStr

from adapter.errors import RetriableError
from adapter.http.token_endpoint import Login, TokenEndpoint

_UNSTATED, _SHORTEST, _LONGEST = 300.0, 30.0, 24 * 3600.0
_MARGIN = 60.0
_QUIET = timedelta(seconds=10)
"""A token endpoint that has just refused is not asked again by every account."""


class SignIn(Protocol):
    """Gives the Authorization header."""

    def header(self) -> str | None:
        """The header in force; None to send none. Raises RetriableError when none can be had."""
        ...

    def renew(self, refused: str | None) -> bool:
        """The portal has refused this header. Returns whether another one can be tried."""
        ...


class FixedToken:
    """Always the same bearer token (RFC 6750), or none at all."""

    def __init__(self, token: SecretStr | None) -> None:
        self._token = token

    def __repr__(self) -> str:
        return "FixedToken(**********)"

    def header(self) -> str | None:
        return f"Bearer {self._token.get_secret_value()}" if self._token else None

    def renew(self, refused: str | None) -> bool:
        return False


class ClientCredentials:
    """Tokens by OAuth 2.0 client credentials (RFC 6749 §4.4), renewed in time."""

    def __init__(
        self,
        endpoint: TokenEndpoint,
        login: Callable[[str], Login],
        *,
        token_url: str,
        scopes: tuple[str, ...],
        clock: Callable[[], datetime],
    ) -> None:
        self._endpoint = endpoint
        self._login = login
        self._token_url = token_url
        self._scopes = scopes
        self._clock = clock
        self._lock = threading.Lock()
        self._header: str | None = None
        self._until: datetime | None = None
        self._refused: tuple[datetime, str] | None = None

    def __repr__(self) -> str:
        return "ClientCredentials(**********)"

    def header(self) -> str | None:
        """See ``SignIn``."""
        with self._lock:
            if self._header is None or self._until is None or self._clock() >= self._until:
                self._ask()
            return self._header

    def renew(self, refused: str | None) -> bool:
        """See ``SignIn``; several threads that are refused together ask once."""
        with self._lock:
            if self._header == refused:
                self._ask()
        return True

    def _ask(self) -> None:
        now = self._clock()
        if self._refused and timedelta() <= now - self._refused[0] < _QUIET:
            raise RetriableError(self._refused[1])
        self._header = None
        try:
            granted = self._endpoint.ask(self._token_url, self._with_scope)
        except RetriableError as error:
            self._refused = (now, str(error))
            raise
        self._refused = None
        lifetime = _lifetime(granted.lifetime)
        self._header = f"Bearer {granted.token.get_secret_value()}"
        self._until = self._clock() + timedelta(seconds=lifetime - min(_MARGIN, lifetime / 4))

    def _with_scope(self) -> Login:
        login = self._login(self._token_url)
        form = {"grant_type": "client_credentials", **login.form}
        return Login(form | {"scope": " ".join(self._scopes)} if self._scopes else form, login.header)


def _lifetime(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return _UNSTATED
    return min(max(float(value), _SHORTEST), _LONGEST)
