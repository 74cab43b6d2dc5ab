"""What an EHR reads of the adapter, with clients that EHRs use: Person, Consent, Communication, Task, AuditEvent."""

from importlib import import_module
from typing import Any

import pytest
import requests
from fhirpy import SyncFHIRClient

from adapter.core.fhir_face.scopes import TYPES
from adapter.store import findings, views
from adapter.store.engine import read
from tests.acceptance.adapter_cli import GRACE, Adapter
from tests.acceptance.vendor import EHR, Vendor, vendor_of

ADA = "Patient/okafor-ada"


@pytest.fixture
def reader(vendor: Vendor) -> Vendor:
    """A vendor that is signed in for everything."""
    vendor.sign_in()
    return vendor


@pytest.fixture
def accounts(reader: Vendor) -> list[dict[str, Any]]:
    """What ``adapter accounts --json`` says."""
    with read(reader.app.engine) as connection:
        return views.accounts(connection, ["main-street"])


def check(resource: dict[str, Any]) -> None:
    """The resource is valid by fhir.resources, and says nothing that its model does not know."""
    kind = resource["resourceType"]
    model = getattr(import_module(f"fhir.resources.R4B.{kind.lower()}"), kind)
    model.model_validate(resource)


def contact_of(accounts: list[dict[str, Any]], email: str, patient: str) -> str:
    (account,) = [one for one in accounts if one["email"] == email]
    (dependent,) = [one for one in account["dependents"] if one["patient"] == patient]
    contact: str = dependent["contact"]
    return contact


def everything(reader: Vendor, kind: str, count: int = 7) -> list[dict[str, Any]]:
    """All of a type, by the next links."""
    found, address = [], f"{reader.base}/{kind}?_count={count}"
    while address:
        bundle = reader.session.get(address, timeout=10).json()
        check(bundle)
        found += [entry["resource"] for entry in bundle.get("entry", ())]
        address = next((link["url"] for link in bundle["link"] if link["relation"] == "next"), "")
    return found


def test_the_ehr_shows_sent_and_not_yet_registered(site: Adapter) -> None:
    grace = contact_of(site.accounts(), GRACE, ADA)
    assert site.run("deliver").code == 0
    with vendor_of(site) as vendor:
        vendor.sign_in("system/Communication.rs")
        (mail,) = vendor.search(f"Communication?recipient={grace}")
        text = mail["payload"][0]["contentString"]
        assert mail["status"] == "completed" and mail["sent"]
        assert text.startswith("Welcome email sent ") and text.endswith(", not yet registered")
        assert vendor.search(f"Communication?recipient={EHR}/{grace}") == [mail]
        assert vendor.search(f"Communication?patient={ADA}&status=completed&sent=ge2020-01-01") == [mail]
        assert vendor.search(f"Communication?recipient={grace}&status=preparation") == []
        assert GRACE not in str(mail), "the scope has no accounts, so no address"


@pytest.mark.parametrize("kind", TYPES)
def test_every_resource_of_the_story_is_valid_and_is_read_again_by_its_id(reader: Vendor, kind: str) -> None:
    found = everything(reader, kind)
    assert len(found) > 3 and len({one["id"] for one in found}) == len(found)
    for one in found:
        check(one)
    again = reader.get(f"{kind}/{found[-1]['id']}")
    assert again.json() == found[-1]
    assert again.headers["content-type"] == "application/fhir+json"
    assert reader.search(f"{kind}?_id={found[0]['id']},{found[1]['id']},nobody") == found[:2]
    total = reader.get(f"{kind}?_summary=count").json()["total"]
    assert total == len(found) or (kind == "AuditEvent" and total > len(found)), "each read is an entry of the trail"


def test_an_account_links_to_the_contacts_its_user_is_and_never_to_the_child(
    accounts: list[dict[str, Any]], reader: Vendor
) -> None:
    reader.sign_in("system/Person.rs")
    (person,) = reader.search(f"Person?email={GRACE.upper()}")
    targets = {link["target"]["reference"]: link["assurance"] for link in person["link"]}
    contacts = {one["contact"] for account in accounts if account["email"] == GRACE for one in account["dependents"]}
    assert targets == {f"{EHR}/{contact}": "level2" for contact in contacts} and len(contacts) == 2
    assert reader.search(f"Person?relatedperson={min(contacts)}") == [person]
    assert reader.search(f"Person?patient={ADA}") == []


def test_a_parent_who_is_a_patient_links_to_their_own_chart(accounts: list[dict[str, Any]], reader: Vendor) -> None:
    mine = [(one["email"], d["patient"]) for one in accounts for d in one["dependents"] if d["self"]]
    assert mine
    for email, patient in mine:
        (person,) = reader.search(f"Person?patient={patient}")
        assert person["telecom"][0]["value"] == email
        assert f"{EHR}/{patient}" in {link["target"]["reference"] for link in person["link"]}


def test_a_grant_says_who_may_open_which_chart_and_on_what_authority(
    accounts: list[dict[str, Any]], reader: Vendor
) -> None:
    grace = contact_of(accounts, GRACE, ADA)
    (consent,) = reader.search(f"Consent?patient={ADA}&actor={grace}&status=active")
    provision = consent["provision"]
    assert (consent["status"], provision["type"]) == ("active", "permit")
    assert consent["policyRule"]["coding"][0]["code"] == "joint"
    assert provision["actor"][0]["role"]["coding"][0]["code"] == "MTH"
    assert provision["actor"][0]["reference"]["reference"] == f"{EHR}/{grace}"
    assert consent["patient"]["reference"] == f"{EHR}/{ADA}"
    for other in everything(reader, "Consent"):
        assert (other["status"] == "active") == (other["provision"]["type"] == "permit")


def test_a_finding_is_a_task_with_its_remedy(reader: Vendor) -> None:
    with read(reader.app.engine) as connection:
        listed = findings.listing(connection, ["main-street"])
    finding = next(one for one in listed if one["patient"] and one["contact"])
    query = f"patient={finding['patient']}&focus={finding['contact']}&code={finding['code']}&status=requested"
    (task,) = reader.search(f"Task?{query}")
    assert task["id"] == finding["id"]
    assert (task["description"], task["note"][0]["text"]) == (finding["message"], finding["remedy"])
    reader.sign_in("system/Task.rs")
    (bare,) = reader.search(f"Task?{query}")
    assert bare["description"] != finding["message"] and bare["note"] == task["note"]


def test_without_the_scope_for_accounts_no_address_and_no_name_shows_anywhere(
    accounts: list[dict[str, Any]], reader: Vendor
) -> None:
    reader.sign_in("system/Consent.rs system/Communication.rs system/Task.rs system/AuditEvent.rs")
    names = [word for one in accounts for word in (one["email"], one["name"]) if word]
    for kind in ("Consent", "Communication", "Task", "AuditEvent"):
        text = str(everything(reader, kind, 500)).lower()
        assert [name for name in names if name.lower() in text] == []


def test_a_well_known_client_walks_through_it(reader: Vendor) -> None:
    token = reader.session.headers["Authorization"]
    client = SyncFHIRClient(reader.base, authorization=str(token))
    people = client.resources("Person").limit(3).fetch_all()
    assert len(people) == len(everything(reader, "Person"))
    assert client.resources("Consent").search(status="active").limit(5).fetch_all()
    first = client.resources("Communication").first()
    assert first is not None
    assert client.reference("Communication", first["id"]).to_resource()["status"] == first["status"]


def test_what_changed_since_is_found_and_what_did_not_is_not(site: Adapter) -> None:
    with vendor_of(site) as vendor:
        vendor.sign_in()
        _changes_show(site, vendor)


def _changes_show(site: Adapter, reader: Vendor) -> None:
    before = reader.get("Person").json()["meta"]["lastUpdated"]
    assert everything(reader, "Person") and reader.search(f"Person?_lastUpdated=gt{before}") == []
    assert reader.search(f"Communication?_lastUpdated=le{before}&_count=1")
    assert site.run("register", GRACE, "--yes").code == 1, "it is queued already"
    (mail,) = reader.search(f"Communication?recipient={contact_of(site.accounts(), GRACE, ADA)}")
    site.configure(ehr='kind = "files"\npath = "ehr"')
    assert site.run("deliver").code == 0
    changed = reader.search(f"Communication?_lastUpdated=gt{before}&_count=500")
    (now,) = [one for one in changed if one["id"] == mail["id"]]
    assert now["meta"]["versionId"] != mail["meta"]["versionId"] and now["status"] == "completed"
    assert GRACE in str(reader.search(f"Person?_lastUpdated=gt{before}&_count=500"))


def test_a_version_that_the_client_has_is_not_sent_again(reader: Vendor) -> None:
    (person,) = reader.search("Person?_count=1")
    answer = reader.get(f"Person/{person['id']}")
    tag = answer.headers["ETag"]
    assert tag == f'W/"{person["meta"]["versionId"]}"' and answer.headers["Last-Modified"].endswith("GMT")
    again = reader.get(f"Person/{person['id']}", headers={"If-None-Match": tag})
    assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", tag)
    head = reader.get(f"Person/{person['id']}", method="HEAD")
    assert (head.status_code, head.content, head.headers["ETag"]) == (200, b"", tag)


def test_what_is_not_known_is_left_out_of_the_self_link_or_refused(reader: Vendor) -> None:
    lenient = reader.get("Person?email=a@b.example&shoe-size=43&_count=2")
    assert lenient.json()["link"] == [{"relation": "self", "url": f"{reader.base}/Person?email=a%40b.example&_count=2"}]
    strict = reader.get("Person?shoe-size=43", headers={"Prefer": "return=minimal; handling=strict"})
    assert strict.status_code == 400 and "shoe-size" in strict.json()["issue"][0]["diagnostics"]


def test_a_search_may_come_by_post(reader: Vendor) -> None:
    by_get = reader.get(f"Consent?patient={ADA}").json()
    by_post = reader.session.post(f"{reader.base}/Consent/_search", data={"patient": ADA}, timeout=10).json()
    assert by_post["entry"] == by_get["entry"] and by_get["entry"]
    as_json = reader.session.post(f"{reader.base}/Consent/_search", json={"patient": ADA}, timeout=10)
    assert as_json.status_code == 415


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("Person?_count=many", 400),
        ("Person?_lastUpdated=yesterday", 400),
        ("Person?_lastUpdated=ap2026", 400),
        ("Person?email:exact=a", 400),
        ("Consent?patient:Group=1", 400),
        ("Person?_page=nonsense", 400),
        ("Person?_page=eyJ0eXBlIjoiVGFzayJ9", 400),
        ("Person?_page=eyJ0eXBlIjoiUGVyc29uIiwic2VhcmNoIjpbXSwiYWZ0ZXIiOls3XX0", 400),
        ("Person?_id=%00", 400),
        ("Person?_lastUpdated=0001-01-01T00:00:00%2B14:00", 400),
        ("Person?_summary=text", 400),
        ("Person?email=" + ",".join("ab"), 200),
        ("Person?_id=" + ",".join("a" * 101), 400),
        ("Person?relatedperson=https://elsewhere.example/RelatedPerson/1", 200),
        ("Person/nobody", 404),
        ("Person/no body", 404),
        ("Consent/x.y", 404),
        ("AuditEvent/main-street-99999999999999999999", 404),
        ("Patient", 404),
        ("Patient/1", 404),
        ("", 404),
        ("Person/1/_history/1", 404),
        ("Person?_format=xml", 406),
    ],
)
def test_every_refusal_is_an_operation_outcome(reader: Vendor, path: str, status: int) -> None:
    answer = reader.get(path)
    assert answer.status_code == status
    if status != 200:
        check(answer.json())
        assert answer.json()["resourceType"] == "OperationOutcome"


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("path", ["", "Person", "Person/1"])
def test_nothing_can_be_written(reader: Vendor, method: str, path: str) -> None:
    answer = reader.get(path, method=method, json={"resourceType": "Person"})
    assert (answer.status_code, answer.headers["Allow"]) == (405, "GET, HEAD")
    check(answer.json())


@pytest.mark.parametrize(
    ("accept", "status"),
    [
        ("application/fhir+json", 200),
        ("application/fhir+json; fhirVersion=4.0", 200),
        ("text/html,application/xhtml+xml,*/*;q=0.8", 200),
        ("application/json", 200),
        ("application/fhir+xml", 406),
        ("application/fhir+json; fhirVersion=5.0", 406),
        ("application/fhir+json;q=0", 406),
    ],
)
def test_json_of_r4_is_what_there_is(reader: Vendor, accept: str, status: int) -> None:
    assert reader.get("Person?_count=1", headers={"Accept": accept}).status_code == status


def test_the_server_describes_itself_to_everybody_and_alike_for_every_practice(site: Adapter) -> None:
    with vendor_of(site) as vendor:
        statement = requests.get(f"{vendor.base}/metadata", timeout=10).json()
        smart = requests.get(f"{vendor.base}/.well-known/smart-configuration", timeout=10).json()
        other = requests.get(f"{vendor.address}/fhir/elsewhere/metadata", timeout=10).json()
    check(statement)
    assert statement["fhirVersion"] == "4.0.1"
    assert {one["type"] for one in statement["rest"][0]["resource"]} == set(TYPES)
    assert smart["token_endpoint"] == f"{vendor.address}/oauth2/token"
    assert "client-confidential-asymmetric" in smart["capabilities"]
    other["implementation"]["url"] = statement["implementation"]["url"]
    assert other == statement
