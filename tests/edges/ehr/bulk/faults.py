"""Everything an export can do wrong, by name: where it happens, what happens, and what the admin is told."""

import gzip
import time
from collections.abc import Callable
from dataclasses import dataclass

import orjson

from tests.edges.ehr.bulk.server import BulkServer, Fault, Reply, hours_ago, outcome


@dataclass(frozen=True)
class Named:
    """``told`` is part of the one problem; None where the read bears the fault and is complete."""

    name: str
    place: str
    fault: Fault
    told: str | None
    times: int = 1_000_000
    rows: bool = True
    """Whether records come all the same: what they say outright acts at once."""


def status(code: int, **headers: str) -> Fault:
    def fault(reply: Reply) -> None:
        reply.status, reply.json, reply.body = code, outcome("error", "exception"), None
        reply.headers = {name.replace("_", "-"): value for name, value in headers.items()}

    return fault


def body(data: bytes, kind: str = "application/fhir+json") -> Fault:
    def fault(reply: Reply) -> None:
        reply.body, reply.headers = data, {"Content-Type": kind}

    return fault


def edited(change: Callable[[bytes], bytes]) -> Fault:
    def fault(reply: Reply) -> None:
        reply.body = change(reply.bytes)

    return fault


def manifest(**values: object) -> Fault:
    def fault(reply: Reply) -> None:
        if reply.status == 200 and reply.json:
            reply.json = {key: value for key, value in (reply.json | values).items() if value != "left out"}

    return fault


def header(name: str, value: str) -> Fault:
    def fault(reply: Reply) -> None:
        reply.headers[name] = value

    return fault


def cut(reply: Reply) -> None:
    reply.cut = len(reply.bytes) // 2


def cut_gzip(data: bytes) -> bytes:
    return gzip.compress(data)[:-9]


def broken_gzip(data: bytes) -> bytes:
    packed = gzip.compress(data)
    return packed[:40] + bytes([packed[40] ^ 0xFF]) + packed[41:]


def an_outcome(data: bytes) -> bytes:
    return data + orjson.dumps(outcome("error", "exception"))


def wrong_counts(reply: Reply) -> None:
    for entry in (reply.json or {}).get("output", []):
        if entry["type"] == "RelatedPerson":
            entry["count"] += 1


def no_contacts(reply: Reply) -> None:
    if "output" in (reply.json or {}):
        reply.json["output"] = [entry for entry in reply.json["output"] if entry["type"] == "Patient"]


def huge(data: bytes) -> bytes:
    return orjson.dumps({"resourceType": "Patient", "id": "huge", "x": "y" * 17_000_000}) + b"\n" + data


def bomb(data: bytes) -> bytes:
    return gzip.compress(data + b" " * 90_000_000)


def foreign(reply: Reply) -> None:
    for entry in (reply.json or {}).get("output", []):
        entry["url"] = entry["url"].replace("127.0.0.1", "127.0.0.2")


EPOCH = str(int(time.time()) + 3)
ELSEWHERE = "https://else.example/x"

FAULTS = [
    # asked for
    Named(
        "kickoff-refused",
        "kickoff",
        status(400),
        "answered 400 (OperationOutcome: exception), so there is no",
        9,
        False,
    ),
    Named("kickoff-403", "kickoff", status(403), "answered 403", 9, False),
    Named("kickoff-busy-then-taken", "kickoff", status(429, Retry_After="7"), None, 1),
    Named("kickoff-busy-for-ever", "kickoff", status(503), "answered 503", 99, False),
    Named("kickoff-without-status", "kickoff", header("Content-Location", ""), "named no address", 9, False),
    Named("status-elsewhere", "kickoff", header("Content-Location", ELSEWHERE), "another address", 9, False),
    Named(
        "status-with-a-user",
        "kickoff",
        header("Content-Location", "http://127.0.0.1@else.example/"),
        "another address",
        9,
        False,
    ),
    # watched
    Named("status-429-with-an-epoch", "status", status(429, Retry_After=EPOCH), None, 2),
    Named("status-429-with-an-epoch-long-past", "status", status(429, Retry_After="1000000000"), None, 2),
    Named("status-500-then-200", "status", status(500), None, 2),
    Named("status-500-for-ever", "status", status(500), "answered 500", 99, False),
    Named("status-404", "status", status(404), "no longer knows this export", 9, False),
    Named("status-422", "status", status(422), "so the export failed", 9, False),
    Named("status-cut-once", "status", cut, None, 1),
    Named("status-never-ready", "status", status(202), "not finished within", 99_999, False),
    Named("status-redirects-elsewhere", "status", status(302, Location=ELSEWHERE), "another address", 9, False),
    Named(
        "status-redirects-in-circles",
        "status",
        status(307, Location="/fhir/status/1"),
        "redirected more than",
        99,
        False,
    ),
    # the manifest
    Named(
        "manifest-is-a-web-page",
        "status",
        body(b"<html>Canary</html>", "text/html"),
        "the manifest of the export is not valid",
        9,
        False,
    ),
    Named(
        "manifest-is-a-bundle",
        "status",
        body(b'{"resourceType":"Bundle","type":"batch-response"}'),
        "something else than the manifest",
        9,
        False,
    ),
    Named(
        "manifest-has-a-key-twice",
        "status",
        edited(lambda data: data.replace(b'"output":', b'"output":[],"output":')),
        "has a key twice",
        9,
        False,
    ),
    Named("manifest-without-a-time", "status", manifest(transactionTime="left out"), "as of when"),
    Named("manifest-with-a-local-time", "status", manifest(transactionTime="2026-01-01T00:00:00"), "as of when"),
    Named(
        "manifest-of-yesterday",
        "status",
        manifest(transactionTime=hours_ago(20).isoformat()),
        "before it was asked for",
    ),
    Named("manifest-in-parts", "status", manifest(link=[{"relation": "next", "url": "x"}]), "files are missing"),
    Named(
        "manifest-with-a-file-without-url", "status", manifest(deleted=[{"type": "Bundle"}]), "no usable type and url"
    ),
    Named("manifest-with-a-list-that-is-none", "status", manifest(error={"url": "x"}), "cannot be used"),
    Named("manifest-without-contacts", "status", no_contacts, "leaves out RelatedPersons"),
    Named("manifest-of-the-future", "status", manifest(transactionTime="2999-01-01T00:00:00Z"), None),
    Named("files-elsewhere", "status", foreign, "another address", 9, False),
    Named("wrong-count", "status", wrong_counts, "where the manifest says"),
    # the files
    Named("file-410", "RelatedPerson", status(410), "no longer has it"),
    Named("file-403", "RelatedPerson", status(403), "answered 403"),
    Named("file-500-then-200", "RelatedPerson", status(500), None, 2),
    Named("file-500-for-ever", "RelatedPerson", status(500), "4 times in a row", 99),
    Named("file-cut-once", "RelatedPerson", cut, None, 1),
    Named("file-cut-for-ever", "RelatedPerson", cut, "4 times in a row", 99),
    Named("file-is-a-web-page", "RelatedPerson", body(b"<html>Canary</html>", "text/html"), "a web page"),
    Named("file-redirects-elsewhere", "RelatedPerson", status(302, Location=ELSEWHERE), "another address"),
    Named("file-of-a-wrong-content-type", "RelatedPerson", header("Content-Type", "application/octet-stream"), None),
    Named("file-packed-unasked", "RelatedPerson", header("Content-Encoding", "br"), "not asked for"),
    Named(
        "file-with-blank-lines", "RelatedPerson", edited(lambda data: b"\n \r\n" + data.replace(b"\n", b"\r\n\n")), None
    ),
    Named("file-without-a-last-line-end", "RelatedPerson", edited(lambda data: data[:-1]), None),
    Named("line-cut-off", "RelatedPerson", edited(lambda data: data[:-40]), "the last line is cut off"),
    Named(
        "lines-missing", "RelatedPerson", edited(lambda data: data[: data.index(b"\n") + 1]), "where the manifest says"
    ),
    Named("gzip-cut-off", "RelatedPerson", edited(cut_gzip), "gzip file that is cut off"),
    Named("gzip-broken", "RelatedPerson", edited(broken_gzip), "not a sound gzip"),
    Named("gzip-bomb", "RelatedPerson", edited(bomb), "absurdly much"),
    Named("an-outcome-among-the-lines", "Patient.1", edited(an_outcome), "the EHR reports error: exception"),
]


def remarks(server: BulkServer, severity: str) -> None:
    server.remarks = [outcome(severity, "incomplete")]
