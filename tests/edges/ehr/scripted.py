"""A scripted EHR: a small real FHIR server on loopback that misbehaves exactly where a test tells it to."""

import gzip
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BufferedIOBase
from socket import socket
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, urlencode, urlsplit

import orjson

Json = dict[str, Any]


@dataclass
class Reply:
    """What will be sent; a fault changes it.

    ``cut`` sends only so many bytes of the promised body, ``drip`` waits so many seconds after each byte. ``wire``
    talks to the socket itself instead, and the connection ends when it returns.
    """

    status: int
    json: Any
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | None = None
    cut: int | None = None
    drip: float = 0
    wire: Callable[[BufferedIOBase, socket], None] | None = None


Fault = Callable[[Reply], None]


class ScriptedEhr:
    """Serves ``resources``: /metadata, reads, searches with paging, ``_revinclude``, ``patient``, ``_lastUpdated``.

    ``declares`` are the capabilities in /metadata, ``obeys`` those that really work; both from
    ``revinclude``, ``since``, ``patient``. ``fault(...)`` spoils chosen answers. ``requests`` are the paths that came
    with their query, ``tokens`` the Authorization headers.
    """

    ALL = frozenset({"revinclude", "since", "patient"})

    def __init__(
        self,
        resources: list[Json] | None = None,
        *,
        declares: frozenset[str] = ALL,
        obeys: frozenset[str] = ALL,
        self_links: bool = True,
        totals: bool = False,
    ) -> None:
        self.resources = resources or []
        self.declares, self.obeys, self.self_links, self.totals = declares, obeys, self_links, totals
        self.default_count = 10
        self.most = 1_000_000
        """Rows a page at most, whatever is asked for."""
        self.requests: list[str] = []
        self.tokens: set[str | None] = set()
        self._faults: list[tuple[str, int | None, Fault, list[int]]] = []
        self._server = _Server(("127.0.0.1", 0), _handler(self))
        self.origin = f"http://127.0.0.1:{self._server.server_address[1]}"
        self.base_url = f"{self.origin}/fhir"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()

    def fault(self, path: str, fault: Fault, *, page: int | None = None, times: int = 1_000_000) -> None:
        """Spoils answers to ``Patient``, ``RelatedPerson``, ``metadata`` or ``Patient/p1``; every page or one."""
        self._faults.append((path, page, fault, [times]))

    def reply(self, target: str) -> Reply:
        parts = urlsplit(target)
        path, query = parts.path.removeprefix("/fhir/"), {k: v[0] for k, v in parse_qs(parts.query).items()}
        reply = self._answer(path, query)
        for where, page, fault, left in self._faults:
            if where == path and page in (None, int(query.get("page", 1))) and left[0] > 0:
                left[0] -= 1
                fault(reply)
        return reply

    def _answer(self, path: str, query: dict[str, str]) -> Reply:
        if path == "metadata":
            return Reply(200, self._capability())
        if "/" in path:
            found = [r for r in self.resources if f"{r['resourceType']}/{r.get('id')}" == path]
            return Reply(200, found[-1]) if found else Reply(404, outcome("error", "not-found"))
        used = {key for key, needs in _NEEDS.items() if needs in self.obeys}
        query = {key: value for key, value in query.items() if key in used | {"_count", "page"}}
        rows = [row for row in self.resources if row["resourceType"] == path and self._matches(row, query)]
        size, page = min(int(query.get("_count", self.default_count)), self.most), int(query.get("page", 1))
        here = rows[(page - 1) * size : page * size]
        entries = [{"resource": row, "search": {"mode": "match"}} for row in here]
        if "_revinclude" in query:
            charts = {f"Patient/{row.get('id')}" for row in here}
            entries += [
                {"resource": row, "search": {"mode": "include"}} for row in self.resources if chart_of(row) in charts
            ]
        bundle: Json = {"resourceType": "Bundle", "type": "searchset", "entry": entries, "link": []}
        if self.totals:
            bundle["total"] = len(rows)
        if self.self_links:
            bundle["link"].append({"relation": "self", "url": f"{self.base_url}/{path}?{urlencode(query)}"})
        if page * size < len(rows):
            following = urlencode({**query, "page": page + 1})
            bundle["link"].append({"relation": "next", "url": f"{self.base_url}/{path}?{following}"})
        return Reply(200, bundle)

    def _matches(self, row: Json, query: dict[str, str]) -> bool:
        chart, since = query.get("patient"), query.get("_lastUpdated", "ge").removeprefix("ge")
        updated = row.get("meta", {}).get("lastUpdated", "9")
        return (chart is None or chart_of(row) == f"Patient/{chart}") and updated >= since

    def _capability(self) -> Json:
        since = [{"name": "_lastUpdated", "type": "date"}] if "since" in self.declares else []
        by_patient = [{"name": "patient", "type": "reference"}] if "patient" in self.declares else []
        reverse = {"searchRevInclude": ["RelatedPerson:patient"]} if "revinclude" in self.declares else {}
        types = [
            {"type": "Patient", "searchParam": since, **reverse},
            {"type": "RelatedPerson", "searchParam": [*since, *by_patient]},
        ]
        rest = [{"mode": "server", "resource": types}]
        return {"resourceType": "CapabilityStatement", "fhirVersion": "4.0.1", "rest": rest}


_NEEDS = {"_revinclude": "revinclude", "_lastUpdated": "since", "patient": "patient"}


def chart_of(row: Json) -> str:
    reference: str = row.get("patient", {}).get("reference", "")
    return reference


def outcome(severity: str, code: str) -> Json:
    issue = {"severity": severity, "code": code, "diagnostics": "Canary Family was born 2015-03-04"}
    return {"resourceType": "OperationOutcome", "issue": [issue]}


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """Silence: a reader that has had enough closes the connection, and that is right."""


def _handler(ehr: ScriptedEhr) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = 64 * 1024

        def do_GET(self) -> None:
            ehr.requests.append(self.path)
            ehr.tokens.add(self.headers.get("Authorization"))
            reply = ehr.reply(self.path)
            if reply.wire is not None:
                self.close_connection = True
                with suppress(OSError):
                    reply.wire(self.wfile, self.connection)
                return
            body = reply.body if reply.body is not None else orjson.dumps(reply.json)
            headers = {"Content-Type": "application/fhir+json", "Content-Length": str(len(body))} | reply.headers
            self.send_response_only(reply.status)
            headers.setdefault("Date", self.date_time_string())
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            size = 1 if reply.drip else len(body)
            with suppress(OSError):  # the other side may have had enough
                for start in range(0, len(body[: reply.cut]), size or 1):
                    self.wfile.write(body[: reply.cut][start : start + size])
                    self.wfile.flush()
                    time.sleep(reply.drip)
            self.close_connection = reply.cut is not None

        def log_message(self, format: str, *args: object) -> None:
            """Silence: tests say themselves what went wrong."""

    return Handler


def html(reply: Reply) -> None:
    reply.body, reply.headers = b"<html>Canary portal</html>", {"Content-Type": "text/html"}


def cut_off(reply: Reply) -> None:
    reply.cut = 40


def dripping(reply: Reply) -> None:
    reply.drip = 0.02


def half_json(reply: Reply) -> None:
    reply.body = orjson.dumps(reply.json)[:-20]


def not_a_number(reply: Reply) -> None:
    reply.body = b'{"total":NaN,' + orjson.dumps(reply.json)[1:]


def an_outcome(reply: Reply) -> None:
    reply.json = outcome("error", "exception")


def wrong_bundle(reply: Reply) -> None:
    reply.json["type"] = "collection"


def another_resource(reply: Reply) -> None:
    reply.json = {"resourceType": "Patient", "id": "canary"}


def warning_entry(reply: Reply) -> None:
    reply.json["entry"].append({"resource": outcome("warning", "not-supported"), "search": {"mode": "outcome"}})


def information_entry(reply: Reply) -> None:
    reply.json["entry"].append({"resource": outcome("information", "informational"), "search": {"mode": "outcome"}})


def doubled_key(reply: Reply) -> None:
    reply.body = orjson.dumps(reply.json).replace(b'"id":"p2"', b'"id":"p2","active":true,"active":false')


def doubled_links(reply: Reply) -> None:
    reply.body = orjson.dumps(reply.json).replace(
        b'{"resourceType":"Bundle"', b'{"type":"history","resourceType":"Bundle"'
    )


def bomb(reply: Reply) -> None:
    body = orjson.dumps(reply.json | {"id": "x" * (3 * 1024 * 1024)})
    reply.body, reply.headers = gzip.compress(body), {"Content-Encoding": "gzip"}


def status(code: int, **headers: str) -> Fault:
    def answer(reply: Reply) -> None:
        reply.status, reply.json = code, outcome("error", "exception")
        reply.headers |= {name.replace("_", "-"): value for name, value in headers.items()}

    return answer


def next_link(url: str) -> Fault:
    def answer(reply: Reply) -> None:
        links = [link for link in reply.json["link"] if link["relation"] != "next"]
        reply.json["link"] = [*links, {"relation": "next", "url": url}]

    return answer
