"""The private key an EHR knows us by: made, read, and shown to the world as its public half only.

A key is a file: PEM, or a JWK (RFC 7517). RS384 needs RSA of 2048 bits or more, ES384 the curve P-384
(https://hl7.org/fhir/smart-app-launch/client-confidential-asymmetric.html).
"""

import json
import os
import secrets
import stat
from pathlib import Path
from typing import Any, Literal

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey

from adapter.errors import ConfigError, Fault

Algorithm = Literal["RS384", "ES384"]

_BITS = 3072
_FEWEST_BITS = 2048
_CURVE = "P-384"
_MAX_BYTES = 64 * 1024
_NEW = "Make a new one: adapter check --new-key"


class SigningKey:
    """One private key. ``key_id`` is what the EHR finds its public half by; when not configured, its thumbprint."""

    def __init__(self, key: RSAKey | ECKey, key_id: str | None) -> None:
        self._key = key
        self.algorithm: Algorithm = "RS384" if isinstance(key, RSAKey) else "ES384"
        self.key_id = key_id or key.thumbprint()  # RFC 7638

    def __repr__(self) -> str:
        return f"SigningKey({self.algorithm}, **********)"

    def sign(self, claims: dict[str, Any]) -> str:
        """These claims as a signed JWT."""
        header = {"alg": self.algorithm, "kid": self.key_id, "typ": "JWT"}
        return jwt.encode(header, claims, self._key, algorithms=[self.algorithm])

    def jwks(self) -> dict[str, Any]:
        """The public half as a JWK Set: what is registered at the EHR."""
        public = self._key.as_dict(private=False)
        return {"keys": [{**public, "kid": self.key_id, "alg": self.algorithm, "use": "sig", "key_ops": ["verify"]}]}


def read_key(path: Path, *, key_id: str | None = None, algorithm: Algorithm | None = None) -> SigningKey:
    """The key in a file. Raises ConfigError when it cannot be used, or is not one for ``algorithm``."""
    try:
        mode, data = path.stat().st_mode, _read(path)
    except FileNotFoundError:
        raise _fault(path, "does not exist.", f"{_NEW}.") from None
    except OSError as error:
        raise _fault(path, f"cannot be read ({error.strerror}).", "Check the path and its permissions.") from None
    if stat.S_IMODE(mode) & stat.S_IRWXO:
        remedy = f"Run chmod 600 on it. If somebody may have read it, name another file. {_NEW}."
        raise _fault(path, "can be read by everybody on this machine.", remedy)
    found = SigningKey(_imported(path, data), key_id)
    if algorithm not in (None, found.algorithm):
        raise _fault(path, f"is a key for {found.algorithm}, not {algorithm}.", "Correct algorithm, or make a new key.")
    return found


def make_key(path: Path, *, key_id: str | None = None, algorithm: Algorithm = "ES384") -> SigningKey:
    """A new key in a new file of mode 0600. Raises ConfigError when there is a file already, or none can be written."""
    key = RSAKey.generate_key(_BITS) if algorithm == "RS384" else ECKey.generate_key(_CURVE)
    try:
        written = _write(path, key.as_pem(private=True))
    except OSError as error:
        raise _fault(path, f"cannot be written ({error.strerror}).", "Check the folder and its permissions.") from None
    if not written:
        raise _fault(path, "exists already and was left as it is.", "Name another file, or use --jwks.")
    return SigningKey(key, key_id)


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_MAX_BYTES)


def _write(path: Path, pem: bytes) -> bool:
    """Writes the whole file under another name, then links it into place: nobody sees half a key, none is replaced.

    False when there was one already.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(pem)
            file.flush()
            os.fsync(file.fileno())
        path.hardlink_to(draft)
        return True
    except FileExistsError:
        return False
    finally:
        draft.unlink()


def _imported(path: Path, data: bytes) -> RSAKey | ECKey:
    wanted = f"A private key is needed: PEM or JWK; RSA of {_FEWEST_BITS} bits or more, or EC {_CURVE}. {_NEW}."
    for kind in (RSAKey, ECKey):
        try:
            key = kind.import_key(json.loads(data) if data.lstrip().startswith(b"{") else data)
        except TypeError:
            raise _fault(path, "is protected by a password, or is no key.", wanted) from None
        except (JoseError, ValueError, KeyError, RecursionError):
            continue  # of the other kind, or none at all
        if not key.is_private:
            raise _fault(path, "is a public key.", wanted)
        if isinstance(key, RSAKey) and key.raw_value.key_size < _FEWEST_BITS:
            raise _fault(path, "is an RSA key that is too short.", wanted)
        if isinstance(key, ECKey) and key.curve_name != _CURVE:
            raise _fault(path, "is a key of another curve.", wanted)
        return key
    raise _fault(path, "is not a key that can be used.", wanted)


def _fault(path: Path, problem: str, remedy: str) -> ConfigError:
    return ConfigError([Fault(file=str(path), key="private key", problem=problem, remedy=remedy)])
