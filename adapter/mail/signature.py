"""DKIM (RFC 6376): each practice's mail signed with its own domain's key; RSA, which every receiver checks."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import dkim
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from adapter.errors import ConfigError, FatalError, Fault

# What a receiver shows or threads by. From, To and Subject are listed twice: nobody can add another one.
_HEADERS = (
    *("From", "From", "To", "To", "Subject", "Subject", "Date", "Message-ID"),
    *("MIME-Version", "Content-Type", "Content-Language", "Auto-Submitted"),
)
_FEWEST_BITS = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class DkimKey:
    """A domain's private key, and the selector under which its public half stands in the DNS."""

    domain: str
    selector: str
    pem: bytes

    def __repr__(self) -> str:
        return f"DkimKey({self.selector}._domainkey.{self.domain})"


class Signer:
    """Signs messages by their sender's address; those of other senders go as they are."""

    def __init__(self, keys: Mapping[str, DkimKey]) -> None:
        """``keys`` are by the address in From, in small letters."""
        self._keys = dict(keys)

    def __call__(self, content: bytes, sender: str) -> bytes:
        """The message with its signature in front. Raises FatalError when it cannot be signed: then none may leave."""
        key = self._keys.get(sender.lower())
        if key is None:
            return content
        try:
            header = dkim.sign(
                content,
                key.selector.encode(),
                key.domain.encode(),
                key.pem,
                canonicalize=(b"relaxed", b"relaxed"),
                include_headers=[name.lower().encode() for name in _HEADERS],
            )
        except dkim.DKIMException as error:
            raise FatalError(
                f"The mail cannot be signed ({type(error).__name__}). Check [practice.mail.dkim]."
            ) from None
        return bytes(header) + content


def read_dkim_key(path: Path, *, domain: str, selector: str) -> DkimKey:
    """An RSA private key in PEM. Raises ConfigError when there is none in the file, or one that receivers refuse."""
    problem = ""
    try:
        pem = path.read_bytes()
        key = load_pem_private_key(pem, password=None)
        if not isinstance(key, RSAPrivateKey):
            problem = "holds no RSA key."
        elif key.key_size < _FEWEST_BITS:
            problem = f"holds a key of {key.key_size} bits, which receivers refuse."
    except OSError as error:
        problem = f"cannot be read ({error.strerror})."
    except (ValueError, TypeError):
        problem = "holds no private key in PEM without a password."
    if problem:
        remedy = f"Make one: openssl genrsa -out {path.name} 2048"
        raise ConfigError([Fault(file=str(path), key="dkim", problem=problem, remedy=remedy)])
    return DkimKey(domain=domain, selector=selector, pem=pem)
