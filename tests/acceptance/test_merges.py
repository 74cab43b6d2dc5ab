"""A chart that the EHR merges and unmerges, from the command line and by the API, with a real EHR."""

import pytest

from adapter.sandbox.ehr import SandboxEhr
from tests.acceptance.adapter_cli import Adapter, opens
from tests.acceptance.bad_records import Json, chart, mother
from tests.acceptance.programs import programs

ODA = "oda@kid.example"
MERGED: Json = {"active": False, "link": [{"other": {"reference": "Patient/other"}, "type": "replaced-by"}]}
WHY = ("--reason", "Seen with Dr. Lee.")


def _moved() -> Json:
    return mother() | {"patient": {"reference": "Patient/other"}}


def test_the_ehr_merges_a_chart_a_human_lets_it_go_and_the_ehr_takes_it_back(adapter: Adapter) -> None:
    with SandboxEhr([chart(), mother(), chart("other"), mother("other")]) as ehr:
        adapter.reads_http(ehr.base_url)
        adapter.sync()
        ehr.put(chart() | MERGED)
        ehr.put(_moved())
        adapter.sync("--full")
        assert opens(adapter.account(ODA)) == {"kid": "suspended patient-merged", "other": "held merge-waiting"}
        listed = adapter.run("merges")
        assert listed.code == 3 and "adapter merge Patient/kid Patient/other" in listed.out
        assert max(map(len, listed.out.splitlines())) <= 100  # as wide as the tests' terminal
        shown = adapter.run("merge", "Patient/kid", "Patient/other", "--json")
        assert (shown.code, [one["what"] for one in shown.document["moves"]]) == (0, ["keeps"])
        assert opens(adapter.account(ODA))["other"] == "held merge-waiting"
        assert adapter.run("merge", "Patient/kid", "Patient/other", "--yes").code == 2  # no reason
        done = adapter.run("merge", "Patient/kid", "Patient/other", "--yes", *WHY)
        assert done.code == 0 and "keeps: Patient/other" in done.out
        assert opens(adapter.account(ODA)) == {"kid": "ended patient-merged", "other": "active"}
        assert [one["state"] for one in adapter.json("merges")] == ["done"]
        ehr.put(chart())
        ehr.put(mother())
        adapter.sync("--full")
        assert opens(adapter.account(ODA))["kid"] == "held unmerge-waiting"
        assert adapter.run("unmerge", "Patient/kid", "--yes", *WHY).code == 0
        assert opens(adapter.account(ODA))["kid"] == "active"
        assert adapter.run("audit", "verify").code == 0


@pytest.mark.parametrize("arguments", [("Patient/kid", "Patient/other"), ("Patient/nobody", "Patient/other")])
def test_without_a_merge_in_the_ehr_there_is_nothing_to_carry(adapter: Adapter, arguments: tuple[str, str]) -> None:
    adapter.export([chart(), mother(), chart("other")])
    adapter.sync()
    refused = adapter.run("merge", *arguments, "--yes", *WHY)
    assert refused.code == 1 and "No merge of" in refused.err
    assert adapter.run("merge", "kid", "other").code == 2
    assert adapter.run("merges").code == 0


def test_a_program_looks_at_a_merge_and_an_administrator_s_lets_exactly_that_go(adapter: Adapter) -> None:
    adapter.export([chart(), mother(), chart("other")])
    adapter.sync()
    adapter.export([chart() | MERGED, _moved(), chart("other")])
    adapter.sync()
    with programs(adapter) as known:
        viewer, reconciler, admin = (known[role] for role in ("viewer", "reconciler", "admin"))
        assert viewer.get("merges") == adapter.json("merges")
        shown = viewer.get("merges/kid")
        assert shown["said"].startswith("The chart of") and shown["moves"][0]["what"] == "keeps"
        body = {"plan": shown["hash"], "reason": "Seen with Dr. Lee."}
        assert reconciler.ask("POST", "merges/kid", json=body).status_code == 403
        assert admin.ask("POST", "merges/kid", json={"plan": shown["hash"]}).status_code == 422
        assert admin.ask("POST", "merges/kid", json=body | {"plan": "0" * 64}).status_code == 409
        assert opens(adapter.account(ODA))["other"] == "held merge-waiting"
        changes = admin.ask("POST", "merges/kid", json=body).json()["changes"]
        assert changes == {"end-grant": 1, "grant": 1, "queue-welcome": 1}  # it had not left yet
        assert viewer.ask("GET", "merges/kid").status_code == 404
    assert opens(adapter.account(ODA)) == {"kid": "ended patient-merged", "other": "active"}
