"""The JSON API where it acts on what exists: suspend, revoke, undo, the outbox, widgets, and the trail's proof."""

from collections.abc import Iterator

import pytest

from tests.acceptance.adapter_cli import GRACE, Adapter
from tests.acceptance.programs import Program, programs
from tests.acceptance.test_api import is_problem


@pytest.fixture
def known(site: Adapter) -> Iterator[dict[str, Program]]:
    """Programs of an installation that a test may change."""
    with programs(site) as found:
        yield found


def test_an_account_is_suspended_and_a_chart_revoked_by_a_program(known: dict[str, Program]) -> None:
    admin, viewer = known["admin"], known["viewer"]
    why = {"reason": "court order of 4 May"}
    is_problem(known["reconciler"].ask("POST", f"accounts/{GRACE}/suspend", json=why), 403)
    assert "reason" in is_problem(admin.ask("POST", f"accounts/{GRACE}/suspend"), 422)
    assert admin.ask("POST", f"accounts/{GRACE}/suspend", json=why).json()["status"] == "suspended"
    hers = viewer.get(f"accounts/{GRACE}")
    assert {one["state"] for one in hers["dependents"]} == {"suspended"}
    assert hers["suspension"]["actor"] == "token:admin" and hers["suspension"]["reason"] == why["reason"]
    is_problem(admin.ask("POST", f"accounts/{GRACE}/suspend", json=why), 409)
    assert admin.ask("POST", f"accounts/{GRACE}/lift", json=why).json()["status"] == "lifted"
    is_problem(admin.ask("POST", f"accounts/{GRACE}/lift", json=why), 409)
    chart = why | {"patient": hers["dependents"][0]["patient"]}
    assert admin.ask("POST", f"accounts/{GRACE}/revoke", json=chart).json()["status"] == "revoked"
    assert admin.ask("POST", f"accounts/{GRACE}/revoke", json=chart | {"lift": True}).json()["status"] == "lifted"


def test_a_run_is_taken_back_only_as_it_was_looked_at(known: dict[str, Program]) -> None:
    admin = known["admin"]
    run = admin.all("runs")[-1]["run"]
    looked = admin.ask("POST", f"runs/{run}/undo").json()
    assert looked["changes"] and looked["done_by"] is None
    is_problem(admin.ask("POST", f"runs/{run}/undo", json={"plan": "0" * 64}), 409)
    done = admin.ask("POST", f"runs/{run}/undo", json={"plan": looked["hash"]}).json()
    assert done["done_by"] and {one["status"] for one in admin.all("accounts")} <= {"closed", "pending", "suspended"}
    is_problem(admin.ask("POST", "runs/999/undo"), 404)


def test_mail_is_taken_back_delivered_and_the_trail_proven(known: dict[str, Program]) -> None:
    admin, reconciler = known["admin"], known["reconciler"]
    waiting = [one for one in admin.all("outbox") if one["kind"] == "welcome" and one["state"] == "queued"]
    assert reconciler.ask("POST", f"outbox/{waiting[0]['id']}/cancel").json()["status"] == "cancelled"
    is_problem(reconciler.ask("POST", f"outbox/{waiting[0]['id']}/cancel"), 404)
    is_problem(reconciler.ask("POST", f"outbox/{waiting[1]['id']}/retry"), 404)
    assert reconciler.ask("POST", "deliver").json()["delivered"]["welcome"] == {"sent": len(waiting) - 1}
    is_problem(known["viewer"].ask("GET", "audit/verify"), 403)
    assert admin.get("audit/verify")["whole"] is True


def test_widgets_are_published_and_rolled_back_as_they_were_looked_at(known: dict[str, Program]) -> None:
    admin = known["admin"]
    looked = admin.ask("POST", "widgets/publish").json()
    assert looked["published"] == 0
    is_problem(admin.ask("POST", "widgets/publish", json={"plan": "0" * 64}), 409)
    done = admin.ask("POST", "widgets/publish", json={"plan": looked["hash"]}).json()
    assert done["published"] == len(looked["changes"])
    is_problem(admin.ask("POST", "widgets/999/rollback"), 404)
