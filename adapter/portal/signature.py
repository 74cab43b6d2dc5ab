"""Requests signed with a shared secret: HTTP Message Signatures (RFC 9421, hmac-sha256) over address, state and body.

``created`` and ``nonce`` make each signature one of its own: a portal takes none that is older than five minutes, and
none twice. docs/portal-contract.md has an example to check one's own code by.
"""

import secrets
from collections.abc import Callable
from datetime import datetime

import requests
from http_message_signatures import HTTPMessageSigner, MappingKeyResolver
from http_message_signatures.algorithms import HMAC_SHA256
from pydantic import SecretStr

TAG = "fhir-portal-adapter"
LABEL = "adapter"
ALWAYS = ("@method", "@authority", "@path", "@query")
WHEN_SENT = ("if-match", "if-none-match", "idempotency-key", "content-type")
"""Headers that are signed wherever they are sent; a body is signed by its Content-Digest (RFC 9530)."""


class Seal:
    """Signs one prepared request after the other; may be used by several threads at once."""

    def __init__(
        self,
        *,
        key_id: str,
        secret: SecretStr,
        clock: Callable[[], datetime],
        nonce: Callable[[], str] = lambda: secrets.token_urlsafe(18),
    ) -> None:
        self._key_id = key_id
        self._clock = clock
        self._nonce = nonce
        keys = MappingKeyResolver(public_keys={}, private_keys={key_id: secret.get_secret_value().encode()})
        self._signer = HTTPMessageSigner(signature_algorithm=HMAC_SHA256, key_resolver=keys)

    def __repr__(self) -> str:
        return "Seal(**********)"

    def __call__(self, request: requests.PreparedRequest) -> None:
        """Sets Content-Digest, Signature-Input and Signature."""
        body = request.body.encode() if isinstance(request.body, str) else request.body
        self._signer.sign(
            request,
            key_id=self._key_id,
            created=self._clock(),
            nonce=self._nonce(),
            label=LABEL,
            tag=TAG,
            covered_component_ids=(*ALWAYS, *(name for name in WHEN_SENT if name in request.headers)),
            body=body if isinstance(body, bytes) else None,
        )

    def repeating(self) -> "Seal":
        """The same, with one nonce for all: to find out whether a portal notices."""
        again, nonce = object.__new__(Seal), self._nonce()
        again.__dict__.update(self.__dict__, _nonce=lambda: nonce)
        return again
