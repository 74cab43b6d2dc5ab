"""A vendor's public keys: from its file, or from the address where it publishes them.

That address is the one of config.toml; what an assertion says of it (``jku``) leads nowhere.
"""

import json
import threading
import time
from pathlib import Path
from typing import Any

import requests
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey

from adapter.settings import VendorSettings

KEPT_SECONDS = 600.0
"""A key that the vendor takes back is believed no longer than this."""
_AGAIN_SECONDS = 30.0
"""An unknown key id has them fetched again, at most so often."""
_MOST_BYTES = 256 * 1024
_TIMEOUT = (3.0, 5.0)
_FEWEST_BITS = 2048
_KINDS: dict[str, type[RSAKey] | type[ECKey]] = {"RS384": RSAKey, "ES384": ECKey}

PublicKey = RSAKey | ECKey


class NoKeys(Exception):
    """The vendor's keys cannot be had."""


class VendorKeys:
    """One vendor's keys, fetched when they are needed and kept for a while."""

    def __init__(self, vendor: VendorSettings) -> None:
        self._vendor = vendor
        self._lock = threading.Lock()
        self._keys: list[dict[str, Any]] = []
        self._fetched = float("-inf")

    def find(self, key_id: str, algorithm: str) -> PublicKey | None:
        """The key of this id, if it is one for this algorithm. Raises NoKeys."""
        with self._lock:
            age = time.monotonic() - self._fetched
            found = self._find(key_id, algorithm) if age < KEPT_SECONDS else None
            if found is None and age > _AGAIN_SECONDS:
                self._keys, self._fetched = _read(self._vendor), time.monotonic()
                found = self._find(key_id, algorithm)
            return found

    def _find(self, key_id: str, algorithm: str) -> PublicKey | None:
        for key in self._keys:
            if key.get("kid") == key_id and key.get("use", "sig") == "sig" and key.get("alg", algorithm) == algorithm:
                return _imported(key, algorithm)
        return None


def _imported(key: dict[str, Any], algorithm: str) -> PublicKey | None:
    """RSA of 2048 bits or more, or EC on P-384; nothing else, and no private half."""
    public = {name: value for name, value in key.items() if name in ("kty", "kid", "n", "e", "crv", "x", "y")}
    try:
        found = _KINDS[algorithm].import_key(public)
    except (JoseError, ValueError, KeyError, TypeError):
        return None
    if isinstance(found, RSAKey):
        return found if found.raw_value.key_size >= _FEWEST_BITS else None
    return found if found.curve_name == "P-384" else None


def _read(vendor: VendorSettings) -> list[dict[str, Any]]:
    data = _from_file(vendor.jwks_file) if vendor.jwks_file else _from_url(vendor.jwks_url or "")
    try:
        keys = json.loads(data)["keys"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise NoKeys from None
    if not isinstance(keys, list):
        raise NoKeys
    return [key for key in keys if isinstance(key, dict)]


def _from_file(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(_MOST_BYTES)
    except OSError:
        raise NoKeys from None


def _from_url(url: str) -> bytes:
    try:
        headers = {"Accept": "application/json"}
        with requests.get(url, headers=headers, timeout=_TIMEOUT, allow_redirects=False, stream=True) as answer:
            data = b"".join(_up_to(answer, _MOST_BYTES))
            if answer.status_code != 200:
                raise NoKeys
            return data
    except requests.RequestException:
        raise NoKeys from None


def _up_to(answer: requests.Response, most: int) -> Any:
    size = 0
    for chunk in answer.iter_content(16 * 1024):
        size += len(chunk)
        if size > most:
            raise NoKeys
        yield chunk
