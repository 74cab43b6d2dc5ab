"""Subscriptions at an EHR that refuses, stalls, repeats or lies: one line each, and the secret stays with it."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import orjson
import pytest

from adapter.ehr import Check
from adapter.ehr.fhir import FhirReader
from adapter.ehr.fhir.subscription import LOOKS, Subscriptions

Json = dict[str, Any]
ENDPOINT = "https://adapter.example/notify/main-street"
SECRET = "canary-secret-0123456789-abc"
HEADER = f"Authorization: Bearer {SECRET}"
Answer = tuple[int, Json, dict[str, str]]


@dataclass
class Ehr:
    """Keeps Subscriptions. ``spoil`` may answer instead; ``becomes`` is what a new one's status turns into."""

    rows: dict[str, Json] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    spoil: Callable[[str, str], Answer | None] = lambda method, path: None
    becomes: str = "active"
    declares: bool = True
    hides_headers: bool = False
    base_url: str = ""

    def answer(self, method: str, path: str, body: bytes) -> Answer:
        self.asked.append(f"{method} {path}")
        spoilt = self.spoil(method, path)
        if spoilt is not None:
            return spoilt
        if path == "/fhir/metadata":
            types = [{"type": "Subscription", "interaction": [{"code": "create"}]}] if self.declares else []
            return 200, {"resourceType": "CapabilityStatement", "rest": [{"mode": "server", "resource": types}]}, {}
        if method == "POST":
            return 201, self.add(orjson.loads(body)), {}
        if method == "DELETE":
            return (204, {}, {}) if self.rows.pop(path.rsplit("/", 1)[1], None) else (404, {}, {})
        entries = [{"resource": row, "search": {"mode": "match"}} for row in self.rows.values()]
        return 200, {"resourceType": "Bundle", "type": "searchset", "entry": entries}, {}

    def add(self, resource: Json, *, id: str = "", **changes: Any) -> Json:
        row = resource | {"id": id or f"s{len(self.asked)}", "status": self.becomes} | changes
        if self.hides_headers:
            row["channel"] = {key: value for key, value in row["channel"].items() if key != "header"}
        self.rows[row["id"]] = row
        return row

    def count(self, method: str) -> int:
        return sum(one.startswith(method) for one in self.asked)


@contextmanager
def serving(ehr: Ehr) -> Iterator[Ehr]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _do(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            status, value, headers = ehr.answer(self.command, self.path, body)
            data = b"" if status == 204 else orjson.dumps(value)
            self.send_response(status)
            for name, text in {
                "Content-Type": "application/fhir+json",
                "Content-Length": str(len(data)),
                **headers,
            }.items():
                self.send_header(name, text)
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_DELETE = _do

        def log_message(self, format: str, *args: object) -> None:
            """Silence."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        ehr.base_url = f"http://127.0.0.1:{server.server_address[1]}/fhir"
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        try:
            yield ehr
        finally:
            server.shutdown()


@pytest.fixture
def ehr() -> Iterator[Ehr]:
    with serving(Ehr()) as found:
        yield found


def ours(ehr: Ehr, **changes: Any) -> Subscriptions:
    reader = FhirReader(ehr.base_url, sleep=lambda seconds: None)
    kinds = changes.pop("kinds", reader.kinds)
    return Subscriptions(reader.client, endpoint=ENDPOINT, header=HEADER, kinds=kinds, sleep=lambda _: None, **changes)


def wanted(kind: str, **channel: Any) -> Json:
    made = {"type": "rest-hook", "endpoint": ENDPOINT, "header": [HEADER], "payload": "application/fhir+json"}
    return {"resourceType": "Subscription", "criteria": f"{kind}?", "channel": made | channel}


def states(lines: list[Check]) -> list[bool]:
    for line in lines:
        assert SECRET not in f"{line}"
    return [line.ok for line in lines]


def test_one_is_made_for_each_kind_and_no_more_the_second_time(ehr: Ehr) -> None:
    assert states(ours(ehr).subscribe()) == [True, True]
    assert states(ours(ehr).subscribe()) == [True, True]
    assert ehr.count("POST") == 2 and ehr.count("DELETE") == 0
    assert [row["criteria"] for row in ehr.rows.values()] == ["Patient?", "RelatedPerson?"]


def test_where_contacts_are_in_the_chart_the_chart_is_enough(ehr: Ehr) -> None:
    assert states(ours(ehr, kinds=("Patient",)).subscribe()) == [True]
    assert [row["criteria"] for row in ehr.rows.values()] == ["Patient?"]


def test_an_empty_payload_asks_for_none(ehr: Ehr) -> None:
    assert states(ours(ehr, payload=False).subscribe()) == [True, True]
    assert {"payload" in row["channel"] for row in ehr.rows.values()} == {False}
    assert states(ours(ehr).check()) == [False, False], "another payload is wanted now"


@pytest.mark.parametrize("status", ["error", "off", "nonsense", None, 7])
def test_a_broken_one_is_replaced(ehr: Ehr, status: Any) -> None:
    ehr.add(wanted("Patient"), id="old", status=status)
    assert states(ours(ehr).check()) == [False, False]
    assert states(ours(ehr).subscribe()) == [True, True]
    assert "old" not in ehr.rows and len(ehr.rows) == 2


def test_doubles_are_removed_but_one(ehr: Ehr) -> None:
    for number in range(3):
        ehr.add(wanted("Patient"), id=f"double{number}")
    assert states(ours(ehr).subscribe()) == [True, True]
    assert sorted(ehr.rows)[0] == "double0" and len(ehr.rows) == 2


def test_an_ehr_that_hides_headers_is_believed(ehr: Ehr) -> None:
    ehr.hides_headers = True
    assert states(ours(ehr).subscribe()) == [True, True]
    assert states(ours(ehr).subscribe()) == [True, True]
    assert ehr.count("POST") == 2


def test_somebody_elses_are_left_alone(ehr: Ehr) -> None:
    ehr.add(wanted("Patient", endpoint=f"{ENDPOINT}/"), id="slash")
    ehr.add(wanted("Patient", endpoint="https://else.example"), id="else")
    ehr.add({"resourceType": "Subscription", "criteria": "Patient?", "channel": {}}, id="none")
    ehr.add(wanted("Patient"), id="../Patient/1")
    assert states(ours(ehr).unsubscribe()) == [True]
    assert ehr.count("DELETE") == 0 and len(ehr.rows) == 4


def test_a_filter_that_is_not_ours_does_not_count_as_ours_being_there(ehr: Ehr) -> None:
    ehr.add(wanted("Patient") | {"criteria": "Patient?active=true"}, id="narrow")
    assert states(ours(ehr).check()) == [False, False]


def test_one_that_never_becomes_active_is_told_in_the_end(ehr: Ehr) -> None:
    ehr.becomes = "requested"
    lines = ours(ehr).subscribe()
    assert states(lines) == [False, False] and "requested" in lines[0].detail
    assert ehr.count("GET /fhir/Subscription") <= LOOKS + 4


@pytest.mark.parametrize(("code", "says"), [(403, "system/Subscription.cruds"), (401, "scope"), (422, "answered 422")])
def test_a_refusal_is_one_line_with_the_way_out(ehr: Ehr, code: int, says: str) -> None:
    outcome = {"issue": [{"severity": "error", "code": "forbidden", "diagnostics": f"Canary {SECRET}"}]}
    ehr.spoil = lambda method, path: (
        (code, {"resourceType": "OperationOutcome", **outcome}, {}) if method == "POST" else None
    )
    (line,) = ours(ehr).subscribe()
    assert not line.ok and says in line.detail and "Canary" not in line.detail and "docs/push.md" in line.remedy


def test_the_secret_does_not_follow_a_redirect_to_elsewhere(ehr: Ehr) -> None:
    with serving(Ehr()) as elsewhere:
        away = {"Location": f"{elsewhere.base_url}/Subscription"}
        ehr.spoil = lambda method, path: (307, {}, away) if method in ("POST", "DELETE") else None
        (line,) = ours(ehr).subscribe()
        assert not line.ok and "points to another address" in line.detail
        ehr.add(wanted("Patient"), id="old")
        (line,) = ours(ehr).unsubscribe()
        assert not line.ok and elsewhere.asked == []


def test_an_ehr_that_cannot_search_by_endpoint_is_looked_through(ehr: Ehr) -> None:
    outcome = {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "not-supported"}]}
    ehr.spoil = lambda method, path: (400, outcome, {}) if "url=" in path else None
    assert states(ours(ehr).subscribe()) == [True, True]
    assert states(ours(ehr).check()) == [True, True]


def test_an_ehr_that_offers_none_is_not_written_to(ehr: Ehr) -> None:
    ehr.declares = False
    assert states(ours(ehr).check()) == [True]
    assert states(ours(ehr).subscribe()) == [False]
    assert ehr.count("POST") == 0


def test_the_secret_does_not_show_in_its_own_words(ehr: Ehr) -> None:
    assert SECRET not in repr(ours(ehr))
