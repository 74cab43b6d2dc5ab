"""Passwords and one-time codes: made by us, kept as an argon2id hash or not at all."""

import hashlib
import hmac
import secrets
import threading
from base64 import b32encode
from datetime import datetime
from functools import lru_cache

from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher
from pyotp import TOTP

ISSUER = "Portal Adapter"
STEP_SECONDS = 30
_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"
"""Without those that people take for one another."""
_GROUPS, _GROUP = 4, 5
_AT_ONCE = threading.BoundedSemaphore(2)
"""Each hash takes 64 MiB: whoever knocks a thousand times must not fill the memory."""


def make_password() -> str:
    """A password of 99 bits in four groups, to be copied: ``k3vqp-7hwmx-…``."""
    return "-".join("".join(secrets.choice(_LETTERS) for _ in range(_GROUP)) for _ in range(_GROUPS))


def hash_password(password: str) -> str:
    """What is stored: argon2id with the parameters of RFC 9106's second choice."""
    with _AT_ONCE:
        return _hasher().hash(password)


def password_fits(password: str, hashed: str | None) -> bool:
    """Whether it is the one; takes as long when there is none to compare with."""
    with _AT_ONCE:
        fits = _hasher().verify(password, hashed or _nobody())
    return fits and hashed is not None


def code_secret(key: bytes, person_id: str, generation: int) -> str:
    """The secret of a person's one-time codes (RFC 6238). Derived from the key file: the database does not have it."""
    made = hmac.new(key, f"one-time-code:{person_id}:{generation}".encode(), hashlib.sha256).digest()
    return b32encode(made[:20]).decode()


def code_uri(secret: str, name: str) -> str:
    """What an authenticator app reads: ``otpauth://totp/…``."""
    return TOTP(secret).provisioning_uri(name=name, issuer_name=ISSUER)


def code_step(secret: str, code: str, now: datetime) -> int | None:
    """The half minute that this code belongs to: this one, the last or the next; None when it fits none of them."""
    given = "".join(code.split())
    this = int(now.timestamp()) // STEP_SECONDS
    fitting = None
    for step in (this - 1, this, this + 1):
        if hmac.compare_digest(TOTP(secret).generate_otp(step).encode(), given.encode()):
            fitting = step
    return fitting


@lru_cache(maxsize=1)
def _hasher() -> PasswordHash:
    return PasswordHash((Argon2Hasher(),))


@lru_cache(maxsize=1)
def _nobody() -> str:
    return _hasher().hash(secrets.token_urlsafe(16))
