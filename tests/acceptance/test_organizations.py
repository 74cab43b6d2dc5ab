"""A practice with several locations: parents see the merchant of the Organization that keeps a child's chart."""

from datetime import UTC, datetime, timedelta

import pytest

from adapter.jobs.work import run_job
from adapter.portal.embedded import EmbeddedPortal
from adapter.sandbox.charts import Resource
from adapter.schedule_files import JobName
from tests.acceptance.adapter_cli import Adapter

NORTH, SOUTH = "Organization/north", "Organization/south"
MERCHANTS = """
[practice.merchant]
vendor = "instamed"
[[practice.merchant.organization]]
id = "Organization/north"
name = "Main Street North"
vendor = "url"
title = "Pay Main Street North"
link = "https://pay.bank.example/north"
[practice.merchant.organization.warning]
level = "warning"
en = "North is paid through its own bank."
"""
OWN_TITLE, NORTH_TITLE = "Pay your bill", "Pay Main Street North"


def child(key: str, organization: str | None, email: str) -> list[Resource]:
    """A child that an Organization keeps, and its mother."""
    patient: Resource = {
        "resourceType": "Patient",
        "id": key,
        "birthDate": "2020-01-01",
        "name": [{"text": f"Kid {key}"}],
    }
    if organization:
        patient["managingOrganization"] = {"reference": organization}
    mother: Resource = {
        "resourceType": "RelatedPerson",
        "id": f"{key}-mother",
        "patient": {"reference": f"Patient/{key}"},
        "relationship": [{"text": "Mother"}],
        "name": [{"text": "Ana Rivera"}],
        "telecom": [{"system": "email", "value": email}],
        "extension": [{"url": "urn:fhir-portal-adapter:contact-authority", "valueCode": "joint"}],
    }
    return [patient, mother]


def seen_by(site: Adapter, email: str, at: datetime) -> list[str]:
    """The titles of what an account sees for payments."""
    portal = site.app(at).portals["main-street"]
    assert isinstance(portal, EmbeddedPortal)
    (account,) = [one for one in portal.accounts() if one.email == email]
    return [widget.title for widget in portal.pages_of(account.key)]


def test_parents_see_the_merchant_of_their_childrens_organization(adapter: Adapter) -> None:
    adapter.configure(more=MERCHANTS)
    families = [
        *child("a", NORTH, "north@mail.example"),
        *child("b", NORTH, "both@mail.example"),
        *child("c", SOUTH, "both@mail.example"),
        *child("d", None, "none@mail.example"),
    ]
    adapter.export(families)
    now = datetime.now(UTC)
    adapter.sync(at=now)
    adapter.json("widgets", "publish", at=now)
    adapter.json("deliver", at=now)
    later = now + timedelta(minutes=16)
    assert seen_by(adapter, "north@mail.example", later) == [NORTH_TITLE]
    assert seen_by(adapter, "both@mail.example", later) == [OWN_TITLE, NORTH_TITLE]
    assert seen_by(adapter, "none@mail.example", later) == [OWN_TITLE]
    (account,) = adapter.json("accounts", "north@mail.example")
    assert account["dependents"][0]["organization"] == NORTH

    adapter.export([*child("a", SOUTH, "north@mail.example"), *families[2:]])
    moved = adapter.sync("--full", at=later)
    assert moved["changes"] == {"change-grant": 1}
    adapter.json("deliver", at=later)
    assert seen_by(adapter, "north@mail.example", later) == [OWN_TITLE]

    run_job(adapter.app(later), "main-street", JobName.WIDGETS)
    own, north = adapter.json("widgets")
    assert (own["organization"], own["state"]) == (None, "live")
    assert (north["organization"], north["organization_name"], north["state"]) == (NORTH, "Main Street North", "live")
    assert north["charts"] == 1


def test_a_merchant_of_an_organization_that_no_chart_names_is_pointed_out(adapter: Adapter) -> None:
    adapter.configure(more=MERCHANTS.replace("Organization/north", "Organization/nroth"))
    adapter.export(child("a", NORTH, "north@mail.example"))
    adapter.sync()
    adapter.json("widgets", "publish")
    assert "no open chart names this Organization" in " ".join(adapter.run("widgets").out.split())


@pytest.mark.parametrize("line", ['id = "Organization/\\u001b[31m"', 'name = "<b>North</b>"', 'id = ""'])
def test_an_organization_is_named_in_plain_text(adapter: Adapter, line: str) -> None:
    lines = MERCHANTS.splitlines()
    key = line.partition(" = ")[0]
    adapter.configure(more="\n".join(line if text.startswith(f"{key} = ") else text for text in lines))
    done = adapter.run("widgets")
    assert done.code == 2 and f"merchant.organization.0.{key}" in done.err


def test_a_damaged_organization_keeps_nobody_out_and_shows_the_practices_own_merchant(adapter: Adapter) -> None:
    adapter.configure(more=MERCHANTS)
    rows: list[Resource] = []
    damaged = [
        "north",
        7,
        [],
        {"reference": 7},
        {"reference": "#north"},
        {"reference": "urn:uuid:1"},
        {"identifier": []},
    ]
    damaged += [
        {"reference": "Patient/1"},
        {"reference": "https://elsewhere.example/Organization/north"},
        {"display": "N"},
    ]
    for number, value in enumerate(damaged):
        patient, mother = child(f"p{number}", None, "ana@mail.example")
        rows += [patient | {"managingOrganization": value}, mother]
    adapter.export(rows)
    adapter.sync()
    (account,) = adapter.accounts()
    assert [one["state"] for one in account["dependents"]] == ["active"] * len(damaged)
    assert {one["organization"] for one in account["dependents"]} == {None, "north"}  # a text is taken as it is


def test_an_organization_can_be_named_by_an_identifier(adapter: Adapter) -> None:
    patient, mother = child("a", None, "ana@mail.example")
    patient["managingOrganization"] = {"identifier": {"system": "urn:ods", "value": "Y12345"}}
    adapter.export([patient, mother])
    adapter.sync()
    assert adapter.accounts()[0]["dependents"][0]["organization"] == "urn:ods|Y12345"
