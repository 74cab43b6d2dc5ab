"""A practice whose portal keeps the HTTP contract: the demo's whole story, then read back from the other side."""

from collections.abc import Iterator

import orjson
import pytest

from adapter.cli.story import tell_story
from adapter.jobs.work import read_back
from adapter.sandbox.demo import Demo, running_demo
from adapter.sandbox.demo_files import PRACTICE
from adapter.sandbox.http_portal import HttpSandboxPortal
from adapter.sandbox.portals import PortalKind
from tests.acceptance.adapter_cli import in_process


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    folder = tmp_path_factory.mktemp("http-portal") / "demo"
    with running_demo(folder, families=20, kind=PortalKind.HTTP) as running:
        tell_story(running, stays=False, kept=True)
        yield running


def test_after_the_whole_story_the_portal_opens_exactly_what_was_decided(demo: Demo) -> None:
    assert isinstance(demo.portal, HttpSandboxPortal)
    decided = {
        account["email"].lower(): sorted(
            (chart["patient"], chart["access"], chart["self"])
            for chart in account["dependents"]
            if chart["state"] == "active"
        )
        for account in demo.accounts()
        if account["status"] not in ("suspended", "closed")
    }
    shown = {
        one["email"].lower(): sorted((chart["patient"], chart["access"], chart["self"]) for chart in one["dependents"])
        for one in demo.portal.practices[PRACTICE].values()
        if one["active"]
    }
    assert {email: charts for email, charts in shown.items() if charts} == {k: v for k, v in decided.items() if v}
    assert len(shown) > 15
    assert demo.portal.homes[PRACTICE, ""]["widget"]["vendor"] == "instamed"
    found = read_back(demo.app, PRACTICE)
    assert found["equal"] == found["accounts"] == len(demo.portal.practices[PRACTICE])
    assert [one["status"] for one in demo.accounts()].count("registered") == 1


def test_a_chart_opened_by_hand_is_closed(demo: Demo) -> None:
    assert isinstance(demo.portal, HttpSandboxPortal)
    account = next(one for one in demo.portal.practices[PRACTICE].values() if one["dependents"])
    account["dependents"].append({**account["dependents"][0], "patient": "Patient/stranger"})
    found = read_back(demo.app, PRACTICE)
    assert (found["drift"], found["delivered"]) == ({"portal-extra": 1}, {"account": {"sent": 1}})
    assert "Patient/stranger" not in str(demo.portal.practices)


def test_the_commands_check_the_portal_and_print_the_contract(demo: Demo, monkeypatch: pytest.MonkeyPatch) -> None:
    assert demo.portal is not None
    done = in_process(["--config", str(demo.config), "check"])
    assert "it offers adoption, home page, registration, until." in " ".join(done.out.split())
    monkeypatch.setenv("PORTAL_SIGNING", demo.portal.secret)
    demo.clock.catch_up()
    asked = ["portal", "check", demo.portal.base_url, "--kind", "http", "--secret-env", "PORTAL_SIGNING"]
    done = in_process(asked)
    assert (done.code, done.out.count("ok  ")) == (0, 20), done.out
    monkeypatch.setenv("PORTAL_SIGNING", "a-secret-of-some-other-portal")
    done = in_process([*asked, "--json"])
    assert done.code == 1
    assert "does not accept the signature (401)" in done.document["requirements"][0]["detail"]
    monkeypatch.setenv("PORTAL_SIGNING", "short")
    assert in_process(asked).code == 2
    assert orjson.loads(in_process(["portal", "contract"]).out)["openapi"] == "3.1.0"
