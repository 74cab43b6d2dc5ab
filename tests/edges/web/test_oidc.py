"""Signing in by OpenID Connect: a proven identity with a role gets in, and nothing less does."""

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from adapter.core.staff import StaffRole
from adapter.jobs.people import add
from tests.edges.web.desk import HERE, Desk, Visitor, serving
from tests.edges.web.door import NOW
from tests.edges.web.oidc_provider import CLIENT, SECRET, OidcProvider

SUBJECT = "248289761001"


@pytest.fixture
def provider() -> Iterator[OidcProvider]:
    with OidcProvider(NOW.timestamp()) as running:
        yield running


@pytest.fixture
def desk(tmp_path: Path, provider: OidcProvider, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    monkeypatch.setenv("OIDC_SECRET", SECRET)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    web = (
        f"port = {port}\npublic_url = 'http://127.0.0.1:{port}'\n[web.oidc]\nissuer = '{provider.issuer}'\n"
        f"client_id = '{CLIENT}'\nclient_secret_env = 'OIDC_SECRET'\nname = 'Example Health'"
    )
    with serving(tmp_path, web) as found:
        add(found.app.engine, found.app.key, "carol", {HERE: StaffRole.VIEWER}, subject=SUBJECT, actor="t", now=NOW)
        yield found


def _round(visitor: Visitor, next_: str = "/") -> requests.Response:
    """To the provider and back, as a browser goes."""
    away = visitor.ask("GET", f"/sign-in/oidc?next={next_}").headers["Location"]
    back = requests.get(away, allow_redirects=False, timeout=10).headers["Location"]
    return visitor.get(back, allow_redirects=False, timeout=10)


def test_whom_the_provider_knows_and_the_practice_too_gets_in(desk: Desk, provider: OidcProvider) -> None:
    visitor = desk.nobody()
    assert "Example Health" in visitor.ask("GET", "/sign-in").text
    answer = _round(visitor, "/p/main-street/today")
    assert answer.status_code == 200 and 'content="0;url=/p/main-street/today"' in answer.text
    cookies = {cookie.split("=")[0]: cookie for cookie in answer.headers["Set-Cookie"].split(", adapter")}
    assert any("SameSite=strict" in cookie for cookie in cookies.values())
    assert "carol" in visitor.ask("GET", "/p/main-street/today").text
    asked = provider.asked[0]
    assert (asked["scope"], asked["code_challenge_method"], asked["response_type"]) == ("openid", "S256", "code")
    assert len({asked["state"], asked["nonce"], asked["code_challenge"]}) == 3


def test_whom_only_the_provider_knows_is_told_how_to_be_added(desk: Desk, provider: OidcProvider) -> None:
    provider.subject = "stranger-1"
    answer = _round(desk.nobody())
    assert answer.status_code == 403 and "people add NAME --subject stranger-1" in answer.text


@pytest.mark.parametrize(
    "claims",
    [
        {"nonce": "another"},
        {"aud": "another"},
        {"aud": [CLIENT, "another"], "azp": "another"},
        {"iss": "https://evil.example"},
        {"exp": int(NOW.timestamp()) - 120},
        {"iat": int(NOW.timestamp()) + 3600},
        {"exp": "soon"},
        {"sub": ""},
        {"sub": None},
    ],
    ids=str,
)
def test_a_token_that_is_not_for_this_sign_in_lets_nobody_in(
    desk: Desk, provider: OidcProvider, claims: dict[str, Any]
) -> None:
    provider.claims = claims
    visitor = desk.nobody()
    assert _round(visitor).status_code == 403
    assert visitor.ask("GET", "/").status_code == 303


@pytest.mark.parametrize("way", ["another key", "no signature", "hmac with the public key", "other issuer"])
def test_a_token_that_is_not_proven_lets_nobody_in(desk: Desk, provider: OidcProvider, way: str) -> None:
    provider.way = way
    visitor = desk.nobody()
    if way == "other issuer":
        assert visitor.ask("GET", "/sign-in/oidc").status_code == 403
    else:
        assert _round(visitor).status_code == 403
    assert visitor.ask("GET", "/").status_code == 303


def test_an_answer_that_somebody_else_began_is_refused(desk: Desk) -> None:
    attacker, victim = desk.nobody(), desk.nobody()
    away = attacker.ask("GET", "/sign-in/oidc").headers["Location"]
    back = requests.get(away, allow_redirects=False, timeout=10).headers["Location"]
    assert victim.get(back, allow_redirects=False, timeout=10).status_code == 403
    victim.ask("GET", "/sign-in/oidc")
    assert victim.get(back, allow_redirects=False, timeout=10).status_code == 403


def test_a_code_lets_in_once(desk: Desk) -> None:
    visitor = desk.nobody()
    away = visitor.ask("GET", "/sign-in/oidc").headers["Location"]
    back = requests.get(away, allow_redirects=False, timeout=10).headers["Location"]
    cookies = dict(visitor.cookies)
    assert visitor.get(back, allow_redirects=False, timeout=10).status_code == 200
    again = desk.nobody()
    again.cookies.update(cookies)
    assert again.get(back, allow_redirects=False, timeout=10).status_code == 403


def test_a_sign_in_leads_nowhere_else_and_its_cookie_cannot_be_made_up(desk: Desk) -> None:
    assert 'content="0;url=/"' in _round(desk.nobody(), "https://evil.example").text
    visitor = desk.nobody()
    name = "adapter_oidc"
    visitor.ask("GET", "/sign-in/oidc")
    sealed = visitor.cookies[name]
    visitor.cookies.set(name, "A" + sealed[1:])
    assert visitor.ask("GET", "/sign-in/oidc/back?code=x&state=y").status_code == 403
    assert urlsplit(visitor.ask("GET", "/").headers["Location"]).path == "/sign-in"
