"""What the tests of signing in share: keys, a clock that the test moves, an authorization for the token server."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from joserfc.jwk import ECKey, RSAKey

from adapter.ehr.fhir import FhirReader
from adapter.ehr.fhir.auth.oauth import oauth
from adapter.ehr.fhir.auth.token import TokenAuthorization
from adapter.errors import SourceError
from adapter.http.keys import SigningKey
from adapter.http.smart import Assertion
from tests.edges.ehr.auth.token_server import CLIENT, SECRET, TokenServer

KEY = SigningKey(ECKey.generate_key("P-384"), "key-1")
RSA = SigningKey(RSAKey.generate_key(2048), "key-1")
CANARIES = ("canary-token", "canary-words", SECRET, "eyJ")


class Clock:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.at = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.at

    def forward(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


def no_sleep(seconds: float) -> None:
    """Nobody waits in a test."""


def smart(server: TokenServer, clock: Clock, *, key: SigningKey = KEY, **more: Any) -> TokenAuthorization:
    login = Assertion(client_id=CLIENT, key=key, clock=clock)
    return oauth(server.base_url, login, sleep=no_sleep, clock=clock, **{"timeout_seconds": 5} | more)


def reader(server: TokenServer, authorization: TokenAuthorization) -> FhirReader:
    return FhirReader(server.base_url, authorization=authorization, concurrency=8, sleep=no_sleep)


def refusal(authorization: TokenAuthorization) -> str:
    """The sentence with which no token is had; it must give nothing away."""
    with pytest.raises(SourceError) as caught:
        authorization.header()
    text = str(caught.value)
    assert "\n" not in text and not [canary for canary in CANARIES if canary in text]
    return text
