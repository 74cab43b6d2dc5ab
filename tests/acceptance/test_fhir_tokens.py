"""A token for a signed assertion: what is asked, what is granted, and everything that buys nothing."""

import threading
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import orjson
import pytest
import requests
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from adapter.store import vendor_tokens
from adapter.store.engine import read
from tests.acceptance.adapter_cli import Adapter
from tests.acceptance.vendor import Vendor, jwks, vendor_of


@pytest.mark.parametrize("algorithm", ["RS384", "ES384"])
def test_a_signed_assertion_buys_a_token_for_five_minutes(vendor: Vendor, algorithm: str) -> None:
    answer = vendor.ask_token(assertion=vendor.assertion(algorithm))
    token = answer.json().pop("access_token")
    assert answer.json() | {"access_token": ""} == {
        "access_token": "",
        "token_type": "bearer",
        "expires_in": 300,
        "scope": "system/*.rs",
    }
    assert (answer.headers["Cache-Control"], answer.headers["Pragma"]) == ("no-store", "no-cache")
    vendor.session.headers["Authorization"] = f"Bearer {token}"
    assert vendor.get("Person").status_code == 200


def test_the_token_is_kept_as_a_hash_and_dies(vendor: Vendor) -> None:
    token = vendor.sign_in()
    assert token.encode() not in (vendor.folder / "var/adapter.db").read_bytes()
    assert token.encode() not in (vendor.folder / "var/adapter.db-wal").read_bytes()
    now = datetime.now(UTC)
    with read(vendor.app.engine) as connection:
        assert vendor_tokens.find(connection, token, now=now + timedelta(minutes=4))
        assert not vendor_tokens.find(connection, token, now=now + timedelta(minutes=5, seconds=1))


def test_an_assertion_is_good_for_one_token(vendor: Vendor) -> None:
    assertion = vendor.assertion()
    assert vendor.ask_token(assertion=assertion).status_code == 200
    again = vendor.ask_token(assertion=assertion)
    assert (again.status_code, again.json()["error"]) == (401, "invalid_client")


def test_of_many_that_use_it_at_once_one_gets_a_token(vendor: Vendor) -> None:
    assertion, answers = vendor.assertion(), []
    threads = [
        threading.Thread(target=lambda: answers.append(vendor.ask_token(assertion=assertion).status_code))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [200, *[401] * 7]


@pytest.mark.parametrize(
    "changed",
    [
        {"exp": None},
        {"exp": "soon"},
        {"exp": 1},
        {"exp": 10**20},
        {"exp": "+400"},
        {"nbf": "+120"},
        {"iat": "+120"},
        {"jti": None},
        {"jti": ""},
        {"aud": None},
        {"aud": "https://elsewhere.example/oauth2/token"},
        {"aud": ["https://elsewhere.example/oauth2/token"]},
        {"sub": "somebody-else"},
        {"sub": None},
        {"iss": "somebody-else", "sub": "somebody-else"},
        {"iss": None},
    ],
    ids=str,
)
def test_an_assertion_with_a_wrong_claim_buys_nothing(vendor: Vendor, changed: dict[str, Any]) -> None:
    answer = vendor.ask_token(assertion=vendor.assertion(**changed))
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")


def test_an_assertion_with_another_key_or_none_buys_nothing(vendor: Vendor) -> None:
    other = ec.generate_private_key(ec.SECP384R1())
    wrong = rsa.generate_private_key(65537, 2048)
    good = vendor.assertion()
    for assertion in (
        vendor.assertion(key=other),
        vendor.assertion("RS384", key=wrong),
        vendor.assertion("RS384", headers={"kid": "ES384"}),
        vendor.assertion(headers={"kid": "unknown"}),
        vendor.assertion(jti="x" * 1001),
        vendor.assertion("HS256", key="x" * 64, headers={"kid": "ES384"}),
        vendor.assertion("none", key="", headers={"kid": "ES384"}),
        good[:-4] + "AAAA",
        good.replace(".", ".e30", 1),
        "no.jwt.at-all",
        "x" * 10_000,
    ):
        answer = vendor.ask_token(assertion=assertion)
        assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client"), answer.text


@pytest.mark.parametrize(
    ("changed", "status", "error"),
    [
        ({"grant_type": None}, 400, "invalid_request"),
        ({"grant_type": "password"}, 400, "unsupported_grant_type"),
        ({"client_assertion_type": "jwt"}, 401, "invalid_client"),
        ({"client_assertion": "none"}, 401, "invalid_client"),
        ({"client_id": "somebody-else"}, 401, "invalid_client"),
        ({"scope": None}, 400, "invalid_request"),
        ({"scope": "system/Patient.rs user/Person.rs openid"}, 400, "invalid_scope"),
        ({"scope": "system/Person.rs?_id=1"}, 400, "invalid_scope"),
        ({"scope": ["system/Person.rs", "system/Person.rs"]}, 400, "invalid_request"),
    ],
    ids=str,
)
def test_errors_are_those_of_oauth(vendor: Vendor, changed: dict[str, Any], status: int, error: str) -> None:
    answer = vendor.ask_token(**changed)
    assert (answer.status_code, answer.json()["error"]) == (status, error)


def test_a_token_request_in_json_is_refused(vendor: Vendor) -> None:
    answer = requests.post(f"{vendor.address}/oauth2/token", json={"grant_type": "client_credentials"}, timeout=10)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


@pytest.mark.parametrize(
    ("asked", "granted"),
    [
        ("system/Person.read", "system/Person.read"),
        ("system/Person.rs", "system/Person.rs"),
        ("system/Person.r", "system/Person.r"),
        ("system/Person.cruds", "system/Person.rs"),
        ("system/Person.*", "system/Person.rs"),
        ("system/*.read", "system/Consent.s system/Person.rs"),
        ("system/Consent.rs system/Person.s", "system/Consent.s system/Person.s"),
        ("system/Task.rs system/Consent.s", "system/Consent.s"),
    ],
)
def test_what_is_granted_is_what_was_registered(site: Adapter, asked: str, granted: str) -> None:
    with vendor_of(site, scopes=("system/Person.read", "system/Consent.s")) as vendor:
        assert vendor.ask_token(asked).json()["scope"] == granted


def test_keys_that_are_published_are_fetched_and_changed_ones_are_found(site: Adapter) -> None:
    served: dict[str, Any] = {"keys": []}
    asked: list[str] = []

    class Keys(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            body = orjson.dumps(served)
            self.send_response(302 if served.get("moved") else 200)
            self.send_header("Location", "/elsewhere")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Quiet."""

    server = HTTPServer(("127.0.0.1", 0), Keys)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    url = f"jwks_url = 'http://127.0.0.1:{server.server_port}/jwks'"
    try:
        served["moved"] = True
        with vendor_of(site, keys_at=url) as vendor:
            assert vendor.ask_token().json()["error"] == "invalid_client"
            assert asked == ["/jwks"], "a redirect is not followed"
        served = jwks()
        with vendor_of(site, keys_at=url) as vendor:
            jku = f"http://127.0.0.1:{server.server_port}/mine"
            assert vendor.ask_token(assertion=vendor.assertion(headers={"jku": jku})).status_code == 200
            assert vendor.ask_token().status_code == 200
            assert asked == ["/jwks", "/jwks"], "kept for a while, and never asked where the assertion says"
    finally:
        server.shutdown()
        server.server_close()
