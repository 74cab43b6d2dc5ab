"""What is no longer in the EHR: absence is believed only when nothing was in doubt, explicit evidence at once."""

import json

from adapter.sandbox.ehr import SandboxEhr
from tests.acceptance.adapter_cli import Adapter, opens
from tests.acceptance.bad_records import Json, chart, mother

ODA, PER = "oda@kid.example", "per@kid.example"
FATHER: Json = {
    "relationship": [{"text": "Father"}],
    "name": [{"text": "Per Ferncastle"}],
    "telecom": [{"system": "email", "value": PER}],
}
EXCLUSIVE: Json = {"extension": [{"url": "urn:fhir-portal-adapter:contact-authority", "valueCode": "exclusive"}]}


def test_a_contact_removed_from_one_chart_ends_when_that_family_alone_is_synced(adapter: Adapter) -> None:
    adapter.export([chart(), mother(), chart("other"), mother("other")])
    adapter.sync()
    adapter.export([chart(), chart("other")])
    assert adapter.sync("--person", "Patient/kid")["changes"]["end-grant"] == 1
    assert opens(adapter.account(ODA)) == {"kid": "ended contact-gone"}
    assert opens(adapter.account("oda@other.example")) == {"other": "active"}


def test_a_chart_removed_from_the_ehr_is_closed_to_everybody(adapter: Adapter) -> None:
    with SandboxEhr([chart(), mother(), chart("other"), mother("other")]) as ehr:
        adapter.reads_http(ehr.base_url)
        adapter.sync()
        ehr.delete("Patient/kid")
        adapter.sync("--full")
        assert "active" not in opens(adapter.account(ODA)).values()
        assert opens(adapter.account("oda@other.example")) == {"other": "active"}
        ehr.put(chart())
        adapter.sync()
        assert opens(adapter.account(ODA)) == {"kid": "active"}


def test_when_the_exclusive_parent_is_gone_from_an_incomplete_read_the_other_still_waits(adapter: Adapter) -> None:
    adapter.export([chart()], "charts.ndjson")
    adapter.export([mother(**EXCLUSIVE)], "mother.ndjson")
    adapter.export([mother(key="father", **FATHER)], "father.ndjson")
    adapter.sync()
    adapter.export([], "mother.ndjson")
    broken = adapter.folder / "ehr" / "broken.json"
    broken.write_text('{"resourceType": "Bundle", "entry": [')
    adapter.run("sync")
    assert opens(adapter.account(ODA)) == {"kid": "active"}
    assert opens(adapter.account(PER)) == {"kid": "suspended authority-conflict"}
    broken.unlink()
    adapter.sync()
    assert opens(adapter.account(ODA)) == {"kid": "ended contact-gone"}
    assert opens(adapter.account(PER)) == {"kid": "active"}


def test_an_exclusive_parent_who_ends_explicitly_in_an_incomplete_read_opens_nothing_to_the_other(
    adapter: Adapter,
) -> None:
    adapter.export([chart(), mother(**EXCLUSIVE), mother(key="father", **FATHER)])
    adapter.sync()
    broken = adapter.folder / "ehr" / "broken.json"
    broken.write_text('{"resourceType": "Bundle", "entry": [')
    adapter.export([chart(), mother(**EXCLUSIVE, active=False), mother(key="father", **FATHER)])
    done = adapter.run("sync", "--json")
    assert (done.code, done.document["status"]) == (1, "incomplete")
    assert opens(adapter.account(ODA)) == {"kid": "ended contact-inactive"}
    assert opens(adapter.account(PER)) == {"kid": "suspended authority-conflict"}
    broken.unlink()
    adapter.sync()
    assert opens(adapter.account(PER)) == {"kid": "active"}


def test_nobody_new_is_opened_by_an_incomplete_read(adapter: Adapter) -> None:
    adapter.export([chart(), mother()])
    broken = adapter.folder / "ehr" / "broken.json"
    broken.write_text('{"resourceType": "Bundle", "entry": [')
    done = adapter.run("sync", "--json")
    assert (done.code, done.document["changes"]) == (1, {})
    planned = adapter.run("plan", "--json")
    assert (planned.code, planned.document["actions"], planned.document["complete"]) == (1, [], False)
    assert adapter.accounts() == []
    broken.unlink()
    assert adapter.sync()["changes"] == {"open-account": 1, "grant": 1, "queue-welcome": 1}


def test_a_contact_that_only_lost_its_line_end_is_not_gone(adapter: Adapter) -> None:
    path = adapter.export([chart(), mother()])
    adapter.sync()
    path.write_text(f"{json.dumps(chart())}\r\n\r\n{json.dumps(mother())}")
    assert adapter.sync()["changes"] == {}


def test_everybody_is_told_apart_by_their_whole_address(adapter: Adapter) -> None:
    addresses = ["oda@kid.example", "oda+1@kid.example", "o.da@kid.example", "oda@KID.example", " ODA@kid.example "]
    contacts = [
        mother(key=f"m{number}", name=[{"text": "Oda Ferncastle"}], telecom=[{"system": "email", "value": address}])
        for number, address in enumerate(addresses)
    ]
    adapter.export([chart(), *contacts])
    adapter.sync()
    assert {account["email"].lower() for account in adapter.accounts()} == {
        address.strip().lower() for address in addresses
    }


def test_a_chart_that_is_put_right_in_an_incomplete_read_opens_with_the_next_complete_one(adapter: Adapter) -> None:
    adapter.export([chart(birthDate="1019-05-17"), mother()])
    adapter.sync()
    assert opens(adapter.account(ODA)) == {"kid": "held birthdate-unusable"}
    broken = adapter.folder / "ehr" / "broken.json"
    broken.write_text('{"resourceType": "Bundle", "entry": [')
    adapter.export([chart(), mother()])
    adapter.run("sync")
    assert opens(adapter.account(ODA)) == {"kid": "held birthdate-unusable"}
    broken.unlink()
    adapter.sync()
    assert opens(adapter.account(ODA)) == {"kid": "active"}
