"""EHRs whose contacts are not where FHIR has them, from the command line: the accounts are those of any other EHR."""

from typing import Any

import pytest

from adapter.profiles import data_folder
from tests.acceptance.adapter_cli import Adapter, opens
from tests.acceptance.bad_records import Json, chart, mother
from tests.edges.ehr.strategies.odd_ehr import NUMBER, OddEhr

ODA = "oda@kid.example"
TO_ODA: Json = {"telecom": [{"system": "email", "value": ODA}]}
NONE = {"extension": [{"url": "urn:fhir-portal-adapter:contact-authority", "valueCode": "none"}]}


def profiled(adapter: Adapter, search: str) -> Adapter:
    """The default profile with a ``[search]`` table, as a practice would write it beside its config.toml."""
    folder = adapter.folder / "mappings"
    folder.mkdir()
    text = (data_folder("mappings") / "family-contacts.toml").read_text(encoding="utf-8")
    (folder / "family-contacts.toml").write_text(f"{text}\n[search]\n{search}\n", encoding="utf-8")
    return adapter


def the_same(person: Json) -> Json:
    """The mother under the one id that she has on each of her children."""
    return person | {"id": "oda"}


def entry(of: str, **changes: Any) -> Json:
    """The mother as an entry of her child's chart."""
    person = mother(of, **TO_ODA, **changes)
    kept = {key: person[key] for key in ("relationship", "telecom", "extension", "period") if key in person}
    return kept | {"name": person["name"][0]}


def test_contacts_in_the_chart_open_it_and_close_it_again(adapter: Adapter) -> None:
    charts = [chart(kid, contact=[entry(kid)]) for kid in ("ann", "bob", "cid")]
    with OddEhr(charts) as ehr:
        profiled(adapter, 'contacts = "Patient.contact"').reads_http(ehr.base_url)
        report = adapter.sync()
        assert (report["status"], report["read"]["contacts"]) == ("complete", 3), report["problems"]
        assert opens(adapter.account(ODA)) == {"ann": "active", "bob": "active", "cid": "active"}
        ehr.resources[0]["contact"] = [entry("ann", **NONE)]
        del ehr.resources[1]["contact"]
        adapter.sync()
        account = opens(adapter.account(ODA))
        assert account == {"ann": "ended authority-none", "bob": "ended contact-gone", "cid": "active"}


def test_a_contact_of_the_chart_is_read_again_alone(adapter: Adapter) -> None:
    with OddEhr([chart("ann", contact=[entry("ann")]), chart("bob", contact=[entry("bob")])]) as ehr:
        profiled(adapter, 'contacts = "Patient.contact"').reads_http(ehr.base_url)
        adapter.sync()
        source = next(one["source"] for one in adapter.account(ODA)["dependents"] if one["patient"] == "Patient/ann")
        ehr.resources[0]["contact"] = [entry("ann", **NONE)]
        assert adapter.sync("--person", source.split("/_history")[0])["changes"] == {"end-grant": 1}
        assert opens(adapter.account(ODA)) == {"ann": "ended authority-none", "bob": "active"}


@pytest.mark.parametrize("strategy", ["auto", "list", "batch", "each"])
def test_one_id_for_a_mother_of_two_gives_one_account_with_both(adapter: Adapter, strategy: str) -> None:
    rows = [chart("ann"), chart("bob"), the_same(mother("ann", **TO_ODA)), the_same(mother("bob", **TO_ODA))]
    others = [chart("cid"), mother("cid"), chart("dan"), mother("dan")]
    with OddEhr(rows + others, batch=True) as ehr:
        profiled(adapter, 'contact_ids = "person"').reads_http(ehr.base_url, strategy=strategy)
        report = adapter.sync()
        assert (report["status"], report["read"]["contacts"], report["read"]["quarantined"]) == ("complete", 4, 0)
        assert opens(adapter.account(ODA)) == {"ann": "active", "bob": "active"}
        ehr.resources.remove(rows[2])
        assert adapter.sync("--full")["changes"] == {"end-grant": 1}
        assert opens(adapter.account(ODA)) == {"ann": "ended contact-gone", "bob": "active"}


def test_without_the_profile_such_an_id_opens_nothing_and_is_shown(adapter: Adapter) -> None:
    rows = [chart("ann"), chart("bob"), the_same(mother("ann", **TO_ODA)), the_same(mother("bob", **TO_ODA))]
    with OddEhr(rows) as ehr:
        adapter.reads_http(ehr.base_url)
        adapter.sync()
        assert all("active" not in opens(account).values() for account in adapter.accounts())
        assert "record-unusable" in {one["code"] for one in adapter.json("findings")}


def test_a_chart_named_by_its_number_is_opened_by_who_names_it(adapter: Adapter) -> None:
    def numbered(kid: str, number: str) -> Json:
        return chart(kid, identifier=[{"system": NUMBER, "value": number}])

    def of(kid: str, number: str) -> Json:
        return mother(kid, **TO_ODA) | {"patient": {"identifier": {"system": NUMBER, "value": number}}}

    rows = [numbered("ann", "111"), numbered("bob", "222"), numbered("twin", "222"), of("ann", "111"), of("bob", "222")]
    declares = OddEhr.ALL - {"revinclude"}
    with OddEhr(rows, declares=declares, known_params={"identifier": _has_number}) as ehr:
        profiled(adapter, f'patient_identifier = "{NUMBER}"').reads_http(ehr.base_url)
        adapter.sync()
        assert opens(adapter.account(ODA)) == {"ann": "active"}, "whose number 222 is, nobody can tell"


def _has_number(row: Json, value: str) -> bool:
    system, _, number = value.partition("|")
    return row["resourceType"] != "Patient" or {"system": system, "value": number} in row.get("identifier", [])
