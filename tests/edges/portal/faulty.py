"""Stands between a connector and its portal and does one thing wrong, at one request: the faults of a bad line."""

import json
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

import requests

HOST = "127.0.0.1"
_HOP = {"connection", "content-length", "date", "server", "transfer-encoding"}


class Faulty:
    """``fault`` is done to the request number ``at`` (from 1); 0: never, -1: always. ``asked`` counts requests."""

    def __init__(self, target: str) -> None:
        parts = urlsplit(target)
        self.target, self.path = f"{parts.scheme}://{parts.netloc}", parts.path
        self.fault, self.at, self.asked = "", 0, 0
        self.headers: list[dict[str, str]] = []
        self.lock = threading.Lock()
        self.session = requests.Session()
        self.base_url = ""
        self.victim = 0
        """The process that "killed" kills, once its request was applied."""

    def next_is_faulty(self, headers: dict[str, str]) -> bool:
        with self.lock:
            self.asked += 1
            self.headers.append(headers)
            return self.at in (-1, self.asked)

    def again(self, fault: str = "", at: int = 0) -> None:
        self.fault, self.at, self.asked = fault, at, 0


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Any

    def log_message(self, format: str, *args: Any) -> None:
        """Says nothing."""

    def do_GET(self) -> None:
        faulty: Faulty = self.server.faulty
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if not faulty.next_is_faulty(dict(self.headers)):
            self.give(self.forward(body))
            return
        FAULTS[faulty.fault](self, body)

    do_POST = do_PUT = do_PATCH = do_DELETE = do_GET

    def forward(self, body: bytes) -> requests.Response:
        faulty: Faulty = self.server.faulty
        headers = {name: value for name, value in self.headers.items() if name.lower() != "connection"}
        return requests.request(self.command, faulty.target + self.path, data=body, headers=headers, timeout=20)

    def give(self, answer: requests.Response, *, cut: int = 0) -> None:
        kept = {name: value for name, value in answer.headers.items() if name.lower() not in _HOP}
        self.say(answer.status_code, answer.content, kept, cut=cut)

    def say(self, status: int, body: bytes = b"", headers: dict[str, str] | None = None, *, cut: int = 0) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        if status != 204:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if status != 204:
            self.wfile.write(body[: len(body) - cut] if cut else body)
        if cut:
            self.close_connection = True

    def hang_up(self) -> None:
        self.close_connection = True
        self.connection.shutdown(2)


def _problem(status: int, **headers: str) -> Callable[[_Handler, bytes], None]:
    body = b'{"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],"detail":"No.","status":"%d"}' % status
    sent = {"Content-Type": "application/scim+json", **{k.replace("_", "-"): v for k, v in headers.items()}}
    return lambda handler, _: handler.say(status, body, sent)


def _applied_and_lost(handler: _Handler, body: bytes) -> None:
    handler.forward(body)
    handler.hang_up()


def _twice(handler: _Handler, body: bytes) -> None:
    handler.forward(body)
    handler.give(handler.forward(body))


def _killed(handler: _Handler, body: bytes) -> None:
    handler.forward(body)
    os.kill(handler.server.faulty.victim, signal.SIGKILL)
    handler.hang_up()


def _refused_in_part(handler: _Handler, body: bytes) -> None:
    """A FHIR server that does all of a transaction but its last entry, and answers 200."""
    bundle = json.loads(body) if body else {}
    done = handler.forward(json.dumps(bundle | {"entry": bundle["entry"][:-1]}).encode() if bundle else body)
    answer = done.json()
    if bundle:
        answer["entry"] += [
            {"response": {"status": "503", "outcome": {"resourceType": "OperationOutcome", "issue": []}}}
        ]
    handler.say(done.status_code, json.dumps(answer).encode(), {"Content-Type": "application/fhir+json"})


FAULTS: dict[str, Callable[[_Handler, bytes], None]] = {
    "dropped": lambda handler, _: handler.hang_up(),
    "applied-and-lost": _applied_and_lost,
    "twice": _twice,
    "refused-in-part": _refused_in_part,
    "truncated": lambda handler, body: handler.give(handler.forward(body), cut=7),
    "wrong-type": lambda handler, _: handler.say(200, b"<html>Welcome</html>", {"Content-Type": "text/html"}),
    "empty-list": lambda handler, _: handler.say(200, b'{"Resources":[]}', {"Content-Type": "application/json"}),
    "conflict": _problem(409),
    "changed-meanwhile": _problem(412),
    "too-many": _problem(429, Retry_After="7"),
    "broken": _problem(500),
    "closed": _problem(503, Retry_After="7"),
    "elsewhere": lambda handler, _: handler.say(307, b"", {"Location": "https://elsewhere.example/v2/Users"}),
    "forbidden": _problem(403),
    "unknown-token": _problem(401),
    "killed": _killed,
}


@contextmanager
def standing_before(target: str) -> Iterator[Faulty]:
    """Listens on a free port of this machine until the block ends."""
    faulty = Faulty(target)
    server: Any = ThreadingHTTPServer((HOST, 0), _Handler)
    server.daemon_threads = True
    server.faulty = faulty
    faulty.base_url = f"http://{HOST}:{server.server_address[1]}{faulty.path}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield faulty
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
