"""A practice whose portal speaks SCIM: the demo's whole story, then all of it read back from the other side."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from scim2_client.engines.wsgi import WSGISCIMClient
from scim2_models import ResourceType, Schema
from scim2_tester import Status, check_server

from adapter.cli.story import tell_story
from adapter.jobs.explain import explain
from adapter.jobs.work import read_back
from adapter.portal.scim.records import EXTENSION
from adapter.sandbox.demo import Demo, running_demo
from adapter.sandbox.demo_files import PRACTICE
from adapter.sandbox.portal import HomePage, PortalUser, SandboxPortal
from adapter.sandbox.portals import PortalKind
from tests.acceptance.adapter_cli import ROOT, in_process
from tests.acceptance.test_demo import surroundings


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    folder = tmp_path_factory.mktemp("scim") / "demo"
    with running_demo(folder, families=20, kind=PortalKind.SCIM) as running:
        tell_story(running, stays=False, kept=True)
        yield running


def users(demo: Demo) -> dict[str, Any]:
    """The portal's Users as its own storage has them, by address."""
    assert isinstance(demo.portal, SandboxPortal)
    return {user["userName"].lower(): user for user in demo.portal.users}


def test_after_the_whole_story_the_portal_opens_exactly_what_was_decided(demo: Demo) -> None:
    decided = {
        account["email"].lower(): {
            (chart["patient"], chart["access"], chart["self"])
            for chart in account["dependents"]
            if chart["state"] == "active"
        }
        for account in demo.accounts()
        if account["status"] not in ("suspended", "closed")
    }
    shown = {
        email: {
            (chart["patient"], chart["access"], chart["isSelf"]) for chart in user[EXTENSION].get("dependents") or ()
        }
        for email, user in users(demo).items()
        if user["active"]
    }
    assert {email: charts for email, charts in shown.items() if charts} == {k: v for k, v in decided.items() if v}
    assert len(shown) > 15
    closed = users(demo)["mats.lindgren@post.example"]
    assert (closed["active"], closed[EXTENSION].get("dependents") or []) == (False, [])
    own, kofi = sorted(users(demo)["imani.osei@mail.example"][EXTENSION]["dependents"], key=lambda one: "until" in one)
    assert (own["isSelf"], "until" in own, kofi["isSelf"], kofi["until"] > "2026") == (True, False, False, True)


def test_the_comparison_agrees_and_a_chart_opened_by_hand_is_closed(demo: Demo) -> None:
    assert isinstance(demo.portal, SandboxPortal)
    found = read_back(demo.app, PRACTICE)
    assert found["equal"] == found["accounts"] == len(users(demo))
    grace = "grace.okafor@mail.example"
    with demo.portal.storage.lock:
        stored: Any = next(one for one in demo.portal.storage.resources if getattr(one, "user_name", "") == grace)
        charts = stored[type(stored).get_extension_model(EXTENSION)].dependents
        charts.append(charts[0].model_copy(update={"patient": "Patient/stranger"}))
    found = read_back(demo.app, PRACTICE)
    assert found["drift"] == {"portal-extra": 1}
    assert found["delivered"] == {"account": {"sent": 1}}
    assert "Patient/stranger" not in str(users(demo)[grace])


def test_who_has_registered_is_known_and_needs_no_new_welcome(demo: Demo) -> None:
    (registered,) = [account for account in demo.accounts() if account["status"] == "registered"]
    assert registered["portal"]["registered_at"]
    answer = explain(demo.app.engine, demo.app.practices[PRACTICE], registered["email"], clock=demo.clock)
    assert re.search(r"registered in the portal on \d{1,2} \w+ \d{4}", answer.verdict)
    done = in_process(["--config", str(demo.config), "register", registered["email"], "--yes"])
    assert done.code == 1
    assert "A new Welcome email is not needed; a forgotten password is reset in the portal." in done.err


def test_check_tells_what_the_portal_offers(demo: Demo) -> None:
    done = in_process(["--config", str(demo.config), "check"])
    assert "The SCIM portal answers; it offers patch, etag, filter, bulk, home, registration." in " ".join(
        done.out.split()
    )


# The tester makes up words for the moments inside dependents, and then refuses them itself: with the extension only
# what needs no such words is tried.
@pytest.mark.parametrize(
    ("extension", "tags", "least"), [(False, None, 100), (True, {"discovery", "crud:create", "crud:delete"}, 15)]
)
def test_the_sandboxs_portal_is_a_scim_server(extension: bool, tags: set[str] | None, least: int) -> None:
    with SandboxPortal(extension=extension) as portal:
        client = WSGISCIMClient(portal.app, environ={"HTTP_AUTHORIZATION": f"Bearer {portal.token}"})
        client.discover()
        results = check_server(client, include_tags=tags)
    assert [result for result in results if result.status not in (Status.SUCCESS, Status.SKIPPED)] == []
    assert len(results) > least


def test_the_printed_schema_is_the_one_that_the_sandbox_takes() -> None:
    printed = in_process(["portal", "schema"]).document
    models: list[Any] = [PortalUser, HomePage]
    for shown, model in zip(printed["Schemas"], models, strict=True):
        schema = Schema.model_validate(shown)
        assert [without_words(one) for one in shown["attributes"]] == [
            without_words(one) for one in model.to_schema().model_dump()["attributes"]
        ]
        assert schema.id == model.to_schema().id
        assert all(one.description for one in schema.attributes or ())
    types = [ResourceType.model_validate(one) for one in printed["ResourceTypes"]]
    assert [one.endpoint for one in types] == ["/Users", "/HomePages"]
    assert (types[0].schema_extensions or [])[0].schema_ == EXTENSION


def without_words(attribute: dict[str, Any]) -> dict[str, Any]:
    plain = {key: value for key, value in attribute.items() if key != "description"}
    inner = plain.get("subAttributes")
    return plain | {"subAttributes": [without_words(one) for one in inner]} if inner else plain


def test_without_the_extra_the_demo_says_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "scim2_models").mkdir()
    (tmp_path / "scim2_models" / "__init__.py").write_text("raise ImportError('not here')\n")
    done = subprocess.run(
        [sys.executable, "-m", "adapter", "demo", "--once", "--portal", "scim"],
        cwd=tmp_path,
        env=surroundings(PYTHONPATH=f"{tmp_path}:{ROOT}"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert 'pip install "fhir-portal-adapter[sandbox]"' in done.stderr
