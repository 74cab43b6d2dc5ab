"""An EHR with Bulk Data exports: a small real server on loopback that misbehaves exactly where a test tells it to."""

import gzip
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

import orjson

Json = dict[str, Any]
TYPES = ("Patient", "RelatedPerson")


@dataclass
class Reply:
    """What will be sent; a fault changes it. ``cut`` sends only so many bytes of the promised body."""

    status: int
    json: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | None = None
    cut: int | None = None
    chunks: Iterator[bytes] | None = None

    @property
    def bytes(self) -> bytes:
        return self.body if self.body is not None else orjson.dumps(self.json) if self.json is not None else b""


Fault = Callable[[Reply], None]


@dataclass
class Seen:
    """One request that came."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]

    @property
    def token(self) -> str | None:
        return self.headers.get("authorization")


@dataclass
class Job:
    """One export: ``polls`` looks at its status are answered 202 before it is ready."""

    request: str
    since: str | None
    types: list[str]
    at: datetime
    polls: int


class BulkServer:
    """``resources`` by ``Type/id``, ``deletions`` with their time; ``faults`` spoil chosen answers.

    Places of faults: ``metadata``, ``kickoff``, ``status``, ``cancel``, and each file by its name, such as
    ``Patient.1`` or ``deleted.1``. ``per_file`` is the number of lines in one.
    """

    def __init__(self, resources: list[Json] | None = None, *, levels: tuple[str, ...] = ("Patient", "Group")) -> None:
        self.resources: dict[str, Json] = {}
        self.deletions: dict[str, datetime] = {}
        self.remarks: list[Json] = []
        self.seen: list[Seen] = []
        self.jobs: dict[str, Job] = {}
        self.levels = levels
        self.polls = 1
        self.per_file = 1000
        self.needs_token = True
        self.counts = True
        self.packed = False
        self.transaction_time: datetime | None = None
        self.file_origin = ""
        self._faults: list[tuple[str, Fault, list[int]]] = []
        self._server = _Server(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self.origin = f"http://127.0.0.1:{self._server.server_address[1]}"
        self.base_url = f"{self.origin}/fhir"
        for resource in resources or []:
            self.put(resource)

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()

    def put(self, resource: Json, *, at: datetime | None = None) -> None:
        """Stores a resource as of now, with ``meta.lastUpdated``."""
        ref = f"{resource['resourceType']}/{resource['id']}"
        self.deletions.pop(ref, None)
        self.resources[ref] = resource | {"meta": {"lastUpdated": stamp(at or datetime.now(UTC))}}

    def delete(self, ref: str) -> None:
        del self.resources[ref]
        self.deletions[ref] = datetime.now(UTC)

    def fault(self, place: str, fault: Fault, *, times: int = 1_000_000) -> None:
        self._faults.append((place, fault, [times]))

    def heal(self) -> None:
        """Forgets every fault."""
        self._faults.clear()

    def asked(self, method: str, part: str) -> list[Seen]:
        """The requests of this method whose path holds ``part``."""
        return [seen for seen in self.seen if seen.method == method and part in seen.path]

    def reply(self, seen: Seen) -> Reply:
        place, reply = self._answer(seen)
        for where, fault, left in self._faults:
            if where in (place, place.split(".")[0]) and left[0] > 0:
                left[0] -= 1
                fault(reply)
        return reply

    def _answer(self, seen: Seen) -> tuple[str, Reply]:
        steps = seen.path.removeprefix("/fhir/").split("/")
        if steps[0] == "metadata":
            return "metadata", Reply(200, self._capability())
        if steps[-1] == "$export":
            return "kickoff", self._kickoff(seen)
        if steps[0] == "status":
            job = self.jobs.get(steps[1])
            if seen.method == "DELETE":
                self.jobs.pop(steps[1], None)
                return "cancel", Reply(202 if job else 404)
            return "status", self._status(steps[1], job) if job else Reply(404, outcome("error", "not-found"))
        if steps[0] == "files":
            return steps[2], self._file(steps[2], self.jobs.get(steps[1]))
        if len(steps) == 2:
            found = self.resources.get("/".join(steps))
            return "read", Reply(200, found) if found else Reply(404, outcome("error", "not-found"))
        return "search", self._search(steps[0], seen)

    def _kickoff(self, seen: Seen) -> Reply:
        if "respond-async" not in seen.headers.get("prefer", ""):
            return Reply(400, outcome("error", "invalid"))
        key = str(len(self.seen))
        types = seen.query.get("_type", ",".join(TYPES)).split(",")
        at = self.transaction_time or datetime.now(UTC)
        self.jobs[key] = Job(seen.path, seen.query.get("_since"), types, at, self.polls)
        return Reply(202, headers={"Content-Location": f"{self.base_url}/status/{key}"})

    def _status(self, key: str, job: Job) -> Reply:
        if job.polls > 0:
            job.polls -= 1
            return Reply(202, headers={"X-Progress": "about 40% of Canary", "Retry-After": "1"})
        lists: dict[str, list[Json]] = {"output": [], "deleted": [], "error": []}
        for name, lines in self._files(job).items():
            kind = name.split(".")[0]
            where = {"deleted": "deleted", "error": "error"}.get(kind, "output")
            shown = {"deleted": "Bundle", "error": "OperationOutcome"}.get(kind, kind)
            entry: Json = {"type": shown, "url": f"{self.file_origin or self.base_url}/files/{key}/{name}"}
            lists[where].append(entry | ({"count": len(lines)} if self.counts else {}))
        manifest = {
            "transactionTime": stamp(job.at),
            "request": f"{self.origin}{job.request}",
            "requiresAccessToken": self.needs_token,
            **lists,
        }
        return Reply(200, manifest, {"Content-Type": "application/json"})

    def _file(self, name: str, job: Job | None) -> Reply:
        if job is None:
            return Reply(404, outcome("error", "not-found"))
        lines = self._files(job)[name]
        body = b"".join(orjson.dumps(line) + b"\n" for line in lines)
        headers = {"Content-Type": "application/fhir+ndjson"}
        return Reply(200, body=gzip.compress(body), headers=headers) if self.packed else Reply(200, None, headers, body)

    def _files(self, job: Job) -> dict[str, list[Json]]:
        found: dict[str, list[Json]] = {}
        for kind in job.types:
            rows = [
                row
                for ref, row in sorted(self.resources.items())
                if ref.startswith(f"{kind}/") and row["meta"]["lastUpdated"] >= (job.since or "")
            ]
            for start in range(0, len(rows), self.per_file):
                found[f"{kind}.{start // self.per_file + 1}"] = rows[start : start + self.per_file]
        if job.since and (gone := [ref for ref, at in self.deletions.items() if stamp(at) >= job.since]):
            found["deleted.1"] = [deletion(*gone)]
        if self.remarks:
            found["error.1"] = self.remarks
        return found

    def _search(self, kind: str, seen: Seen) -> Reply:
        chart = seen.query.get("patient")
        rows = [
            row
            for ref, row in self.resources.items()
            if ref.startswith(f"{kind}/")
            and (chart is None or row.get("patient", {}).get("reference") == f"Patient/{chart}")
        ]
        entries = [{"resource": row, "search": {"mode": "match"}} for row in rows]
        return Reply(200, {"resourceType": "Bundle", "type": "searchset", "entry": entries})

    def _capability(self) -> Json:
        definition = "http://hl7.org/fhir/uv/bulkdata/OperationDefinition"
        types: list[Json] = [
            {"type": "Patient"},
            {"type": "RelatedPerson", "searchParam": [{"name": "patient", "type": "reference"}]},
            {"type": "Group"},
        ]
        for entry in types:
            if entry["type"] in self.levels:
                name = f"{entry['type'].lower()}-export"
                entry["operation"] = [{"name": "export", "definition": f"{definition}/{name}"}]
        server: Json = {"mode": "server", "resource": types}
        if "system" in self.levels:
            server["operation"] = [{"name": "export", "definition": f"{definition}/export"}]
        return {"resourceType": "CapabilityStatement", "fhirVersion": "4.0.1", "rest": [server]}


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        """Silence: a reader that has seen enough hangs up in the middle of a file."""


def _handler(server: BulkServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            query = {key: values[0] for key, values in parse_qs(parts.query).items()}
            headers = {name.lower(): value for name, value in self.headers.items()}
            seen = Seen(self.command, parts.path, query, headers)
            server.seen.append(seen)
            reply = server.reply(seen)
            self.send_response_only(reply.status)
            for name, value in ({"Content-Type": "application/fhir+json"} | reply.headers).items():
                self.send_header(name, value)
            if "Date" not in reply.headers:
                self.send_header("Date", self.date_time_string())
            if reply.chunks is not None:
                self.send_header("Connection", "close")
                self.end_headers()
                for chunk in reply.chunks:
                    self.wfile.write(chunk)
                self.close_connection = True
                return
            self.send_header("Content-Length", str(len(reply.bytes)))
            self.end_headers()
            self.wfile.write(reply.bytes[: reply.cut])
            self.close_connection = reply.cut is not None

        do_DELETE = do_GET

        def log_message(self, format: str, *args: object) -> None:
            """Silence: tests say themselves what went wrong."""

    return Handler


def stamp(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def outcome(severity: str, code: str) -> Json:
    issue = {"severity": severity, "code": code, "diagnostics": "Canary Family was born 2015-03-04"}
    return {"resourceType": "OperationOutcome", "issue": [issue]}


def deletion(*refs: str) -> Json:
    entries = [{"request": {"method": "DELETE", "url": ref}} for ref in refs]
    return {"resourceType": "Bundle", "type": "transaction", "entry": entries}


@contextmanager
def waiting_until(true: Callable[[], bool], *, seconds: float = 20) -> Iterator[None]:
    """Runs the block once ``true`` is; fails when that takes too long."""
    limit = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < limit
        time.sleep(0.01)
    yield


def hours_ago(hours: float) -> datetime:
    return datetime.now(UTC) - timedelta(hours=hours)
