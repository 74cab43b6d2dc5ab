"""A record that becomes damaged after it was good: what it opened is held, nobody gains, and repair brings it back."""

import json
from typing import Any

import pytest

from tests.acceptance.adapter_cli import Adapter, opens
from tests.acceptance.bad_records import Json, chart, mother

ODA, PER = "oda@kid.example", "per@kid.example"
DAMAGES: dict[str, Json] = {
    "role not a list": {"relationship": {"text": "Mother"}},
    "unknown modifier": {"modifierExtension": [{"url": "urn:x:not", "valueBoolean": True}]},
    "own rules": {"implicitRules": "http://rules.example/own"},
    "telecom without system": {"telecom": [{"value": ODA}]},
    "period upside down": {"period": {"start": "2024-01-01", "end": "2020-01-01"}},
}


def father(**elements: Any) -> Json:
    plain: Json = {"relationship": [{"text": "Father"}], "name": [{"text": "Per Ferncastle"}]}
    return mother(key="father", **(plain | {"telecom": [{"system": "email", "value": PER}]} | elements))


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_contact_is_held_and_comes_back_without_a_new_welcome(adapter: Adapter, damage: str) -> None:
    adapter.export([chart(), mother()])
    adapter.sync()
    adapter.json("deliver")
    adapter.export([chart(), mother(**DAMAGES[damage])])
    assert "hold-grant" in adapter.sync()["changes"]
    assert opens(adapter.account(ODA)) == {"kid": "held record-unusable"}
    (finding,) = adapter.json("findings")
    assert (finding["code"], finding["contact"]) == ("record-unusable", "RelatedPerson/kid-mother")
    assert "all.ndjson:2" in finding["message"] and "RelatedPerson." in finding["message"]
    adapter.json("deliver")
    (seen,) = adapter.app().portals["main-street"].accounts()
    assert seen.dependents == ()
    answer = adapter.json("explain", ODA)
    assert answer["reason"] == "record-unusable" and "Open the record in the EHR" in answer["remedy"]

    adapter.export([chart(), mother()])
    adapter.sync()
    assert opens(adapter.account(ODA)) == {"kid": "active"}
    assert adapter.account(ODA)["status"] == "invited"
    assert adapter.json("findings") == []
    adapter.json("deliver")
    assert len(adapter.mails()) == 1
    (seen,) = adapter.app().portals["main-street"].accounts()
    assert [dependent.patient for dependent in seen.dependents] == ["Patient/kid"]


@pytest.mark.parametrize("damage", [{"name": {"text": "x"}}, {"active": "yes"}, {"id": 7}], ids=str)
def test_a_damaged_chart_holds_everybody_on_it(adapter: Adapter, damage: Json) -> None:
    adapter.export([chart(), mother(), father()])
    adapter.sync()
    adapter.export([chart(**damage), mother(), father()])
    adapter.run("sync")
    if "id" in damage:  # nobody can tell that it is the same chart, or that the chart is gone
        assert opens(adapter.account(ODA)) == opens(adapter.account(PER)) == {"kid": "active"}
        return
    assert opens(adapter.account(ODA)) == opens(adapter.account(PER)) == {"kid": "held record-unusable"}


EXCLUSIVE: Json = {"extension": [{"url": "urn:fhir-portal-adapter:contact-authority", "valueCode": "exclusive"}]}
EXCLUSIVE_LOST: dict[str, Json] = {
    "authority missing": {"extension": None},
    "authority misspelt": {
        "extension": [{"url": "urn:fhir-portal-adapter:contact-authority", "valueCode": "exlusive"}]
    },
    "authority empty": {"extension": [{"url": "urn:fhir-portal-adapter:contact-authority"}]},
    "record damaged": {"relationship": {"text": "Mother"}},
    "role missing": {"relationship": None},
    "role unknown": {"relationship": [{"text": "Mthr"}]},
    "no e-mail": {"telecom": None},
    "name missing": {"name": None},
}


@pytest.mark.parametrize("damage", EXCLUSIVE_LOST)
def test_damage_to_the_exclusive_parent_does_not_open_the_chart_to_the_other(adapter: Adapter, damage: str) -> None:
    adapter.export([chart(), mother(**EXCLUSIVE), father()])
    adapter.sync()
    before = {"kid": "suspended authority-conflict"}
    assert opens(adapter.account(PER)) == before
    adapter.export([chart(), mother(**(EXCLUSIVE | EXCLUSIVE_LOST[damage])), father()])
    adapter.sync()
    assert opens(adapter.account(PER)) == before
    adapter.export([chart(), mother(extension=mother()["extension"]), father()])
    adapter.sync()
    assert opens(adapter.account(PER)) == opens(adapter.account(ODA)) == {"kid": "active"}


def test_an_exclusive_parent_whose_line_is_cut_off_still_keeps_the_other_out(adapter: Adapter) -> None:
    path = adapter.export([chart(), father(), mother(**EXCLUSIVE)])
    adapter.sync()
    good = "".join(json.dumps(record) + "\n" for record in (chart(), father()))
    cut_off = json.dumps(mother(**EXCLUSIVE))[:90]
    path.write_text(good + cut_off)
    done = adapter.run("sync", "--json")
    assert (done.code, done.document["status"], done.document["changes"]) == (1, "incomplete", {})
    path.write_text(
        "\n".join(map(json.dumps, [chart(), father()])) + "\n" + json.dumps(mother(**EXCLUSIVE))[:90] + "\n"
    )
    adapter.run("sync")
    assert opens(adapter.account(ODA)) == {"kid": "active"}
    assert opens(adapter.account(PER)) == {"kid": "suspended authority-conflict"}


def test_an_empty_folder_where_there_was_data_changes_nothing(story_adapter: Adapter) -> None:
    before = story_adapter.accounts()
    story_adapter.export([])
    for arguments in ([], ["--full"]):
        done = story_adapter.run("sync", *arguments, "--json")
        assert (done.code, done.document["status"], done.document["changes"]) == (1, "incomplete", {})
        assert "gave no patients" in done.document["problems"][0]
    (story_adapter.folder / "ehr" / "all.ndjson").unlink()
    (story_adapter.folder / "ehr").rmdir()
    assert "does not exist" in story_adapter.run("sync", "--json").document["problems"][0]
    assert story_adapter.accounts() == before


def test_half_an_export_changes_nothing(adapter: Adapter) -> None:
    charts = [chart(f"k{number}") for number in range(200)]
    adapter.export([*charts, *(mother(one["id"]) for one in charts)])
    adapter.sync()
    adapter.export([*charts[:100], *(mother(one["id"]) for one in charts[:100])])
    done = adapter.run("sync", "--json")
    assert (done.code, done.document["status"], done.document["changes"]) == (1, "incomplete", {})
    assert "were missing" in done.document["problems"][0]
