"""Who may read what by FHIR: scopes, practices, and the trace that every read leaves."""

import io
import time
from pathlib import Path
from typing import Any

import pytest
import requests

from adapter.core.fhir_face.scopes import TYPES
from adapter.errors import ConfigError
from adapter.settings import load_settings
from adapter.store import audit_trail
from adapter.store.engine import begin, read
from adapter.web import WebServer, make_app
from tests.acceptance.adapter_cli import GRACE, Adapter
from tests.acceptance.vendor import CLIENT, Vendor, registration, vendor_of


@pytest.mark.parametrize("kind", TYPES)
def test_a_scope_opens_its_own_type_and_no_other(vendor: Vendor, kind: str) -> None:
    vendor.sign_in(f"system/{kind}.s")
    for other in TYPES:
        for path in (other, f"{other}/nobody", f"{other}?_id=nobody"):
            allowed = other == kind and not path.endswith("/nobody")
            answer = vendor.get(path)
            assert answer.status_code == (200 if allowed else 403)
            assert allowed or 'error="insufficient_scope"' in answer.headers["WWW-Authenticate"]


def test_nobody_learns_what_there_is_without_a_token(vendor: Vendor) -> None:
    vendor.sign_in()
    person = vendor.search("Person?_count=1")[0]["id"]
    token = str(vendor.session.headers.pop("Authorization"))
    for given in (None, "Bearer", "Bearer x", f"Basic {token}", "Bearer " + "x" * 43, f"{token}x"):
        headers = {"Authorization": str(given)} if given else {}
        answers = {
            (answer.status_code, answer.text, answer.headers["WWW-Authenticate"])
            for practice in ("main-street", "elsewhere")
            for path in (f"Person/{person}", "Person/nobody", "Person", "Patient", "nothing", "", "Person/_search")
            for method in ("GET", "POST")
            for answer in [
                requests.request(method, f"{vendor.address}/fhir/{practice}/{path}", headers=headers, timeout=10)
            ]
        }
        ((status, _, _),) = answers
        assert status == 401


def test_another_practice_is_closed_whether_it_exists_or_not(site: Adapter) -> None:
    with vendor_of(site) as vendor:
        vendor.sign_in()
        second = '[[practice]]\nid = "oak-lane"\nname = "Oak Lane"\n[practice.ehr]\nkind = "files"\npath = "ehr"\n'
        site.config.write_text(site.config.read_text() + second)
    more = site.more
    with vendor_of(site) as vendor:
        assert more == site.more
        vendor.sign_in()
        answers = {
            (answer.status_code, answer.text)
            for practice in ("oak-lane", "elsewhere")
            for path in ("Person", "Person/nobody", "nothing")
            for answer in [vendor.session.get(f"{vendor.address}/fhir/{practice}/{path}", timeout=10)]
        }
        assert {status for status, _ in answers} == {403} and len(answers) == 1


def test_a_vendor_that_was_taken_out_of_the_configuration_is_out_at_once(site: Adapter) -> None:
    with vendor_of(site) as vendor:
        token = vendor.sign_in()
    with vendor_of(site, scopes=("system/Task.rs",)) as vendor:
        vendor.session.headers["Authorization"] = f"Bearer {token}"
        assert (vendor.get("Person").status_code, vendor.get("Task").status_code) == (403, 200)
    site.configure(more=site.more.replace(CLIENT, "another-ehr"))
    app = site.app()
    with WebServer(make_app(app), app.settings.web) as server:
        answer = requests.get(
            f"{server.address}/fhir/main-street/Task", headers={"Authorization": f"Bearer {token}"}, timeout=10
        )
    assert answer.status_code == 401


def test_every_read_leaves_a_trace_and_no_log_line_names_anybody(site: Adapter, log_lines: io.StringIO) -> None:
    with vendor_of(site) as vendor:
        vendor.sign_in()
        _reads_leave_traces(vendor)
        (person,) = vendor.search(f"Person?email={GRACE}")
    logged = log_lines.getvalue()
    assert "vendor-admitted" in logged
    assert [word for word in (GRACE, "okafor", person["id"]) if word in logged.lower()] == []


def _reads_leave_traces(vendor: Vendor) -> None:
    (person,) = vendor.search(f"Person?email={GRACE}")
    for _ in range(3):
        assert vendor.get(f"Person/{person['id']}").status_code == 200
    assert vendor.search("Consent?patient=Patient/okafor-ada")
    expected = {("fhir-search", "Person"), ("fhir-read", f"Person/{person['id']}"), ("fhir-search", "Consent")}
    deadline = time.monotonic() + 10
    found: list[dict[str, Any]] = []
    while time.monotonic() < deadline and {(one["action"], one["source"]) for one in found} != expected:
        found = _trail(vendor)
    assert {(one["action"], one["source"]) for one in found} == expected
    assert {one["actor"] for one in found} == {f"vendor:{CLIENT}"}
    assert sum(one["detail"]["count"] for one in found) == 5
    assert {one["patient"] for one in found} == {None, "Patient/okafor-ada"}


def _trail(vendor: Vendor) -> list[dict[str, Any]]:
    with read(vendor.app.engine) as connection:
        wanted = audit_trail.Wanted(practices=["main-street"], actor=f"vendor:{CLIENT}")
        return list(audit_trail.entries(connection, wanted))


def test_while_somebody_else_has_the_database_a_read_does_not_wait(vendor: Vendor) -> None:
    vendor.sign_in()
    with begin(vendor.app.engine):
        started = time.monotonic()
        assert vendor.get("Person?_count=1").status_code == 200
        assert time.monotonic() - started < 5


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (registration(("system/Person.rs",), ""), "jwks_url or jwks_file"),
        (registration(("system/Person.rs",), "jwks_url = 'http://keys.example/'"), "https://"),
        (registration(("patient/Person.rs",), "jwks_file = 'x'"), "SMART system scope"),
        (registration(("system/Patient.rs",), "jwks_file = 'x'"), "SMART system scope"),
        (registration(("system/Person.rs",), "jwks_file = 'x'", '"elsewhere"'), "does not exist: elsewhere"),
        (registration(("system/Person.rs",), "jwks_file = 'x'") * 2, "same client_id"),
    ],
)
def test_a_vendor_table_that_makes_no_sense_is_a_fault(tmp_path: Path, text: str, says: str) -> None:
    site = Adapter(tmp_path)
    site.configure(more=text)
    with pytest.raises(ConfigError, match=says):
        load_settings(site.config)


def test_without_a_vendor_there_is_no_fhir_face(site: Adapter) -> None:
    site.configure(more="[web]\nport = 0\n")
    app = site.app()
    with WebServer(make_app(app), app.settings.web) as server:
        for path in ("/fhir/main-street/metadata", "/fhir/main-street/Person", "/oauth2/token"):
            assert requests.get(server.address + path, timeout=10).status_code == 404
