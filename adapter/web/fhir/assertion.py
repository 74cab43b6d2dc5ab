"""Who asks for a token: a JWT that the vendor has signed with its own key (RFC 7523, private_key_jwt).

https://hl7.org/fhir/smart-app-launch/client-confidential-asymmetric.html
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from joserfc import jws, jwt
from joserfc.errors import JoseError

from adapter.web.fhir.keys import NoKeys, VendorKeys

LONGEST = timedelta(minutes=5)
SLACK = timedelta(seconds=30)
"""How far the vendor's clock may be ahead."""
ALGORITHMS = ("RS384", "ES384")
_LONGEST_TEXT = 8 * 1024


class NotTheClient(Exception):
    """The assertion proves nothing; the message says why and quotes nothing of it."""


class Proven(NamedTuple):
    """Who it is, and the one use that this assertion is good for."""

    client_id: str
    jti: str
    expires_at: datetime


def prove(assertion: str, clients: Mapping[str, VendorKeys], token_url: str, now: datetime) -> Proven:
    """Checks the signature first and every claim then. Raises NotTheClient."""
    if not assertion or len(assertion) > _LONGEST_TEXT:
        raise NotTheClient("client_assertion is missing or too long.")
    try:
        parts = jws.extract_compact(assertion.encode())
        header, unproven = parts.headers(), _claims(parts.payload)
    except (JoseError, ValueError, UnicodeError, RecursionError, TypeError):
        raise NotTheClient("client_assertion is not a JWT.") from None
    algorithm, key_id = header.get("alg"), header.get("kid")
    if algorithm not in ALGORITHMS or not isinstance(key_id, str):
        raise NotTheClient("The assertion must be signed with RS384 or ES384, and its header must name the key (kid).")
    keys = clients.get(str(unproven.get("iss")))
    if keys is None:
        raise NotTheClient("The client is not known, or this is not its key.")
    claims = _verified(assertion, keys, key_id, str(algorithm))
    return _checked(claims, token_url, now)


def _claims(payload: bytes) -> dict[str, Any]:
    claims = json.loads(payload)
    if not isinstance(claims, dict):
        raise ValueError
    return claims


def _verified(assertion: str, keys: VendorKeys, key_id: str, algorithm: str) -> dict[str, Any]:
    try:
        key = keys.find(key_id, algorithm)
        if key is None:
            raise NotTheClient("The client is not known, or this is not its key.")
        return dict(jwt.decode(assertion, key, algorithms=[algorithm]).claims)
    except NoKeys:
        raise NotTheClient("The client's public keys cannot be read at their registered place.") from None
    except (JoseError, ValueError, TypeError, RecursionError):
        raise NotTheClient("The client is not known, or this is not its key.") from None


def _checked(claims: dict[str, Any], token_url: str, now: datetime) -> Proven:
    client_id, jti, audience = claims.get("iss"), claims.get("jti"), claims.get("aud")
    if not isinstance(client_id, str) or claims.get("sub") != client_id:
        raise NotTheClient("iss and sub must both be the client_id.")
    if token_url not in (audience if isinstance(audience, list) else [audience]):
        raise NotTheClient("aud must be the address of this token endpoint.")
    if not isinstance(jti, str) or not 0 < len(jti) <= 1000:
        raise NotTheClient("jti is missing or too long.")
    expires_at = _moment(claims.get("exp"))
    if expires_at is None or expires_at <= now:
        raise NotTheClient("exp is missing, or the assertion has expired.")
    if expires_at > now + LONGEST + SLACK:
        raise NotTheClient("exp must be at most five minutes ahead.")
    for name in ("nbf", "iat"):
        begins = _moment(claims[name]) if name in claims else now
        if begins is None or begins > now + SLACK:
            raise NotTheClient(f"{name} is not a time that has come.")
    return Proven(client_id, jti, expires_at)


def _moment(value: Any) -> datetime | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return datetime.fromtimestamp(value, UTC)
    except (ValueError, OverflowError, OSError):
        return None
