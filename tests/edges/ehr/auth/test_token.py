"""Access tokens from a real token endpoint: granted, renewed in time and once, never shown."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from joserfc.jwk import ECKey
from pydantic import SecretStr

from adapter.ehr.fhir.auth.oauth import oauth
from adapter.errors import SourceError
from adapter.http.client_secret import ClientSecret
from adapter.http.keys import SigningKey
from adapter.http.smart import Assertion
from tests.edges.ehr.auth import token_server
from tests.edges.ehr.auth.signing_in import KEY, RSA, Clock, no_sleep, reader, refusal, smart
from tests.edges.ehr.auth.token_server import CLIENT, READ, SECRET, TokenServer


@pytest.mark.parametrize("key", [KEY, RSA], ids=["ES384", "RS384"])
def test_an_assertion_is_signed_for_this_endpoint_for_five_minutes_and_once(clock: Clock, key: SigningKey) -> None:
    with TokenServer(key.jwks(), now=lambda: clock().timestamp()) as server:
        authorization = smart(server, clock, key=key)
        for _ in range(5):
            assert authorization.header().removeprefix("Bearer ") in server.granted
            clock.forward(400)
        assert server.jose_headers[0] == {"alg": key.algorithm, "kid": "key-1", "typ": "JWT"}
        claims = server.claims[0]
        assert claims.keys() == {"iss", "sub", "aud", "exp", "jti"}
        assert claims["aud"] == server.token_url
        assert len({claims["jti"] for claims in server.claims}) == len(server.posts) == 5
        assert server.posts[0]["scope"] == READ


def test_an_assertion_by_another_key_gets_nowhere(server: TokenServer, clock: Clock) -> None:
    stranger = SigningKey(ECKey.generate_key("P-384"), "key-1")
    assert "(invalid_client). The EHR does not know this client" in refusal(smart(server, clock, key=stranger))


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
def test_a_client_secret_travels_in_the_header_or_in_the_form(clock: Clock, method: Any) -> None:
    with TokenServer() as server:
        login = ClientSecret(client_id=CLIENT, secret=SecretStr(SECRET), method=method)
        authorization = oauth(server.base_url, login, sleep=no_sleep, clock=clock)
        assert authorization.header().removeprefix("Bearer ") in server.granted
        assert ("client_secret" in server.posts[0]) == (method == "client_secret_post")
        assert (server.headers[0] is None) == (method == "client_secret_post")


def test_a_token_is_used_until_shortly_before_its_end(server: TokenServer, clock: Clock) -> None:
    authorization = smart(server, clock)
    first = authorization.header()
    clock.forward(235)
    assert authorization.header() == first
    clock.forward(10)
    assert authorization.header() != first
    assert len(server.posts) == 2


@pytest.mark.parametrize(
    ("expires_in", "still", "over"),
    [
        (None, 235, 245),
        ("3600", 3535, 3545),
        ("soon", 235, 245),
        (True, 235, 245),
        ([], 235, 245),
        (0, 20, 25),
        (-5, 20, 25),
        (1e300, 3535, 3545),
        (10**15, 3535, 3545),
        ("9" * 4000, 3535, 3545),
    ],
    ids=repr,
)
def test_a_senseless_lifetime_is_taken_for_a_sensible_one(
    server: TokenServer, clock: Clock, expires_in: Any, still: int, over: int
) -> None:
    server.always = token_server.says(expires_in=expires_in)
    authorization = smart(server, clock)
    first = authorization.header()
    clock.forward(still)
    assert authorization.header() == first
    clock.forward(over - still)
    assert authorization.header() != first


def test_eight_threads_get_one_token_between_them(server: TokenServer, clock: Clock) -> None:
    server.always = token_server.slow(0.2)
    authorization = smart(server, clock)
    start = threading.Barrier(8)

    def ask(_: int) -> str:
        start.wait()
        return authorization.header()

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(ask, range(8)))) == 1
    assert len(server.posts) == 1


def test_eight_threads_that_are_refused_together_renew_once(server: TokenServer, clock: Clock) -> None:
    authorization = smart(server, clock)
    old = authorization.header()
    server.granted.clear()
    ehr = reader(server, authorization)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda number: ehr.read_one(f"Patient/p{number}"), range(8)))
    assert all(found)
    assert len(server.posts) == 2
    assert server.reads.count(old) <= 8
    assert len(server.reads) <= 16


def test_after_one_renewal_a_401_is_the_answer(server: TokenServer, clock: Clock) -> None:
    authorization = smart(server, clock)
    authorization.header()
    forgetful = token_server.says(access_token="canary-token-nobody-knows")
    server.granted.clear()
    server.always = forgetful
    with pytest.raises(SourceError, match="answered 401"):
        reader(server, authorization).read_one("Patient/p1")
    assert len(server.reads) == 2
    assert len(server.posts) == 2


def test_threads_that_wait_for_a_refusal_do_not_ask_for_it_again(server: TokenServer, clock: Clock) -> None:
    server.always = token_server.status(400, "invalid_client")
    authorization = smart(server, clock)
    with ThreadPoolExecutor(8) as pool:
        texts = set(pool.map(lambda _: refusal(authorization), range(8)))
    assert len(texts) == 1
    assert len(server.posts) == 1
    server.always = None
    clock.forward(11)
    assert authorization.header()


def test_nothing_that_is_shown_of_them_holds_a_secret(server: TokenServer, clock: Clock) -> None:
    authorization = smart(server, clock)
    header = authorization.header()
    secret = ClientSecret(client_id=CLIENT, secret=SecretStr(SECRET))
    shown = repr([authorization, vars(authorization), KEY, Assertion(client_id=CLIENT, key=KEY, clock=clock)])
    shown += repr([secret, secret("https://x.example"), authorization.check()])
    assert header.removeprefix("Bearer ") not in shown
    assert SECRET not in shown and "canary-token" not in shown


def test_the_token_goes_to_reads_and_the_assertion_to_the_endpoint_alone(server: TokenServer, clock: Clock) -> None:
    authorization = smart(server, clock)
    reader(server, authorization).read_one("Patient/p1")
    assert server.headers == [None]
    assert {header for path, header in server.gets if "well-known" in path} == {None}
    assert server.reads == [authorization.header()]
