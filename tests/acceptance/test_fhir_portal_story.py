"""A practice whose portal is a FHIR server: the demo's whole story, then all of it read back from the other side."""

from collections.abc import Iterator

import pytest

from adapter.cli.story import tell_story
from adapter.jobs.work import read_back
from adapter.portal.fhir.records import OURS
from adapter.sandbox.demo import Demo, running_demo
from adapter.sandbox.demo_files import PRACTICE
from adapter.sandbox.fhir_portal import FhirSandboxPortal
from adapter.sandbox.portals import PortalKind


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    folder = tmp_path_factory.mktemp("fhir-story") / "demo"
    with running_demo(folder, families=20, kind=PortalKind.FHIR) as running:
        tell_story(running, stays=False, kept=True)
        yield running


def opened(portal: FhirSandboxPortal) -> dict[str, list[tuple[str, str]]]:
    """The charts that each active Person's Consents open, by address, as the server has them."""
    keys = {}
    for person in portal.resources("Person"):
        email = next(point["value"] for point in person["telecom"] if point["system"] == "email")
        if person["active"]:
            keys[account_of(person)] = email.lower()
    charts: dict[str, list[tuple[str, str]]] = {}
    for consent in portal.resources("Consent"):
        if consent["status"] == "active" and account_of(consent) in keys:
            access = next(one["valueCode"] for one in consent["extension"] if one["url"] == f"{OURS}:access")
            charts.setdefault(keys[account_of(consent)], []).append((consent["patient"]["reference"], access))
    return {email: sorted(found) for email, found in charts.items()}


def account_of(resource: dict[str, list[dict[str, str]]]) -> str:
    return next(one["value"] for one in resource["identifier"] if one["system"] == f"{OURS}:account")


def test_after_the_whole_story_the_portal_opens_exactly_what_was_decided(demo: Demo) -> None:
    assert isinstance(demo.portal, FhirSandboxPortal)
    decided = {
        account["email"].lower(): sorted(
            (chart["patient"], chart["access"]) for chart in account["dependents"] if chart["state"] == "active"
        )
        for account in demo.accounts()
        if account["status"] not in ("suspended", "closed")
    }
    shown = opened(demo.portal)
    assert shown == {email: charts for email, charts in decided.items() if charts}
    assert len(shown) > 15
    found = read_back(demo.app, PRACTICE)
    assert found["equal"] == found["accounts"] == len(demo.portal.resources("Person"))
    assert [one["status"] for one in demo.accounts()].count("registered") == 1


def test_a_chart_opened_by_hand_is_closed(demo: Demo) -> None:
    assert isinstance(demo.portal, FhirSandboxPortal)
    consent = next(one for one in demo.portal.resources("Consent") if one["status"] == "active")
    consent["identifier"] = [one for one in consent["identifier"] if one["system"] == f"{OURS}:account"]
    demo.portal.put({**consent, "id": "opened-by-hand", "patient": {"reference": "Patient/stranger"}})
    found = read_back(demo.app, PRACTICE)
    assert (found["drift"], found["delivered"]) == ({"portal-extra": 1}, {"account": {"sent": 1}})
    assert "Patient/stranger" not in str(opened(demo.portal))
