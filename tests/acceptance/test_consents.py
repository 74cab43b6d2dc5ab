"""A practice whose EHR says in Consents who may decide for a child."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.adapter_cli import Adapter, opens, practice
from tests.acceptance.test_authority_file import FAMILY, FATHER, MOTHER, contact

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
OURS = """
title = "Ours"
[roles]
source = "RelatedPerson.relationship"
tables = ["kinship"]
[authority]
source = "not-recorded"
[authority.consent]
categories = ["urn:ours|portal"]
"""


def consent(key: str, actor: str, kind: str = "permit", *, version: int = 1, **more: Any) -> dict[str, Any]:
    provision = {"type": kind, "actor": [{"reference": {"reference": f"RelatedPerson/{actor}"}}]}
    return {
        "resourceType": "Consent",
        "id": key,
        "meta": {"versionId": str(version), "lastUpdated": f"2026-11-0{version}T00:00:00Z"},
        "status": "active",
        "category": [{"coding": [{"system": "urn:ours", "code": "portal"}]}],
        "patient": {"reference": "Patient/mia"},
        "provision": provision | more.pop("provision", {}),
    } | more


@pytest.fixture
def site(tmp_path: Path) -> Adapter:
    site = Adapter(tmp_path)
    (tmp_path / "mappings").mkdir()
    (tmp_path / "mappings" / "ours.toml").write_text(OURS, encoding="utf-8")
    site.config.write_text(practice("main-street", 'kind = "files"\npath = "ehr"', keys='mapping = "ours"'))
    return site


def charts(site: Adapter) -> set[str]:
    """Who sees the chart now."""
    return {account["email"] for account in site.accounts() if "active" in opens(account).values()}


def test_a_consent_opens_the_chart_and_a_denying_one_closes_it(site: Adapter) -> None:
    site.export([*FAMILY, consent("c1", "r-mother"), consent("c2", "r-father", "deny")])
    report = site.sync(at=NOW)
    assert report["problems"] == []
    assert charts(site) == {MOTHER}
    assert "The Authority is None." in site.run("explain", FATHER).out
    site.export([*FAMILY, consent("c1", "r-mother"), consent("c3", "r-mother", "deny")])
    site.sync(at=NOW)
    assert charts(site) == set()


def test_without_a_consent_nobody_sees_the_chart(site: Adapter) -> None:
    site.export(FAMILY)
    site.sync(at=NOW)
    assert charts(site) == set()


def test_a_consent_that_changes_decides_again_though_the_contact_did_not_change(site: Adapter) -> None:
    site.export([*FAMILY, consent("c1", "r-mother"), consent("c2", "r-father")])
    site.sync(at=NOW)
    assert charts(site) == {MOTHER, FATHER}
    site.export([*FAMILY, consent("c1", "r-mother"), consent("c2", "r-father", version=2, status="inactive")])
    site.sync(at=NOW)
    assert charts(site) == {MOTHER}


def test_a_consent_that_ends_closes_the_chart_on_that_day(site: Adapter) -> None:
    period = {"period": {"start": "2026-01-01", "end": "2026-11-30"}}
    site.export([*FAMILY, consent("c1", "r-mother", provision=period)])
    site.sync(at=NOW)
    assert charts(site) == {MOTHER}
    site.sync(at=NOW + timedelta(days=5))
    assert charts(site) == {MOTHER}
    site.sync(at=NOW + timedelta(days=7))
    assert charts(site) == set()


def test_an_older_copy_of_a_consent_does_not_come_back(site: Adapter) -> None:
    newer = consent("c1", "r-mother", version=2, status="inactive")
    for copies in ([consent("c1", "r-mother"), newer], [newer, consent("c1", "r-mother")]):
        site.export([*FAMILY, *copies])
        site.sync(at=NOW)
        assert charts(site) == set()


def test_two_different_copies_of_the_same_age_hold_the_contact(site: Adapter) -> None:
    site.export([*FAMILY, consent("c1", "r-mother"), consent("c1", "r-mother", "deny")])
    site.sync(at=NOW)
    assert charts(site) == set()


@pytest.mark.parametrize(
    "broken",
    [
        '{"resourceType": "Consent", "id": "c9"',
        '{"resourceType": "Consent", "id": "c9", "status": "active", "category": [{"text": "portal"}]}',
    ],
)
def test_a_consent_that_may_be_about_any_chart_makes_the_run_incomplete_and_changes_nothing(
    site: Adapter, broken: str
) -> None:
    site.export([*FAMILY, consent("c1", "r-mother")])
    site.sync(at=NOW)
    site.export([*FAMILY, contact("r-gran", "GRMTH", "gran@mail.example"), consent("c1", "r-gran")])
    (site.folder / "ehr" / "more.ndjson").write_text(broken + "\n")
    done = site.run("sync", "--json", at=NOW)
    assert (done.code, done.document["status"]) == (1, "incomplete")
    assert "nothing was read" in done.document["problems"][0]
    assert charts(site) == {MOTHER}


def test_a_damaged_consent_holds_the_contacts_of_its_chart_and_nobody_else(site: Adapter) -> None:
    noa = {"resourceType": "Patient", "id": "noa", "birthDate": "2018-01-01"}
    aunt = contact("r-aunt", "AUNT", "aunt@mail.example", chart="noa")
    other = consent("c2", "r-aunt", patient={"reference": "Patient/noa"})
    damaged = consent("c3", "r-father", "deny", modifierExtension=[{"url": "urn:unknown"}])
    site.export([*FAMILY, noa, aunt, consent("c1", "r-mother"), other, damaged])
    site.sync(at=NOW)
    assert charts(site) == {"aunt@mail.example"}


def test_a_nightly_review_reads_no_consents_and_changes_nothing_by_it(site: Adapter) -> None:
    from adapter.jobs.run import Request
    from adapter.jobs.sync import sync

    site.export([*FAMILY, consent("c1", "r-mother")])
    site.sync(at=NOW)
    app = site.app(NOW)
    report = sync(
        app.engine, app.practices["main-street"], Request(review=True), clock=app.clock, progress=lambda *_: None
    )
    assert report["changes"] == {} and charts(site) == {MOTHER}


def test_a_kept_plan_is_refused_when_a_consent_was_withdrawn_since(site: Adapter) -> None:
    site.export([*FAMILY, consent("c1", "r-mother"), consent("c2", "r-father")])
    plan = site.folder / "plan.json"
    assert site.run("plan", "--out", str(plan), at=NOW).code == 0
    site.export([*FAMILY, consent("c1", "r-mother"), consent("c2", "r-father", version=2, status="inactive")])
    refused = site.run("apply", str(plan), at=NOW)
    assert refused.code == 1 and "Consents" in refused.err
    assert charts(site) == set()
    site.export([*FAMILY, consent("c1", "r-mother"), consent("c2", "r-father")])
    assert site.run("apply", str(plan), at=NOW).code == 3
    assert charts(site) == {MOTHER, FATHER}
