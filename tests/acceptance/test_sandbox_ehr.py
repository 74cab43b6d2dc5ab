"""The demo EHR over real HTTP: what it says about itself, its resources, their versions and the staff's edits."""

import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest
import requests
from fhir.resources.R4B.bundle import Bundle
from fhir.resources.R4B.capabilitystatement import CapabilityStatement
from fhir.resources.R4B.operationoutcome import OperationOutcome

from adapter.errors import FatalError
from adapter.sandbox.charts import AUTHORITY
from adapter.sandbox.ehr import SandboxEhr
from adapter.sandbox.ehr_store import Unacceptable
from adapter.sandbox.families import SELF_ROW, WITHDRAWN_ROW, story

TODAY = date(2026, 11, 23)
MODELS: dict[str, Any] = {
    "Bundle": Bundle,
    "CapabilityStatement": CapabilityStatement,
    "OperationOutcome": OperationOutcome,
}


def story_resources() -> list[dict[str, Any]]:
    return [resource for family in story(TODAY) for resource in family.resources]


def checked(response: requests.Response) -> dict[str, Any]:
    """The answer's body, once it has proven to be valid FHIR sent as FHIR."""
    assert response.headers["Content-Type"].startswith("application/fhir+json")
    body: dict[str, Any] = response.json()
    MODELS[body["resourceType"]].model_validate(body)
    return body


@pytest.fixture(scope="module")
def shared_ehr() -> Iterator[SandboxEhr]:
    with SandboxEhr(story_resources()) as running:
        yield running


@pytest.fixture
def ehr() -> Iterator[SandboxEhr]:
    with SandboxEhr(story_resources()) as running:
        yield running


def test_the_server_says_what_it_can_do_and_nothing_more(shared_ehr: SandboxEhr) -> None:
    statement = checked(requests.get(f"{shared_ehr.base_url}/metadata", timeout=5))
    assert (statement["fhirVersion"], statement["implementation"]["url"]) == ("4.0.1", shared_ehr.base_url)
    resources = {item["type"]: item for item in statement["rest"][0]["resource"]}
    assert resources["Patient"]["searchRevInclude"] == ["RelatedPerson:patient"]
    assert "searchRevInclude" not in resources["RelatedPerson"]
    examples = {"_id": "okafor-ada", "_lastUpdated": "ge2020-01-01", "patient": "okafor-ada"}
    for kind, resource in resources.items():
        listed = {parameter["name"] for parameter in resource["searchParam"]}
        for name, value in examples.items():
            status = requests.get(f"{shared_ehr.base_url}/{kind}", params={name: value}, timeout=5).status_code
            assert status == (200 if name in listed else 400), (kind, name)


def test_a_server_without_revinclude_says_so_and_refuses_it() -> None:
    with SandboxEhr(story_resources(), revinclude=False) as ehr:
        statement = checked(requests.get(f"{ehr.base_url}/metadata", timeout=5))
        assert all("searchRevInclude" not in item for item in statement["rest"][0]["resource"])
        url = f"{ehr.base_url}/Patient?_revinclude=RelatedPerson:patient"
        assert requests.get(url, timeout=5).status_code == 400


def test_a_read_gives_the_resource_with_its_version(shared_ehr: SandboxEhr) -> None:
    response = requests.get(f"{shared_ehr.base_url}/Patient/okafor-ada", timeout=5)
    assert response.headers["Content-Type"] == "application/fhir+json; charset=utf-8"
    assert response.headers["ETag"] == 'W/"1"'
    assert response.headers["Date"]
    assert response.headers["Last-Modified"].endswith("GMT")
    resource = response.json()
    assert resource["meta"]["versionId"] == "1"
    assert resource.pop("meta")["lastUpdated"].endswith("Z")
    assert resource in story_resources()


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/Patient/nobody", 404, "not-found"),
        ("/Patient/okafor-ada/_history/7", 404, "not-found"),
        ("/Patient/nobody/_history", 404, "not-found"),
        ("/Observation", 404, "not-supported"),
        ("/Observation/1/more/of/it", 404, "not-supported"),
        ("/Patient?name=Ada", 400, "not-supported"),
        ("/Patient?patient=okafor-ada", 400, "not-supported"),
        ("/Patient?_revinclude=Observation:subject", 400, "not-supported"),
        ("/Patient?_format=xml", 400, "not-supported"),
        ("/Patient?_lastUpdated=yesterday", 400, "invalid"),
        ("/Patient?_lastUpdated=ge2026-02-30", 400, "invalid"),
        ("/Patient?_lastUpdated=ge9999-12-31", 400, "invalid"),
        ("/Patient?_count=many", 400, "invalid"),
        ("/Patient?_page=nonsense", 400, "invalid"),
        ("/Patient?_page=W10&_count=2", 400, "invalid"),
    ],
)
def test_what_cannot_be_answered_is_an_operation_outcome(
    shared_ehr: SandboxEhr, path: str, status: int, code: str
) -> None:
    response = requests.get(shared_ehr.base_url + path, timeout=5)
    assert response.status_code == status
    (issue,) = checked(response)["issue"]
    assert (issue["severity"], issue["code"]) == ("error", code)


def test_an_interaction_it_does_not_have_is_refused(shared_ehr: SandboxEhr) -> None:
    response = requests.post(f"{shared_ehr.base_url}/Patient", json={}, timeout=5)
    assert response.status_code == 405
    checked(response)


def test_an_edit_over_http_makes_a_new_version(ehr: SandboxEhr) -> None:
    url = f"{ehr.base_url}/Patient/okafor-ada"
    resource = requests.get(url, timeout=5).json() | {"active": False}
    response = requests.put(url, json=resource, timeout=5)
    assert (response.status_code, response.headers["ETag"]) == (200, 'W/"2"')
    assert response.headers["Location"] == f"{url}/_history/2"
    assert requests.get(url, timeout=5).json()["active"] is False
    assert requests.get(f"{url}/_history/1", timeout=5).json()["active"] is True


def test_a_new_resource_is_created_by_put(ehr: SandboxEhr) -> None:
    url = f"{ehr.base_url}/Patient/new-1"
    response = requests.put(url, json={"resourceType": "Patient", "id": "new-1"}, timeout=5)
    assert response.status_code == 201
    assert requests.get(url, timeout=5).status_code == 200


@pytest.mark.parametrize(
    ("id", "body"),
    [
        ("x", b"not json"),
        ("x", b"[]"),
        ("x", b'{"resourceType": "Patient", "id": "y"}'),
        ("x", b'{"resourceType": "RelatedPerson", "id": "x"}'),
        ("x", b'{"resourceType": "Patient", "id": "x", "meta": 1}'),
        ("a_b", b'{"resourceType": "Patient", "id": "a_b"}'),
    ],
)
def test_what_is_no_resource_of_that_address_is_not_stored(ehr: SandboxEhr, id: str, body: bytes) -> None:
    response = requests.put(f"{ehr.base_url}/Patient/{id}", data=body, timeout=5)
    assert response.status_code == 400
    checked(response)
    assert requests.get(f"{ehr.base_url}/Patient/{id}", timeout=5).status_code == 404


def test_a_deleted_resource_is_gone_from_read_and_search_but_not_from_history(ehr: SandboxEhr) -> None:
    url = f"{ehr.base_url}/{WITHDRAWN_ROW}"
    assert requests.delete(url, timeout=5).status_code == 204
    gone = requests.get(url, timeout=5)
    assert (gone.status_code, checked(gone)["issue"][0]["code"]) == (410, "deleted")
    assert requests.delete(url, timeout=5).status_code == 204
    assert requests.delete(f"{ehr.base_url}/Patient/nobody", timeout=5).status_code == 404
    found = checked(requests.get(f"{ehr.base_url}/RelatedPerson?patient=lindgren-elsa", timeout=5))
    assert [entry["resource"]["id"] for entry in found["entry"]] == ["lindgren-elsa-mother"]
    history = checked(requests.get(f"{url}/_history", timeout=5))
    assert [entry["request"]["method"] for entry in history["entry"]] == ["DELETE", "PUT"]
    with pytest.raises(KeyError):
        ehr.get(WITHDRAWN_ROW)


def test_history_shows_every_version_newest_first(ehr: SandboxEhr) -> None:
    ehr.change_role(SELF_ROW, "Other Relative")
    ehr.change_role(SELF_ROW, "Self")
    bundle = checked(requests.get(f"{ehr.base_url}/{SELF_ROW}/_history", timeout=5))
    assert (bundle["type"], bundle["total"]) == ("history", 3)
    assert [entry["response"]["etag"] for entry in bundle["entry"]] == ['W/"3"', 'W/"2"', 'W/"1"']
    texts = [entry["resource"]["relationship"][0]["text"] for entry in bundle["entry"]]
    assert texts == ["Self", "Other Relative", "Self"]


def test_staff_can_change_role_authority_and_email(ehr: SandboxEhr) -> None:
    ehr.change_role(SELF_ROW, "Other Relative")
    ehr.change_authority(WITHDRAWN_ROW, "none")
    ehr.change_email(WITHDRAWN_ROW, "new@post.example")
    relative = requests.get(f"{ehr.base_url}/{SELF_ROW}", timeout=5).json()
    assert relative["relationship"][0]["text"] == "Other Relative"
    assert relative["relationship"][0]["coding"][0]["code"] == "EXT"
    father = requests.get(f"{ehr.base_url}/{WITHDRAWN_ROW}", timeout=5).json()
    assert father["extension"] == [{"url": AUTHORITY, "valueCode": "none"}]
    assert [point["value"] for point in father["telecom"] if point["system"] == "email"] == ["new@post.example"]
    assert father["meta"]["versionId"] == "3"


def test_staff_can_clear_authority_and_email(ehr: SandboxEhr) -> None:
    ehr.change_authority(WITHDRAWN_ROW, None)
    father = ehr.change_email(WITHDRAWN_ROW, None)
    assert "extension" not in father
    assert [point["system"] for point in father["telecom"]] == ["phone"]


def test_a_role_in_free_text_has_no_code(ehr: SandboxEhr) -> None:
    assert ehr.change_role(WITHDRAWN_ROW, "Mom's boyfriend")["relationship"] == [{"text": "Mom's boyfriend"}]


def test_edits_leave_the_given_resources_alone() -> None:
    resources = story_resources()
    ehr = SandboxEhr(resources)
    ehr.change_email(WITHDRAWN_ROW, None)
    assert resources == story_resources()


def test_only_fhir_resources_with_an_id_are_taken() -> None:
    with pytest.raises(Unacceptable, match="resourceType"):
        SandboxEhr([{"resourceType": "Observation", "id": "1"}])
    with pytest.raises(Unacceptable, match="id must be"):
        SandboxEhr([{"resourceType": "Patient", "id": 'a"b'}])


def test_a_token_is_asked_for_everywhere_but_in_metadata() -> None:
    with SandboxEhr(story_resources(), token="sesame") as ehr:
        refused = requests.get(f"{ehr.base_url}/Patient", timeout=5)
        assert (refused.status_code, refused.headers["WWW-Authenticate"]) == (401, "Bearer")
        assert checked(refused)["issue"][0]["code"] == "login"
        wrong = requests.get(f"{ehr.base_url}/Patient", headers={"Authorization": "Bearer sesam"}, timeout=5)
        assert wrong.status_code == 401
        right = requests.get(f"{ehr.base_url}/Patient", headers={"Authorization": "Bearer sesame"}, timeout=5)
        assert right.status_code == 200
        assert "security" in checked(requests.get(f"{ehr.base_url}/metadata", timeout=5))["rest"][0]


def test_requests_are_noted_without_their_parameters(ehr: SandboxEhr) -> None:
    requests.get(f"{ehr.base_url}/Patient?_id=okafor-ada", timeout=5)
    requests.get(f"{ehr.base_url}/nothing/like/that/here", timeout=5)
    assert ehr.requests == ["GET /fhir/Patient", "GET /fhir/nothing/like/that/here"]


def test_the_port_is_given_back_and_a_taken_one_is_named() -> None:
    before = set(threading.enumerate())
    with SandboxEhr() as ehr:
        port = int(ehr.base_url.split(":")[2].split("/")[0])
        assert ehr.base_url == f"http://127.0.0.1:{port}/fhir"
        with pytest.raises(FatalError, match=f"Port {port} is in use"), SandboxEhr(port=port):
            pass
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(f"http://127.0.0.1:{port}/fhir/metadata", timeout=5)
    assert set(threading.enumerate()) <= before
    with SandboxEhr(port=port) as again:
        assert requests.get(f"{again.base_url}/metadata", timeout=5).status_code == 200
