"""A token endpoint that grants nothing, too little or nonsense: one sentence with the way out, and nothing is read."""

from collections.abc import Callable

import pytest
from pydantic import SecretStr

from adapter.ehr.fhir.auth.oauth import oauth
from adapter.errors import SourceError
from adapter.http.client_secret import ClientSecret
from tests.edges.ehr.auth import token_server
from tests.edges.ehr.auth.signing_in import Clock, no_sleep, reader, refusal, smart
from tests.edges.ehr.auth.token_server import CLIENT, READ, SECRET, Reply, TokenServer

REFUSALS: dict[str, tuple[Callable[[Reply], None], str]] = {
    "the client is not known": (token_server.status(400, "invalid_client"), "400 (invalid_client). The EHR does not"),
    "the client is not known, as 401": (token_server.status(401, "invalid_client"), "401 (invalid_client). The EHR"),
    "the scopes are not allowed": (token_server.status(400, "invalid_scope"), "have them granted in the EHR"),
    "an error nobody has heard of": (token_server.status(400, "canary-words"), "answered 400. Check token_url"),
    "an error without a word": (token_server.status(403), "answered 403. Check token_url"),
    "a login page": (token_server.body(b"<html>canary-words"), "something else than JSON. Check token_url."),
    "a list": (token_server.body(b"[]", "application/json"), "something else than JSON"),
    "a giant": (token_server.body(b'{"a": "' + b"x" * 400_000 + b'"}', "application/json"), "something else than JSON"),
    "no token": (token_server.says(access_token=None), "without a usable access_token"),
    "a token with a line break": (token_server.says(access_token="canary-token\r\nX: y"), "a usable access_token"),
    "a token that is a number": (token_server.says(access_token=7), "without a usable access_token"),
    "a token that is empty": (token_server.says(access_token=""), "without a usable access_token"),
    "no type": (token_server.says(token_type=None), "not a bearer token"),
    "a type nobody can use": (token_server.says(token_type="mac"), "not a bearer token"),
    "a scope that is no text": (token_server.says(scope=["system/*.rs"]), "a scope that is not text"),
    "a redirect": (
        token_server.status(307, Location="https://thief.example/token"),
        "a redirect, which is not followed",
    ),
    "down for good": (token_server.status(500), "answered 500, 4 times in a row"),
    "too busy": (token_server.status(429, Retry_After="1"), "answered 429, 4 times in a row"),
    "one scope less": (token_server.says(scope="system/Patient.rs"), "does not allow system/RelatedPerson.rs (granted"),
    "no scope at all": (token_server.says(scope=""), "system/Patient.rs and system/RelatedPerson.rs (granted: none)"),
    "scopes of another kind": (token_server.says(scope="openid profile"), "does not allow system/Patient.rs"),
    "only one patient": (token_server.says(scope="patient/*.rs"), "does not allow system/Patient.rs"),
    "only some patients": (
        token_server.says(scope="system/Patient.rs?gender=female system/RelatedPerson.rs"),
        "does not allow system/Patient.rs (granted",
    ),
    "no search": (token_server.says(scope="system/*.r"), "does not allow system/Patient.rs"),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_a_refusal_is_one_sentence_and_nothing_is_read(server: TokenServer, clock: Clock, name: str) -> None:
    fault, says = REFUSALS[name]
    server.always = fault
    authorization = smart(server, clock)
    assert says in refusal(authorization)
    with pytest.raises(SourceError):
        reader(server, authorization).read_one("Patient/p1")
    assert server.reads == []
    assert "canary" not in repr(authorization.check())


def test_an_endpoint_that_is_down_for_a_moment_is_asked_again_with_another_assertion(
    server: TokenServer, clock: Clock
) -> None:
    server.faults = [token_server.status(500), token_server.status(503)]
    assert smart(server, clock).header()
    assert len({claims["jti"] for claims in server.claims}) == 3


def test_an_endpoint_that_never_answers_is_given_up(server: TokenServer, clock: Clock) -> None:
    server.always = token_server.slow(1)
    text = refusal(smart(server, clock, timeout_seconds=0.05, token_url=server.token_url, scopes=(READ,)))
    assert "no answer within 0.05 s, 4 times in a row, so nothing was read" in text


def test_a_wrong_clock_is_named_as_the_likely_cause(server: TokenServer, clock: Clock) -> None:
    clock.forward(1200)
    server.now = lambda: clock().timestamp() - 1200
    assert " s ahead of the EHR's: set it right first." in refusal(smart(server, clock))


@pytest.mark.parametrize(
    "granted",
    [
        "system/*.*",
        "system/*.read",
        "system/*.rs",
        "system/Patient.read system/RelatedPerson.cruds",
        None,
        "user/Patient.r user/Patient.s system/RelatedPerson.* launch",
    ],
)
def test_scopes_of_both_versions_are_understood(server: TokenServer, clock: Clock, granted: str | None) -> None:
    server.scope = granted
    authorization = smart(server, clock)
    assert authorization.header()
    assert all(check.ok for check in authorization.check())


def test_a_restriction_that_the_practice_asked_for_is_enough(server: TokenServer, clock: Clock) -> None:
    asked = ("system/Patient.rs?organization=7", "system/RelatedPerson.rs")
    server.scope = " ".join(asked)
    assert smart(server, clock, scopes=asked).header()
    assert server.posts[0]["scope"] == " ".join(asked)


def test_a_server_with_scopes_of_its_own_is_not_measured_by_smart(clock: Clock) -> None:
    with TokenServer() as server:
        server.scope = "fhir-api"
        login = ClientSecret(client_id=CLIENT, secret=SecretStr(SECRET))
        authorization = oauth(server.base_url, login, scopes=("fhir-api",), sleep=no_sleep, clock=clock)
        assert authorization.header()
        assert "the EHR's own" in authorization.check()[1].detail
