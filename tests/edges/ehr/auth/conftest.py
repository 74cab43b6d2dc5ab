"""A clock that the test moves, and an EHR that gives out tokens by it."""

from collections.abc import Iterator

import pytest

from tests.edges.ehr.auth.signing_in import KEY, Clock
from tests.edges.ehr.auth.token_server import TokenServer


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def server(clock: Clock) -> Iterator[TokenServer]:
    with TokenServer(KEY.jwks(), now=lambda: clock().timestamp()) as running:
        yield running
