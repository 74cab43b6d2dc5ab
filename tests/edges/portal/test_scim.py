"""The SCIM connector against scim2-server: what is put comes back, what is not ours stays, what is wrong is named."""

import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import requests
from pydantic import SecretStr

from adapter.core.portal import PortalAccount, PortalDependent, compare
from adapter.core.widget import Widget
from adapter.errors import DeliveryError, FatalError, RetriableError
from adapter.http.wire import make_session
from adapter.portal import HomePage, Portal
from adapter.portal.scim import ScimPortal
from adapter.portal.sign_in import FixedToken, SignIn
from adapter.portal.wire import Wire
from adapter.portal.words import LONGEST, scrubbed
from adapter.sandbox.portal import SandboxPortal
from tests.edges.portal.faulty import Faulty, standing_before

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
CHART = PortalDependent(
    "Patient/p1", "mother", "joint", "full", "eligible", NOW, until=NOW + timedelta(days=9, microseconds=7)
)
OWN = PortalDependent("Patient/p9", "other_relative", "joint", "limited", "eligible", NOW, is_self=True)
ANA = PortalAccount("a1", "ana@mail.example", "Ana Rivera", True, "invited", (CHART, OWN), "es")
LUIS = PortalAccount("a2", "luis@mail.example", "Luis Rivera", True, "pending", (CHART._replace(organization="o1"),))


def connect(base_url: str, sign_in: SignIn, practice: str = "main-street", timeout: float = 10) -> ScimPortal:
    session = make_session(4)
    wire = Wire(
        base_url,
        sign_in=sign_in,
        session=session,
        timeout=timeout,
        media="application/scim+json",
        clock=lambda: NOW,
    )
    return ScimPortal(wire, practice=practice, concurrency=4)


def reach(server: SandboxPortal, practice: str = "main-street") -> ScimPortal:
    return connect(server.base_url, FixedToken(SecretStr(server.token)), practice)


@pytest.fixture(
    params=[{}, {"patch": False}, {"bulk": False}, {"patch": False, "bulk": False}], ids=["all", "put", "one", "plain"]
)
def server(request: pytest.FixtureRequest) -> Iterator[SandboxPortal]:
    with SandboxPortal(**request.param) as running:
        yield running


@pytest.fixture
def portal(server: SandboxPortal) -> ScimPortal:
    return reach(server)


def test_what_was_put_is_what_comes_back(portal: ScimPortal) -> None:
    as_portal: Portal = portal
    assert as_portal.put_accounts([ANA, LUIS], new={"a1", "a2"}) == {}
    found = {one.key: one for one in as_portal.accounts()}
    assert found == portal.get_accounts(["a1", "a2", "nobody"])
    for wanted in (ANA, LUIS):
        assert compare(portal.kept(wanted), found[wanted.key], NOW) is None
    assert found["a1"].language == "es"


def test_an_end_is_never_kept_later_than_it_was_decided(portal: ScimPortal) -> None:
    portal.put_accounts([ANA], new={"a1"})
    until = portal.get_accounts(["a1"])["a1"].dependents[0].until
    assert until == NOW + timedelta(days=9)


def test_putting_twice_is_putting_once_and_every_change_arrives(portal: ScimPortal, server: SandboxPortal) -> None:
    portal.put_accounts([ANA, LUIS], new={"a1", "a2"})
    portal.put_accounts([ANA, LUIS], new={"a1", "a2"})
    assert len(server.users) == 2
    changed = ANA._replace(email="ana.new@mail.example", name="Ana M. Rivera", dependents=(OWN,))
    assert portal.put_accounts([changed]) == {}
    assert compare(portal.kept(changed), portal.get_accounts(["a1"])["a1"], NOW) is None
    suspended = changed._replace(active=False, status="suspended")
    portal.put_accounts([suspended])
    found = portal.get_accounts(["a1"])["a1"]
    assert (found.active, found.dependents, found.status) == (False, (), "suspended")
    assert len(server.users) == 2


def test_what_the_portal_knows_of_its_own_survives(portal: ScimPortal, server: SandboxPortal) -> None:
    portal.put_accounts([ANA], new={"a1"})
    server.register("ana@mail.example", NOW)
    user = server.users[0]
    headers = {"Authorization": f"Bearer {server.token}"}
    address = f"{server.base_url}/Users/{user['id']}"
    body = requests.get(address, headers=headers, timeout=5).json() | {"nickName": "Anita"}
    requests.put(address, json=body, headers=headers, timeout=5).raise_for_status()
    portal.put_accounts([ANA._replace(dependents=())])
    assert portal.get_accounts(["a1"])["a1"].registered_at == NOW
    assert server.users[0]["nickName"] == "Anita"


def test_somebody_elses_user_is_never_taken_over(portal: ScimPortal, server: SandboxPortal) -> None:
    headers = {"Authorization": f"Bearer {server.token}"}
    stranger = {"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": "Ana@mail.example"}
    requests.post(f"{server.base_url}/Users", json=stranger, headers=headers, timeout=5).raise_for_status()
    before = server.users
    refused = portal.put_accounts([ANA, LUIS], new={"a1", "a2"})
    assert {key: (error.permanent, error.code) for key, error in refused.items()} == {"a1": (True, "account-collision")}
    assert "ana" not in str(refused["a1"])
    assert before[0] in server.users
    assert [one.key for one in portal.accounts()] == ["a2"]
    moved = portal.put_accounts([LUIS._replace(email="ana@mail.example")])
    assert moved["a2"].code == "account-collision"


def test_two_practices_share_a_portal_and_see_nothing_of_each_other(server: SandboxPortal) -> None:
    here, there = reach(server), reach(server, "main-street-2")
    here.put_accounts([ANA], new={"a1"})
    assert (list(there.accounts()), there.get_accounts(["a1"])) == ([], {})
    there.shut("a1")
    assert here.get_accounts(["a1"])["a1"].active


def test_an_account_can_be_shut_and_keeps_its_owner(portal: ScimPortal, server: SandboxPortal) -> None:
    portal.put_accounts([ANA], new={"a1"})
    portal.shut("a1")
    portal.shut("nobody")
    found = portal.get_accounts(["a1"])["a1"]
    assert (found.active, found.dependents, found.email) == (False, (), "ana@mail.example")


def test_a_large_portal_is_read_page_by_page(portal: ScimPortal, monkeypatch: pytest.MonkeyPatch) -> None:
    people = [PortalAccount(f"k{n}", f"p{n}@mail.example", "", True, "invited") for n in range(60)]
    portal.put_accounts(people, new={one.key for one in people})
    service = portal.service
    monkeypatch.setitem(portal.__dict__, "service", type(service)(**(vars(service) | {"page": 7})))
    monkeypatch.delitem(portal.__dict__, "_users", raising=False)
    assert sorted(one.key for one in portal.accounts()) == sorted(one.key for one in people)


def test_a_home_page_is_published_changed_and_taken_off(portal: ScimPortal) -> None:
    assert portal.get_home() is None
    for revision, widget in ((1, Widget("instamed", "Pay your bill", "Pague su factura")), (2, None)):
        home = HomePage(practice="main-street", revision=revision, widget=widget)
        portal.put_home(home)
        assert portal.get_home() == home
    other = HomePage(practice="main-street", revision=3, widget=None, organization="o1")
    portal.put_home(other)
    assert (portal.get_home("o1"), portal.get_home()) == (other, home)


# ---- what can be wrong ---------------------------------------------------------------------------------------------


@pytest.fixture
def faulty() -> Iterator[tuple[SandboxPortal, Faulty]]:
    with SandboxPortal() as running, standing_before(running.base_url) as between:
        yield running, between


@pytest.mark.parametrize(
    ("fault", "kind", "words"),
    [
        ("elsewhere", FatalError, "sends us elsewhere (307, https://elsewhere.example:443); not followed"),
        ("unknown-token", FatalError, "does not accept the token (401)"),
        ("forbidden", FatalError, "the token may not do this (403)"),
        ("wrong-type", RetriableError, "something else than a JSON object"),
        ("too-many", RetriableError, "answered 429"),
        ("closed", RetriableError, "answered 503"),
        ("dropped", RetriableError, "cannot be reached"),
        ("truncated", RetriableError, "cut off or damaged"),
    ],
)
def test_check_names_the_fault_and_the_remedy(
    faulty: tuple[SandboxPortal, Faulty], fault: str, kind: type[Exception], words: str
) -> None:
    running, between = faulty
    between.again(fault, -1)
    portal = connect(between.base_url, FixedToken(SecretStr(running.token)))
    with pytest.raises(kind) as error:
        portal.check()
    assert words in str(error.value)
    assert running.token not in str(error.value)
    if fault in ("too-many", "closed"):
        assert getattr(error.value, "retry_after", None) == 7


def test_a_portal_without_the_extension_is_told_what_it_lacks() -> None:
    with SandboxPortal(extension=False) as running, pytest.raises(FatalError, match="have no place for charts"):
        reach(running).put_accounts([ANA])


def test_a_wrong_address_is_told(faulty: tuple[SandboxPortal, Faulty]) -> None:
    running, _ = faulty
    portal = connect(running.base_url.removesuffix("/v2") + "/other", FixedToken(SecretStr(running.token)))
    with pytest.raises(FatalError, match="does not know ServiceProviderConfig"):
        portal.check()


def test_a_portal_that_does_not_answer_in_time_is_not_waited_for() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        portal = connect(f"http://127.0.0.1:{silent.getsockname()[1]}/v2", FixedToken(None), timeout=0.2)
        with pytest.raises(RetriableError, match="did not answer within"):
            portal.check()


def test_the_token_goes_to_the_portal_and_to_nobody_else(faulty: tuple[SandboxPortal, Faulty]) -> None:
    running, between = faulty
    with standing_before(running.base_url) as other:
        between.again("elsewhere", -1)
        portal = connect(between.base_url, FixedToken(SecretStr(running.token)))
        with pytest.raises(FatalError):
            portal.check()
        assert other.asked == 0
    between.again()
    portal = connect(between.base_url, FixedToken(SecretStr(running.token)))
    service = portal.service  # discovery may name any path
    portal.__dict__["service"] = type(service)(**(vars(service) | {"users": "../elsewhere"}))
    asked = between.asked
    with pytest.raises(FatalError, match="outside its own address"):
        portal.check()
    assert between.asked == asked


def test_what_a_portal_says_is_kept_short_and_without_names() -> None:
    said = (
        'User "ana@mail.example" (Ana RIVERA, born 2019-05-04, Patient/p1, MRN 4711)\nis not\x00 allowed: ' + "x" * 400
    )
    words = scrubbed(said, ANA)
    assert len(words) <= LONGEST
    for secret in ("ana", "rivera", "2019", "p1", "4711", "\n", "\x00"):
        assert secret not in words.lower()
    assert "is not allowed" in words
    assert scrubbed({"no": "text"}, ANA) == ""


def test_a_refusal_is_for_good_and_carries_the_portals_words(faulty: tuple[SandboxPortal, Faulty]) -> None:
    running, _ = faulty
    refused = reach(running).put_accounts([ANA._replace(email="not an address")], new={"a1"})["a1"]
    assert isinstance(refused, DeliveryError)
    assert refused.permanent
    assert "(400)" in str(refused)
    assert "not an address" not in str(refused)
