"""Signing in to a portal: a token that is renewed in time and on refusal, a secret that goes to one place only."""

import ssl
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from pydantic import SecretStr

from adapter.bootstrap.portal import make_portal
from adapter.errors import FatalError, RetriableError
from adapter.http.keys import make_key
from adapter.portal import Portal
from adapter.portal.sign_in import FixedToken
from adapter.sandbox.portal import SandboxPortal
from adapter.settings import ScimPortal
from tests.edges.ehr.auth import token_server
from tests.edges.ehr.auth.token_server import CLIENT, SECRET, TokenServer
from tests.edges.portal.test_scim import ANA, connect


class Clock:
    at = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.at


@pytest.fixture
def tokens() -> Iterator[TokenServer]:
    with TokenServer() as running:
        running.scope = None
        yield running


@pytest.fixture
def server(tokens: TokenServer) -> Iterator[SandboxPortal]:
    """A portal that takes the tokens in force at the token server, and no others."""
    with SandboxPortal() as running:
        running.app.bearer_tokens = tokens.granted
        tokens.granted.add("somebody else's")
        yield running


@pytest.fixture
def portal(server: SandboxPortal, tokens: TokenServer, monkeypatch: pytest.MonkeyPatch, clock: Clock) -> Portal:
    monkeypatch.setenv("PORTAL_SECRET", SECRET)
    settings = ScimPortal.model_validate(
        {
            "kind": "scim",
            "base_url": server.base_url,
            "auth": "client_secret",
            "client_id": CLIENT,
            "client_secret_env": "PORTAL_SECRET",
            "token_url": f"{tokens.origin}/token",
            "scopes": ["accounts"],
        }
    )
    return make_portal(settings, practice="main-street", own=lambda: _nowhere(), clock=clock)


@pytest.fixture
def clock() -> Clock:
    return Clock()


def _nowhere() -> Any:
    raise AssertionError("a SCIM portal keeps nothing here")


def test_a_token_is_asked_for_once_and_renewed_before_it_ends(
    portal: Portal, tokens: TokenServer, clock: Clock
) -> None:
    portal.check()
    portal.put_accounts([ANA], new={"a1"})
    assert len(tokens.posts) == 1
    assert tokens.posts[0]["grant_type"] == "client_credentials"
    clock.at += timedelta(seconds=241)
    portal.check()
    assert len(tokens.posts) == 2


def test_a_token_that_is_refused_is_renewed_once(portal: Portal, tokens: TokenServer) -> None:
    portal.check()
    tokens.granted.clear()
    tokens.granted.add("somebody else's")
    assert portal.put_accounts([ANA], new={"a1"}) == {}
    assert len(tokens.posts) == 2


def test_a_signed_assertion_is_taken_instead_of_a_secret(
    server: SandboxPortal, tokens: TokenServer, tmp_path: Path, clock: Clock
) -> None:
    tokens.jwks = make_key(tmp_path / "portal.key", algorithm="ES384").jwks()
    tokens.now = lambda: clock().timestamp()
    settings = ScimPortal.model_validate(
        {
            "kind": "scim",
            "base_url": server.base_url,
            "auth": "smart",
            "client_id": CLIENT,
            "private_key_file": tmp_path / "portal.key",
            "token_url": f"{tokens.origin}/token",
            "scopes": ["system/Person.cruds"],
        }
    )
    portal = make_portal(settings, practice="main-street", own=lambda: _nowhere(), clock=clock)
    assert portal.put_accounts([ANA], new={"a1"}) == {}
    (asked,) = tokens.posts
    assert asked["client_assertion_type"] == "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    assert (asked["client_assertion"].count("."), asked["scope"]) == (2, "system/Person.cruds")
    assert "client_secret" not in asked


def test_a_wrong_secret_is_told_without_it(portal: Portal, tokens: TokenServer) -> None:
    tokens.always = token_server.status(401, "invalid_client")
    for _ in range(2):
        with pytest.raises(RetriableError, match="The portal does not know this client") as error:
            portal.check()
        assert SECRET not in str(error.value)
    assert len(tokens.posts) == 1  # every account would ask again


def test_a_certificate_nobody_trusts_is_told(tmp_path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    made = made.serial_number(1).not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
    plain = serialization.NoEncryption()
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    signed = made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    (tmp_path / "both.pem").write_bytes(pem + signed)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "both.pem")
    with HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.handle_request, daemon=True).start()
        portal = connect(f"https://127.0.0.1:{server.server_port}/v2", FixedToken(SecretStr("canary")))
        with pytest.raises(FatalError, match="certificate is not accepted") as error:
            portal.check()
    assert "canary" not in str(error.value)
