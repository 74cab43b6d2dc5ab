"""The whole path from outside: the story's families through files and through a FHIR server give the same accounts."""

import gzip
import json
import random
from pathlib import Path

import pytest

from adapter.sandbox.charts import Resource
from adapter.sandbox.ehr import SandboxEhr
from tests.acceptance.adapter_cli import Adapter, adds_up, comparable, opens
from tests.acceptance.story_decided import ACCOUNTS, FINDINGS, WELCOMED


def test_each_family_gets_the_accounts_the_rules_promise(story_adapter: Adapter) -> None:
    accounts = story_adapter.accounts()
    assert {account["email"]: opens(account) for account in accounts} == ACCOUNTS
    queued = {account["email"] for account in accounts if account["welcome"]["status"] == "queued"}
    assert queued == WELCOMED
    assert {(one["code"], _about(one)) for one in story_adapter.json("findings")} == FINDINGS
    (run,) = story_adapter.json("runs")
    assert sum(run["findings"].values()) == len(FINDINGS)
    assert adds_up(run["read"]) and run["read"]["patients"] + run["read"]["contacts"] == run["read"]["resources"]


def test_the_portal_and_the_mailbox_end_up_with_the_same(story_adapter: Adapter) -> None:
    report = story_adapter.json("deliver")
    assert report["problems"] == []
    portal = story_adapter.app().portals["main-street"]
    open_charts = {
        account.email: {dependent.patient.removeprefix("Patient/") for dependent in account.dependents}
        for account in portal.accounts()
    }
    expected = {
        email: {chart for chart, state in ACCOUNTS[email].items() if state.startswith("active")} for email in WELCOMED
    }
    assert open_charts == expected
    recipients = [line for mail in story_adapter.mails() for line in mail.splitlines() if line.startswith("To: ")]
    assert len(recipients) == len(WELCOMED)
    assert all(any(f"<{email}>" in line for line in recipients) for email in WELCOMED)
    assert {account["status"] for account in story_adapter.accounts() if account["email"] in WELCOMED} == {"invited"}


@pytest.mark.parametrize("revinclude", [True, False])
@pytest.mark.parametrize("page_size", [7, 200])
def test_over_http_the_accounts_and_findings_are_those_of_the_files(
    story_adapter: Adapter, families: list[Resource], tmp_path: Path, revinclude: bool, page_size: int
) -> None:
    over_http = Adapter(tmp_path / "http", policy=story_adapter.policy)
    with SandboxEhr(families, revinclude=revinclude) as ehr:
        over_http.reads_http(ehr.base_url, page_size=page_size)
        report = over_http.sync()
    assert report["read"]["resources"] == len(families) and adds_up(report["read"])
    assert comparable(over_http.accounts()) == comparable(story_adapter.accounts())
    assert _findings(over_http) == _findings(story_adapter)


def test_reading_over_http_keeps_the_version_that_caused_each_grant(adapter: Adapter, families: list[Resource]) -> None:
    with SandboxEhr(families) as ehr:
        ehr.change_authority("RelatedPerson/lindgren-elsa-mother", "exclusive")
        adapter.reads_http(ehr.base_url)
        adapter.sync()
    (dependent,) = adapter.account("karin.lindgren@post.example")["dependents"]
    assert dependent["source"] == "RelatedPerson/lindgren-elsa-mother/_history/2"


@pytest.mark.parametrize("layout", ["bundles", "one file each", "list", "gzip", "folders and any order"])
def test_the_layout_of_an_export_makes_no_difference(
    story_adapter: Adapter, families: list[Resource], tmp_path: Path, layout: str
) -> None:
    other = Adapter(tmp_path / "other", policy=story_adapter.policy)
    _write(other.folder / "ehr", families, layout)
    other.sync()
    assert comparable(other.accounts()) == comparable(story_adapter.accounts())


def test_a_token_is_sent_where_the_ehr_asks_for_one(
    adapter: Adapter, families: list[Resource], monkeypatch: pytest.MonkeyPatch
) -> None:
    with SandboxEhr(families, token="open-sesame") as ehr:
        adapter.reads_http(ehr.base_url)
        refused = adapter.run("sync", "--json")
        assert refused.code == 1 and refused.document["status"] == "incomplete"
        assert "Check the token" in refused.document["problems"][0]
        monkeypatch.setenv("EHR_TOKEN", "open-sesame")
        adapter.configure(ehr=f'{adapter.ehr}\nauth = "bearer"\ntoken_env = "EHR_TOKEN"')
        assert adapter.sync()["status"] == "held"
    assert len(adapter.accounts()) == len(ACCOUNTS)


def _about(finding: dict[str, str | None]) -> str:
    if finding["contact"]:
        return finding["contact"].removeprefix("RelatedPerson/")
    return " ".join(part.removeprefix("Patient/") for part in (finding["patient"], finding["email"]) if part)


def _findings(adapter: Adapter) -> list[dict[str, str]]:
    kept = ("id", "code", "severity", "patient", "contact", "email", "message", "remedy")
    return sorted(({key: one[key] for key in kept} for one in adapter.json("findings")), key=lambda one: one["id"])


def _write(folder: Path, resources: list[Resource], layout: str) -> None:
    if layout == "bundles":
        halves = resources[::2], resources[1::2]
        for kind, half in zip(("collection", "transaction"), halves, strict=True):
            bundle = {"resourceType": "Bundle", "type": kind, "entry": [{"resource": one} for one in half]}
            (folder / f"{kind}.json").write_text(json.dumps(bundle))
    elif layout == "one file each":
        for number, one in enumerate(resources):
            (folder / f"{number}.json").write_text(json.dumps(one, indent=2))
    elif layout == "list":
        (folder / "all.json").write_text(json.dumps(resources))
    elif layout == "gzip":
        lines = "".join(json.dumps(one) + "\n" for one in resources)
        (folder / "all.ndjson.gz").write_bytes(gzip.compress(lines.encode()))
    else:
        random.Random(7).shuffle(resources)
        for number, one in enumerate(resources):
            place = folder / f"part{number % 3}" / one["resourceType"]
            place.mkdir(parents=True, exist_ok=True)
            (place / f"{number:03}.ndjson").write_text(json.dumps(one))
