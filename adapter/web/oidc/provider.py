"""An OpenID Connect provider: where to send people, and who it says they are.

Source: OpenID Connect Core 1.0 §3.1, Discovery 1.0 §4, RFC 7636 (PKCE), RFC 9207 (iss in the answer).
"""

import hashlib
import json
import secrets
import threading
import time
from base64 import urlsafe_b64encode
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import requests
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from adapter.settings.oidc import OidcSettings

ALGORITHMS = ("RS256", "ES256")
SLACK = timedelta(seconds=60)
_KEPT_SECONDS = 600.0
_MOST_BYTES = 256 * 1024
_TIMEOUT = (3.0, 10.0)
_LOOPBACK = ("http://127.0.0.1", "http://localhost")


class NotVouchedFor(Exception):
    """The provider does not say who it is, or cannot be believed; the message quotes nothing of what it sent."""


class Provider:
    """One provider. Its configuration is read when it is needed and kept for ten minutes."""

    def __init__(self, settings: OidcSettings, redirect_uri: str) -> None:
        self._settings, self._redirect_uri = settings, redirect_uri
        self._lock = threading.Lock()
        self._known: dict[str, Any] = {}
        self._keys: KeySet | None = None
        self._read_at = float("-inf")

    def ask(self, *, state: str, nonce: str, verifier: str) -> str:
        """The address that a browser is sent to. Raises NotVouchedFor when the provider is not well."""
        challenge = urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        query = {
            "response_type": "code",
            "scope": "openid",
            "client_id": self._settings.client_id,
            "redirect_uri": self._redirect_uri,
            "state": state,
            "nonce": nonce,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        endpoint = self._configuration()["authorization_endpoint"]
        return f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(query)}"

    def subject(self, code: str, *, nonce: str, verifier: str, issuer: str | None, now: datetime) -> str:
        """Whom this code stands for: the ``sub`` of a proven ID token. Raises NotVouchedFor."""
        if issuer is not None and issuer != self._settings.issuer:
            raise NotVouchedFor("Another provider has answered.")
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._redirect_uri,
            "code_verifier": verifier,
        }
        secret = self._settings.client_secret
        login = (self._settings.client_id, secret.get_secret_value()) if secret else None
        if login is None:
            form["client_id"] = self._settings.client_id
        answer = _json("POST", self._configuration()["token_endpoint"], data=form, auth=login)
        return _proven(answer.get("id_token"), self._jwks(), self._settings, nonce, now)

    def _configuration(self) -> dict[str, Any]:
        with self._lock:
            if time.monotonic() - self._read_at > _KEPT_SECONDS:
                issuer = self._settings.issuer
                found = _json("GET", f"{issuer.rstrip('/')}/.well-known/openid-configuration")
                if found.get("issuer") != issuer:
                    raise NotVouchedFor("The provider's configuration is that of another issuer.")
                for name in ("authorization_endpoint", "token_endpoint", "jwks_uri"):
                    if not str(found.get(name)).startswith(("https://", *_LOOPBACK)):
                        raise NotVouchedFor("The provider's configuration names an address that is not https.")
                self._known, self._keys, self._read_at = found, None, time.monotonic()
            return self._known

    def _jwks(self) -> KeySet:
        address = self._configuration()["jwks_uri"]
        with self._lock:
            if self._keys is None:
                try:
                    self._keys = KeySet.import_key_set(_json("GET", address))  # type: ignore[arg-type]
                except (JoseError, ValueError, TypeError, KeyError):
                    raise NotVouchedFor("The provider's keys cannot be read.") from None
            return self._keys


def fresh() -> str:
    """A secret for one sign-in: 256 random bits."""
    return secrets.token_urlsafe(32)


def _proven(token: Any, keys: KeySet, settings: OidcSettings, nonce: str, now: datetime) -> str:
    if not isinstance(token, str) or len(token) > 16 * 1024:
        raise NotVouchedFor("The provider sent no ID token.")
    try:
        claims = jwt.decode(token, keys, algorithms=list(ALGORITHMS)).claims
    except (JoseError, ValueError, TypeError, KeyError, RecursionError):
        raise NotVouchedFor("The ID token is not signed with the provider's key.") from None
    audience = claims.get("aud")
    audiences = audience if isinstance(audience, list) else [audience]
    mine = settings.client_id in audiences and claims.get("azp", settings.client_id) == settings.client_id
    ends, begins = claims.get("exp"), claims.get("iat")
    timely = (
        isinstance(ends, int | float)
        and isinstance(begins, int | float)
        and now.timestamp() < ends + SLACK.total_seconds()
        and begins <= now.timestamp() + SLACK.total_seconds()
    )
    if claims.get("iss") != settings.issuer or not mine or not timely:
        raise NotVouchedFor("The ID token is not for this service and this moment.")
    if not secrets.compare_digest(str(claims.get("nonce")).encode(), nonce.encode()):
        raise NotVouchedFor("The ID token belongs to another sign-in.")
    subject = claims.get("sub")
    if not isinstance(subject, str) or not 0 < len(subject) <= 255:
        raise NotVouchedFor("The ID token names nobody.")
    return subject


def _json(method: str, url: str, **more: Any) -> dict[str, Any]:
    """What an address of the provider answers; no redirect is followed, and no more is read than it may say."""
    try:
        headers = {"Accept": "application/json"}
        with requests.request(
            method, url, headers=headers, timeout=_TIMEOUT, allow_redirects=False, stream=True, **more
        ) as answer:
            data = answer.raw.read(_MOST_BYTES + 1, decode_content=True)
            found = json.loads(data) if answer.status_code == 200 and len(data) <= _MOST_BYTES else None
    except (requests.RequestException, OSError, ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise NotVouchedFor("The provider does not answer as it should. Try again in a moment.")
    return found
