"""The connector of the HTTP contract against the sandbox's portal: every request and answer is held to openapi.json."""

import hmac
from base64 import b64encode
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import requests
from openapi_spec_validator import validate
from pydantic import SecretStr

from adapter.core.portal import PortalAccount, compare
from adapter.core.widget import BillingWarning, Level, Widget
from adapter.errors import DeliveryError, FatalError, RetriableError
from adapter.http.wire import make_session
from adapter.jobs.conformance import check_portal
from adapter.portal import HomePage
from adapter.portal.http import HttpPortal
from adapter.portal.sign_in import FixedToken
from adapter.portal.signature import Seal
from adapter.portal.wire import Wire
from adapter.sandbox.http_portal import KEY_ID, HttpSandboxPortal
from tests.edges.portal import contract
from tests.edges.portal.contract import ContractWire
from tests.edges.portal.faulty import Faulty, standing_before
from tests.edges.portal.test_scim import ANA, LUIS, NOW, OWN

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def server() -> Iterator[HttpSandboxPortal]:
    with HttpSandboxPortal(clock=lambda: NOW, page=7) as running:
        yield running


def connect(base_url: str, secret: str, practice: str = "main-street", way: type[Wire] = ContractWire) -> HttpPortal:
    seal = Seal(key_id=KEY_ID, secret=SecretStr(secret), clock=lambda: NOW)
    wire = way(
        base_url,
        sign_in=FixedToken(None),
        session=make_session(4),
        timeout=10,
        media="application/json",
        clock=lambda: NOW,
        seal=seal,
    )
    return HttpPortal(wire, practice=practice, concurrency=4)


def reach(server: HttpSandboxPortal, practice: str = "main-street") -> HttpPortal:
    return connect(server.base_url, server.secret, practice)


def test_the_contract_is_a_valid_openapi_document() -> None:
    validate(contract.DOCUMENT)


def test_it_meets_every_requirement_and_is_left_clean(server: HttpSandboxPortal) -> None:
    found = list(check_portal(reach(server, "adapter-check"), NOW))
    assert [f"{one.name}: {one.detail}" for one in found if not one.ok] == []
    assert len(found) == 20
    assert server.practices == {"adapter-check": {}}


def test_what_was_put_is_what_comes_back(server: HttpSandboxPortal) -> None:
    portal = reach(server)
    assert portal.put_accounts([ANA, LUIS], new={"a1", "a2"}) == {}
    assert portal.put_accounts([ANA, LUIS], new={"a1", "a2"}) == {}
    found = {one.key: one for one in portal.accounts()}
    assert found == portal.get_accounts(["a1", "a2", "nobody"])
    for wanted in (ANA, LUIS):
        assert compare(portal.kept(wanted), found[wanted.key], NOW) is None
    until = found["a1"].dependents[0].until
    assert until == NOW + timedelta(days=9)  # never later than it was decided


def test_what_the_portal_knows_of_its_own_survives_a_change(server: HttpSandboxPortal) -> None:
    portal = reach(server)
    portal.put_accounts([ANA], new={"a1"})
    server.register("ana@mail.example", NOW)
    changed = ANA._replace(email="ana.new@mail.example", dependents=(OWN,))
    assert portal.put_accounts([changed]) == {}
    shown = portal.get_accounts(["a1"])["a1"]
    assert (shown.registered_at, compare(portal.kept(changed), shown, NOW)) == (NOW, None)


def test_a_change_in_between_is_read_again_and_nothing_of_it_is_lost(server: HttpSandboxPortal) -> None:
    portal = reach(server)
    portal.put_accounts([ANA], new={"a1"})
    read = portal._read

    def then_somebody_is_faster(key: str) -> object:
        answer = read(key)
        portal.__dict__.pop("_read")
        server.register("ana@mail.example", NOW)
        return answer

    portal.__dict__["_read"] = then_somebody_is_faster
    assert portal.put_accounts([ANA._replace(dependents=())]) == {}
    shown = portal.get_accounts(["a1"])["a1"]
    assert (shown.dependents, shown.registered_at) == ((), NOW)


def test_an_address_that_somebody_has_is_a_collision_and_stays_theirs(server: HttpSandboxPortal) -> None:
    server.unlinked.append({"handle": "u1", "email": "Ana@mail.example", "name": "A", "active": True, "dependents": []})
    refused = reach(server).put_accounts([ANA, LUIS], new={"a1", "a2"})
    assert {key: (error.permanent, error.code) for key, error in refused.items()} == {"a1": (True, "account-collision")}
    assert list(server.practices["main-street"]) == ["a2"]


def test_who_was_there_before_can_be_linked_once_and_keeps_everything(server: HttpSandboxPortal) -> None:
    server.unlinked.append(
        {"handle": "u1", "email": "ana@mail.example", "name": "Ana", "active": True, "dependents": [],
         "registered_at": NOW.isoformat()}
    )  # fmt: skip
    portal = reach(server)
    (stranger,) = portal.strangers()
    portal.adopt(stranger.handle, "a1")
    assert portal.get_accounts(["a1"])["a1"].registered_at == NOW
    with pytest.raises(DeliveryError):
        portal.adopt(stranger.handle, "a3")
    assert (list(portal.strangers()), portal.put_accounts([ANA])) == ([], {})


def test_two_practices_share_a_portal_and_see_nothing_of_each_other(server: HttpSandboxPortal) -> None:
    here, there = reach(server), reach(server, "main-street-2")
    here.put_accounts([ANA], new={"a1"})
    assert (list(there.accounts()), there.get_accounts(["a1"])) == ([], {})
    there.shut("a1")
    assert here.get_accounts(["a1"])["a1"].active
    here.shut("a1")
    assert (here.get_accounts(["a1"])["a1"].active, here.get_accounts(["a1"])["a1"].dependents) == (False, ())


def test_a_home_page_is_published_changed_and_taken_off(server: HttpSandboxPortal) -> None:
    portal = reach(server)
    assert portal.get_home() is None
    warning = BillingWarning(Level.ALERT, "The office is closed.", "La oficina está cerrada.")
    for revision, widget in ((1, Widget("instamed", "Pay your bill", "Pague su factura", "", warning)), (2, None)):
        home = HomePage(practice="main-street", revision=revision, widget=widget)
        portal.put_home(home)
        assert portal.get_home() == home
    other = HomePage(practice="main-street", revision=3, widget=None, organization="Organization/o1")
    portal.put_home(other)
    assert (portal.get_home("Organization/o1"), portal.get_home()) == (other, home)


def test_many_accounts_are_read_page_by_page(server: HttpSandboxPortal) -> None:
    portal = reach(server)
    people = [PortalAccount(f"k{n}", f"p{n}@mail.example", "", True, "invited") for n in range(40)]
    assert portal.put_accounts(people, new={one.key for one in people}) == {}
    assert sorted(one.key for one in portal.accounts()) == sorted(one.key for one in people)


def test_every_operation_of_the_contract_is_used(server: HttpSandboxPortal) -> None:
    server.unlinked.append({"handle": "u1", "email": "u@mail.example", "name": "U", "active": True, "dependents": []})
    contract.SEEN.clear()
    portal = reach(server)
    portal.check()
    portal.put_accounts([ANA], new={"a1"})
    portal.get_accounts(["a1"])
    portal.put_home(HomePage(practice="main-street", revision=1, widget=None))
    portal.get_home()
    (stranger,) = portal.strangers()
    portal.adopt(stranger.handle, "a2")
    portal.remove("a1")
    operations = (one for item in contract.DOCUMENT["paths"].values() for one in item.values())
    assert {name for name, _ in contract.SEEN} == {one["operationId"] for one in operations if isinstance(one, dict)}


# ---- signatures ----------------------------------------------------------------------------------------------------


def test_the_example_in_the_documentation_is_what_the_code_signs() -> None:
    page = (ROOT / "docs" / "portal-contract.md").read_text()
    body = b'{"handle":"u-17"}'
    request = requests.Request(
        "PUT",
        "https://portal.example.org/adapter/v1/practices/main-street/accounts/4f1c/link",
        data=body,
        headers={"Content-Type": "application/json"},
    ).prepare()
    secret = SecretStr("an-example-secret-that-nobody-uses")
    Seal(key_id="adapter", secret=secret, clock=lambda: NOW, nonce=lambda: "example-nonce-0001")(request)
    for name in ("Content-Digest", "Signature-Input", "Signature"):
        assert f"{name}: {request.headers[name]}" in page
    base = page.partition("```text\n")[2].partition("\n```")[0]
    by_hand = b64encode(hmac.digest(secret.get_secret_value().encode(), base.encode(), "sha256")).decode()
    assert request.headers["Signature"] == f"adapter=:{by_hand}:"


@pytest.mark.parametrize("wrong", ["secret", "key", "old", "body"])
def test_a_request_that_is_not_signed_as_it_should_be_is_refused(server: HttpSandboxPortal, wrong: str) -> None:
    at = NOW - timedelta(minutes=6) if wrong == "old" else NOW
    secret = SecretStr("another-secret-of-somebody-else" if wrong == "secret" else server.secret)
    seal = Seal(key_id="nobody" if wrong == "key" else KEY_ID, secret=secret, clock=lambda: at)
    address = f"{server.base_url}/practices/main-street/accounts/a1"
    headers = {"Content-Type": "application/json", "If-None-Match": "*"}
    request = requests.Request("PUT", address, data=b'{"key":"a1"}', headers=headers).prepare()
    seal(request)
    if wrong == "body":
        request.body = b'{"key":"a2"}'
    with requests.Session() as session:
        answer = session.send(request, timeout=5)
    assert (answer.status_code, answer.json()["status"]) == (401, 401)
    assert server.practices == {}


# ---- what can be wrong ---------------------------------------------------------------------------------------------


@pytest.fixture
def faulty(server: HttpSandboxPortal) -> Iterator[Faulty]:
    with standing_before(server.base_url) as between:
        yield between


@pytest.mark.parametrize(
    ("fault", "kind", "words"),
    [
        ("elsewhere", FatalError, "sends us elsewhere (307, https://elsewhere.example:443); not followed"),
        ("unknown-token", FatalError, "does not accept the signature (401)"),
        ("forbidden", FatalError, "this key may not do this (403)"),
        ("wrong-type", RetriableError, "something else than a JSON object"),
        ("too-many", RetriableError, "answered 429"),
        ("dropped", RetriableError, "cannot be reached"),
        ("truncated", RetriableError, "cut off or damaged"),
    ],
)
def test_check_names_the_fault_and_the_remedy(
    server: HttpSandboxPortal, faulty: Faulty, fault: str, kind: type[Exception], words: str
) -> None:
    faulty.again(fault, -1)
    with pytest.raises(kind) as error:
        connect(faulty.base_url, server.secret).check()
    assert words in str(error.value)
    assert server.secret not in str(error.value)


def test_a_version_nobody_knows_a_wrong_secret_and_a_wrong_address_are_told(server: HttpSandboxPortal) -> None:
    with HttpSandboxPortal(clock=lambda: NOW, version="2.0") as newer, pytest.raises(FatalError, match=r"version 2\.0"):
        connect(newer.base_url, newer.secret, way=Wire).check()
    with pytest.raises(FatalError, match=r"does not accept the signature \(401\). Check key_id and secret"):
        connect(server.base_url, "a-secret-of-some-other-portal").check()
    with pytest.raises(FatalError, match="does not answer as the contract says"):
        connect(server.base_url.removesuffix("/v1") + "/other", server.secret, way=Wire).check()


def test_what_the_portal_refuses_for_good_carries_no_name(server: HttpSandboxPortal) -> None:
    refused = reach(server).put_accounts([ANA._replace(email="not an address")], new={"a1"})["a1"]
    assert (refused.permanent, "(400)" in str(refused), "not an address" in str(refused)) == (True, True, False)
