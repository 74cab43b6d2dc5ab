"""``auth = "smart"``: SMART Backend Services, a signed assertion instead of a secret.

https://hl7.org/fhir/smart-app-launch/backend-services.html and RFC 7523 §3: ``iss`` and ``sub`` are the client, ``aud``
is the token endpoint, ``exp`` at most five minutes ahead, ``jti`` never used before. ``iat`` is left out: nobody needs
it, and a clock that runs a little fast would make it a date in the future.
"""

import secrets
from collections.abc import Callable
from datetime import datetime, timedelta

from adapter.http.keys import SigningKey
from adapter.http.token_endpoint import Login

_LIFE = timedelta(minutes=4)
"""One minute less than allowed, for clocks that differ."""
_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


class Assertion:
    """Proves who we are by signing: called with the token endpoint for every request."""

    def __init__(self, *, client_id: str, key: SigningKey, clock: Callable[[], datetime]) -> None:
        self._client_id = client_id
        self._key = key
        self._clock = clock

    def __repr__(self) -> str:
        return "Assertion(**********)"

    def __call__(self, token_url: str) -> Login:
        claims = {
            "iss": self._client_id,
            "sub": self._client_id,
            "aud": token_url,
            "exp": int((self._clock() + _LIFE).timestamp()),
            "jti": secrets.token_urlsafe(24),
        }
        return Login({"client_assertion_type": _TYPE, "client_assertion": self._key.sign(claims)})
