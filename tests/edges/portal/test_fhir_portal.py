"""The FHIR connector against a FHIR server that nobody here wrote: Person and Consent, together or not at all."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
import requests

from adapter.core.portal import PortalAccount, compare
from adapter.errors import FatalError, RetriableError
from adapter.http.wire import make_session
from adapter.jobs.conformance import check_portal
from adapter.portal.fhir import FhirPortal
from adapter.portal.fhir.records import ACCOUNT, OURS
from adapter.portal.sign_in import FixedToken
from adapter.portal.wire import Wire
from tests.acceptance.sekmet import Sekmet, running_sekmet
from tests.edges.portal.faulty import standing_before
from tests.edges.portal.test_scim import ANA, LUIS, NOW, OWN


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sekmet]:
    with running_sekmet(tmp_path_factory.mktemp("fhir-portal") / "server") as running:
        yield running


def reach(base_url: str, practice: str) -> FhirPortal:
    session = make_session(4)
    media = "application/fhir+json"
    wire = Wire(base_url, sign_in=FixedToken(None), session=session, timeout=20, media=media, clock=lambda: NOW)
    return FhirPortal(wire, practice=practice, concurrency=4)


def test_it_meets_every_requirement_and_is_left_clean(server: Sekmet) -> None:
    portal = reach(server.base_url, "adapter-check")
    assert [f"{one.name}: {one.detail}" for one in check_portal(portal, NOW) if not one.ok] == []
    assert list(portal.accounts()) == []


def test_what_was_put_comes_back_and_what_the_portal_added_stays(server: Sekmet) -> None:
    portal = reach(server.base_url, "main-street")
    assert portal.put_accounts([ANA, LUIS], new={"a1", "a2"}) == {}
    found = {one.key: one for one in portal.accounts()}
    assert found == portal.get_accounts(["a1", "a2", "nobody"])
    for wanted in (ANA, LUIS):
        assert compare(portal.kept(wanted), found[wanted.key], NOW) is None
    by_key = {"_tag": f"{ACCOUNT}|main-street/a1"}
    (entry,) = requests.get(f"{server.base_url}/Person", params=by_key, timeout=20).json()["entry"]
    person = entry["resource"]
    address = f"{server.base_url}/Person/{person['id']}"
    person["extension"].append({"url": f"{OURS}:registered-at", "valueDateTime": "2026-03-02T09:00:00Z"})
    person["telecom"].append({"system": "phone", "value": "+1 555 0100"})
    assert server.put(person)
    changed = ANA._replace(email="ana.new@mail.example", dependents=(OWN,))
    assert portal.put_accounts([changed]) == {}
    shown = portal.get_accounts(["a1"])["a1"]
    assert compare(portal.kept(changed), shown, NOW) is None
    assert shown.registered_at == NOW
    assert {"system": "phone", "value": "+1 555 0100"} in requests.get(address, timeout=20).json()["telecom"]


def test_two_practices_share_a_server_and_see_nothing_of_each_other(server: Sekmet) -> None:
    here, there = reach(server.base_url, "elm-street"), reach(server.base_url, "elm-street-2")
    here.put_accounts([ANA], new={"a1"})
    assert (list(there.accounts()), there.get_accounts(["a1"])) == ([], {})
    there.shut("a1")
    assert here.get_accounts(["a1"])["a1"].active


def test_many_accounts_are_read_page_by_page(server: Sekmet) -> None:
    portal = reach(server.base_url, "large")
    people = [PortalAccount(f"k{n}", f"p{n}@mail.example", "", True, "invited") for n in range(120)]
    assert portal.put_accounts(people) == {}
    assert sorted(one.key for one in portal.accounts()) == sorted(one.key for one in people)


FAULTS = [
    "dropped",
    "applied-and-lost",
    "twice",
    "truncated",
    "wrong-type",
    "changed-meanwhile",
    "broken",
    "refused-in-part",
]


def test_a_transaction_that_was_done_in_part_is_not_taken_for_done(server: Sekmet) -> None:
    with standing_before(server.base_url) as between:
        portal = reach(between.base_url, "in-part")
        between.again("refused-in-part", -1)
        with pytest.raises(RetriableError, match="did not do all of a transaction"):
            portal.put_accounts([ANA], new={"a1"})
        between.again()
        assert portal.put_accounts([ANA]) == {}
        assert compare(portal.kept(ANA), portal.get_accounts(["a1"])["a1"], NOW) is None


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_at_any_request_of_a_revocation_is_put_right_by_the_next_try(server: Sekmet, fault: str) -> None:
    direct = reach(server.base_url, f"faults-{fault}")
    with standing_before(server.base_url) as between:
        portal = reach(between.base_url, f"faults-{fault}")
        assert portal._found_by
        revoked = ANA._replace(dependents=())
        for at in range(1, 4):
            direct.put_accounts([ANA])
            between.again(fault, at)
            try:
                refused = portal.put_accounts([revoked])
            except RetriableError:
                refused = {"a1": None}  # type: ignore[dict-item]
            if not refused:
                assert direct.get_accounts(["a1"])["a1"].dependents == (), at
            between.again()
            assert portal.put_accounts([revoked]) == {}
            assert compare(direct.kept(revoked), direct.get_accounts(["a1"])["a1"], NOW) is None
        assert len(list(direct.accounts())) == 1


def test_an_until_is_never_kept_later_than_it_was_decided(server: Sekmet) -> None:
    portal = reach(server.base_url, "until")
    portal.put_accounts([ANA])
    untils = {chart.patient: chart.until for chart in portal.get_accounts(["a1"])["a1"].dependents}
    assert untils == {"Patient/p1": NOW + timedelta(days=9), "Patient/p9": None}


def test_what_is_no_fhir_server_is_told(server: Sekmet) -> None:
    with pytest.raises(FatalError, match="no CapabilityStatement"):
        reach(server.base_url.removesuffix("/fhir") + "/other", "main-street").check()
