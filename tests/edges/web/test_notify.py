"""The endpoint that an EHR notifies: who may, what is kept, and everything that must not get through."""

import gzip
import http.client
import json
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil
import pytest
import requests

from adapter.store.engine import begin
from adapter.store.nudges import EVERYTHING, MOST
from adapter.web import body
from tests.core.test_notice import parameters
from tests.edges.web.door import EHR_BASE, HERE, SECRET, Door, serving

PATIENT = {"resourceType": "Patient", "id": "p1", "name": [{"family": "Canary"}], "birthDate": "2015-03-04"}


@pytest.fixture
def door(store_url: str, tmp_path: Path) -> Iterator[Door]:
    """The server on each kind of database."""
    with serving(tmp_path, store=store_url) as found:
        yield found


@pytest.fixture
def on_sqlite(tmp_path: Path) -> Iterator[Door]:
    with serving(tmp_path) as found:
        yield found


def test_a_rest_hook_with_a_resource_names_its_chart_and_keeps_nothing_else(door: Door) -> None:
    answer = door.notify(json=PATIENT)
    assert (answer.status_code, answer.json()["resourceType"]) == (200, "OperationOutcome")
    assert door.waiting() == {"Patient/p1": False}
    assert "Canary" not in answer.text


@pytest.mark.parametrize(
    "sent", [{}, {"json": {}}, {"data": "  "}, {"headers": {"Content-Type": "application/fhir+xml"}}]
)
def test_an_empty_one_says_that_something_changed(on_sqlite: Door, sent: dict[str, Any]) -> None:
    assert on_sqlite.notify(**sent).status_code == 200
    assert on_sqlite.waiting() == {EVERYTHING: False}


def test_a_put_to_the_address_of_the_resource_names_it(on_sqlite: Door) -> None:
    assert on_sqlite.notify("/Patient/p1", method="PUT", json=PATIENT).status_code == 200
    assert on_sqlite.waiting() == {"Patient/p1": False}


def test_a_delete_at_that_address_and_a_deletion_header_are_deletions(on_sqlite: Door) -> None:
    assert on_sqlite.notify("/RelatedPerson/c1", method="DELETE").status_code == 200
    deleted = {"X-Medplum-Deleted-Resource": "RelatedPerson/c2"}
    assert on_sqlite.notify(json={}, headers=deleted).status_code == 200
    assert on_sqlite.waiting() == {"RelatedPerson/c1": True, "RelatedPerson/c2": True}


def test_topic_based_notifications_are_counted_and_a_gap_is_caught_up(door: Door) -> None:
    for bundle in (parameters("handshake", 0), parameters("event-notification", 1, "Patient/p1")):
        assert door.notify(json=bundle).status_code == 200
    assert door.waiting() == {"Patient/p1": False}
    assert door.notify(json=parameters("heartbeat", 1)).status_code == 200
    assert door.waiting() == {}
    assert door.notify(json=parameters("event-notification", 3, "Patient/p3")).status_code == 200
    assert door.waiting() == {"Patient/p3": False, EVERYTHING: False}
    assert door.notify(json=parameters("heartbeat", 4)).status_code == 200
    assert door.waiting() == {EVERYTHING: False}


@pytest.mark.parametrize(
    "focus", ["https://evil.example/fhir/Patient/p9", "//evil.example/Patient/p9", f"{EHR_BASE}/../Patient/p9"]
)
def test_a_reference_to_elsewhere_is_not_taken_for_a_chart_here(on_sqlite: Door, focus: str) -> None:
    assert on_sqlite.notify(json=parameters("event-notification", 1, focus)).status_code == 200
    assert on_sqlite.waiting() == {EVERYTHING: False}


@pytest.mark.parametrize("secret", [None, "", "wrong", SECRET + "x", SECRET[:-1], SECRET.upper(), "é" * 24])
def test_without_the_secret_nothing_is_kept(on_sqlite: Door, secret: str | None) -> None:
    answer = on_sqlite.notify(json=PATIENT, secret=None, headers=_header(secret))
    assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Bearer")
    assert on_sqlite.waiting() == {}


def _header(secret: str | None) -> dict[str, Any]:
    return {} if secret is None else {"Authorization": f"Bearer {secret}".encode()}


@pytest.mark.parametrize(
    "value", [SECRET, f"Basic {SECRET}", f"bearer {SECRET}", f"Bearer  {SECRET}", f"Bearer {SECRET},x"]
)
def test_the_secret_in_another_dress_does_not_count(on_sqlite: Door, value: str) -> None:
    assert on_sqlite.notify(secret=None, headers={"Authorization": value}).status_code == 401


def test_two_secrets_are_none(on_sqlite: Door) -> None:
    request = f"POST /notify/{HERE} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n"
    request += f"Authorization: Bearer wrong\r\nAuthorization: Bearer {SECRET}\r\n\r\n"
    assert _raw(on_sqlite, request.encode()).startswith(b"HTTP/1.1 401")


def test_a_practice_that_is_not_there_looks_like_a_wrong_secret(on_sqlite: Door) -> None:
    wrong = on_sqlite.notify(secret="wrong" * 6)
    elsewhere = requests.post(
        f"{on_sqlite.address}/notify/hillside", headers={"Authorization": f"Bearer {SECRET}"}, timeout=10
    )
    assert (elsewhere.status_code, elsewhere.text) == (wrong.status_code, wrong.text)


def test_a_header_of_its_own_carries_the_secret_as_it_is(tmp_path: Path) -> None:
    with serving(tmp_path, push="secret_file = 'secret'\nheader = 'X-Portal-Secret'") as door:
        assert door.notify(secret=SECRET).status_code == 401
        assert door.notify(secret=None, headers={"x-portal-secret": SECRET}).status_code == 200


def test_without_a_push_table_there_is_no_endpoint(tmp_path: Path) -> None:
    with serving(tmp_path, push="") as door:
        assert door.notify().status_code == 404


@pytest.mark.parametrize(
    "rest",
    ["/Patient/../p1", "/Patient%2Fp1%2F..%2Fx", "//Patient/p1", "/../../healthz", "/Patient/p1/", "/%00", "/a b"],
)
def test_tricks_in_the_address_name_nothing(on_sqlite: Door, rest: str) -> None:
    connection = http.client.HTTPConnection(urlsplit(on_sqlite.address).netloc, timeout=10)
    connection.putrequest("PUT", f"/notify/{HERE}{rest.replace(' ', '%20')}")
    connection.putheader("Authorization", f"Bearer {SECRET}")
    connection.putheader("Content-Length", "0")
    connection.endheaders()
    assert connection.getresponse().status in (200, 404)
    connection.close()
    assert set(on_sqlite.waiting()) <= {EVERYTHING}


DEEP = b"[" * 5000 + b"]" * 5000


@pytest.mark.parametrize(
    ("data", "headers", "status"),
    [
        (b'{"resourceType":"Patient"', {}, 400),
        (b'{"id":"p1","resourceType":"Patient","id":"p2"}', {}, 400),
        (b'{"resourceType":"Patient","id":NaN}', {}, 400),
        (b'{"id":"\\ud800"}', {}, 400),
        (b"\xff\xfe{\x00}\x00", {}, 400),
        (DEEP, {}, 400),
        (b'{"a":' * 900 + b"1" + b"}" * 900, {}, 400),
        (gzip.compress(b" " * (body.MOST_BYTES + 1), mtime=0), {"Content-Encoding": "gzip"}, 413),
        (gzip.compress(b"{}", mtime=0)[:-4], {"Content-Encoding": "gzip"}, 400),
        (gzip.compress(b"{}", mtime=0) * 2, {"Content-Encoding": "gzip"}, 400),
        (b"not gzip", {"Content-Encoding": "gzip"}, 400),
        (b"{}", {"Content-Encoding": "br"}, 415),
        (b" " * (body.MOST_BYTES + 1), {}, 413),
    ],
)
def test_a_body_that_cannot_be_read_is_refused_but_something_changed(
    on_sqlite: Door, data: bytes, headers: dict[str, str], status: int
) -> None:
    headers = {"Content-Type": "application/fhir+json"} | headers
    answer = on_sqlite.notify(data=data, headers=headers)
    assert answer.status_code == status, answer.text
    assert on_sqlite.waiting() == {EVERYTHING: False}
    assert on_sqlite.notify(data=data, headers=headers, secret="x" * 30).status_code == 401
    assert on_sqlite.waiting() == {}


def test_a_packed_body_is_read(on_sqlite: Door) -> None:
    data = gzip.compress(json.dumps(PATIENT).encode())
    headers = {"Content-Encoding": "gzip", "Content-Type": "application/fhir+json"}
    assert on_sqlite.notify(data=data, headers=headers).status_code == 200
    assert on_sqlite.waiting() == {"Patient/p1": False}


@pytest.mark.parametrize("secret", [SECRET, "wrong"])
@pytest.mark.parametrize("way", ["promised", "chunked"])
def test_a_gigabyte_is_not_read(on_sqlite: Door, way: str, secret: str) -> None:
    """A whole gigabyte is never sent: the answer comes, and the connection goes, within the first few megabytes."""
    length = "Content-Length: 1073741824" if way == "promised" else "Transfer-Encoding: chunked"
    head = f"POST /notify/{HERE} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {secret}\r\n{length}\r\n\r\n"
    chunk = b" " * 65536 if way == "promised" else b"10000\r\n" + b" " * 65536 + b"\r\n"
    with socket.create_connection(urlsplit(on_sqlite.address).netloc.split(":"), timeout=20) as connection:  # type: ignore[arg-type]
        connection.sendall(head.encode())
        sent = 0
        try:
            while sent < 1 << 30:
                connection.sendall(chunk)
                sent += len(chunk)
        except OSError:
            pass
    assert sent < 64 * 1024 * 1024
    assert on_sqlite.notify(json=PATIENT).status_code == 200, "the server is well"


def test_a_bomb_takes_no_memory(on_sqlite: Door) -> None:
    packed = gzip.compress(bytes(256 * 1024 * 1024), 1)
    assert len(packed) < body.MOST_BYTES
    before = psutil.Process().memory_info().rss
    headers = {"Content-Encoding": "gzip", "Content-Type": "application/json"}
    peak, done = [0], threading.Event()

    def watch() -> None:
        while not done.wait(0.005):
            peak[0] = max(peak[0], psutil.Process().memory_info().rss)

    watcher = threading.Thread(target=watch)
    watcher.start()
    assert on_sqlite.notify(data=packed, headers=headers).status_code == 413
    done.set()
    watcher.join()
    assert peak[0] - before < 64 * 1024 * 1024


def test_a_body_that_never_comes_is_given_up(on_sqlite: Door) -> None:
    began = time.monotonic()
    request = f"POST /notify/{HERE} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {SECRET}\r\n"
    answer = _raw(on_sqlite, f"{request}Content-Length: 10\r\n\r\n{{".encode(), seconds=body.SECONDS + 20)
    assert answer.startswith(b"HTTP/1.1 408") and time.monotonic() - began < body.SECONDS + 10
    assert on_sqlite.waiting() == {EVERYTHING: False}


def test_a_thousand_at_once_become_few_and_none_is_lost(door: Door) -> None:
    def send(number: int) -> int:
        headers = {"Authorization": f"Bearer {SECRET}"}
        connection = http.client.HTTPConnection(urlsplit(door.address).netloc, timeout=60)
        answered = 0
        for one in range(number, 1000, 16):
            connection.request("PUT", f"/notify/{HERE}/Patient/p{one % 90}", headers=headers)
            answer = connection.getresponse()
            answered += answer.status == 200
            answer.read()
        connection.close()
        return answered

    with ThreadPoolExecutor(16) as pool:
        assert sum(pool.map(send, range(16))) == 1000
    assert door.waiting() == {f"Patient/p{number}": False for number in range(90)}


def test_more_charts_than_there_is_room_for_become_one_whatever_changed(on_sqlite: Door) -> None:
    for start in range(0, MOST + 500, 500):
        entries = [{"resource": {"resourceType": "Patient", "id": f"p{start + n}"}} for n in range(500)]
        assert on_sqlite.notify(json={"resourceType": "Bundle", "type": "batch", "entry": entries}).status_code == 200
    waiting = on_sqlite.waiting()
    assert EVERYTHING in waiting and len(waiting) == MOST + 1


def test_while_the_database_is_busy_nothing_is_answered_as_kept(tmp_path: Path) -> None:
    with serving(tmp_path, store=f"sqlite:///{tmp_path}/adapter.db?timeout=1") as door:
        with begin(door.app.engine):
            answer = door.notify(json=PATIENT)
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
        assert door.notify(json=PATIENT).status_code == 200


def _raw(door: Door, request: bytes, *, seconds: float = 20) -> bytes:
    with socket.create_connection(urlsplit(door.address).netloc.split(":"), timeout=seconds) as connection:  # type: ignore[arg-type]
        connection.sendall(request)
        return connection.recv(65536)
