"""Where the tokens come from: configured, or told by the EHR; no secret goes to an address that is not safe."""

from typing import Any

import pytest
import responses

from adapter.ehr.fhir.auth.oauth import oauth
from adapter.errors import SourceError
from adapter.http.smart import Assertion
from tests.edges.ehr.auth.signing_in import KEY, Clock, no_sleep, reader, refusal, smart
from tests.edges.ehr.auth.token_server import CLIENT, TokenServer

OAUTH_URIS = "http://fhir-registry.smarthealthit.org/StructureDefinition/oauth-uris"
WELL_KNOWN = "https://ehr.example/fhir/.well-known/smart-configuration"


def oauth_uris(token_url: str) -> dict[str, Any]:
    """``rest.security`` of a CapabilityStatement before SMART 2."""
    urls = [{"url": "authorize", "valueUri": "https://x.example"}, {"url": "token", "valueUri": token_url}]
    return {"extension": [{"url": "urn:other"}, {"url": OAUTH_URIS, "extension": urls}]}


def test_without_smart_configuration_the_capability_statement_is_asked(server: TokenServer, clock: Clock) -> None:
    server.configuration = None
    server.security = oauth_uris(server.token_url)
    assert smart(server, clock).header()
    assert all(authorization is None for _, authorization in server.gets)


def test_a_configured_endpoint_needs_no_discovery(server: TokenServer, clock: Clock) -> None:
    server.configuration = {"token_endpoint": "http://thief.example/token"}
    assert smart(server, clock, token_url=server.token_url, scopes=("system/*.rs",)).header()
    assert server.gets == []


def test_an_ehr_that_names_no_endpoint_is_told_apart(server: TokenServer, clock: Clock) -> None:
    server.configuration = {"token_endpoint": ""}
    assert "does not say where its tokens come from, nor does its metadata. Set token_url." in refusal(
        smart(server, clock)
    )


@pytest.mark.parametrize(
    "url",
    [
        "http://thief.example/token",
        "https://user:pass@thief.example/token",
        "https://thief.example\\@ehr.example/token",
        "https://thief.example/to ken",
        "ftp://thief.example/token",
        "//thief.example/token",
        "token",
        "javascript:alert(1)",
        "https://",
        "https://thief.example:0/token",
        "https://thief.example/token?a=\n",
        "https://thief.example/token#there",
        "https://thief\u00e9.example/token",
        ["https://thief.example/token"],
        {"url": "https://thief.example/token"},
        7,
    ],
    ids=repr,
)
@pytest.mark.parametrize("place", ["configuration", "metadata"])
def test_an_unsafe_endpoint_gets_nothing(server: TokenServer, clock: Clock, place: str, url: Any) -> None:
    if place == "metadata":
        server.configuration, server.security = None, oauth_uris(url)
    else:
        server.configuration = {"token_endpoint": url}
    text = refusal(smart(server, clock))
    assert "that is not https, so no secret was sent there" in text
    assert "pass" not in text
    assert server.posts == []


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/token", "https://localhost/token", "https://[::1]/token"])
@responses.activate
def test_an_ehr_elsewhere_may_not_name_this_machine(clock: Clock, url: str) -> None:
    responses.get(WELL_KNOWN, json={"token_endpoint": url})
    login = Assertion(client_id=CLIENT, key=KEY, clock=clock)
    with pytest.raises(SourceError, match="not https, so no secret was sent there"):
        oauth("https://ehr.example/fhir", login, sleep=no_sleep, clock=clock).header()
    assert len(responses.calls) == 1


def test_the_endpoint_may_be_another_host_and_each_gets_only_what_is_its_own(clock: Clock) -> None:
    with TokenServer() as ehr, TokenServer(KEY.jwks(), now=lambda: clock().timestamp()) as tokens:
        ehr.configuration = {"token_endpoint": tokens.token_url}
        authorization = smart(ehr, clock)
        header = authorization.header()
        ehr.granted |= tokens.granted
        assert reader(ehr, authorization).read_one("Patient/p1")
        assert ehr.posts == [] and ehr.reads == [header]
        assert tokens.gets == [] and tokens.headers == [None] and len(tokens.posts) == 1


def test_an_endpoint_that_has_moved_is_found_again(server: TokenServer, clock: Clock) -> None:
    authorization = smart(server, clock)
    assert authorization.header()
    with TokenServer(KEY.jwks(), now=lambda: clock().timestamp()) as moved:
        server.configuration = {"token_endpoint": moved.token_url}
        server.jwks = {"keys": []}
        clock.forward(400)
        refusal(authorization)
        clock.forward(11)
        assert authorization.header()
        assert len(moved.posts) == 1


@pytest.mark.parametrize(
    ("configuration", "asked"),
    [
        ({"capabilities": ["permission-v1"]}, "system/Patient.read system/RelatedPerson.read"),
        ({"scopes_supported": ["system/*.read"]}, "system/Patient.read system/RelatedPerson.read"),
        ({"capabilities": ["permission-v1", "permission-v2"]}, "system/Patient.rs system/RelatedPerson.rs"),
        ({"scopes_supported": "system/*.read"}, "system/Patient.rs system/RelatedPerson.rs"),
        ({}, "system/Patient.rs system/RelatedPerson.rs"),
    ],
)
def test_scopes_are_asked_for_in_the_version_that_the_ehr_speaks(
    server: TokenServer, clock: Clock, configuration: dict[str, Any], asked: str
) -> None:
    server.configuration = {"token_endpoint": server.token_url} | configuration
    server.scope = None
    assert smart(server, clock).header()
    assert server.posts[0]["scope"] == asked


def test_contacts_inside_the_chart_need_no_scope_of_their_own(server: TokenServer, clock: Clock) -> None:
    server.scope = "system/Patient.rs"
    assert smart(server, clock, types=("Patient",)).header()
    assert server.posts[0]["scope"] == "system/Patient.rs"
