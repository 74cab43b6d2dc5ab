"""Faults of the answer itself: its body, its encoding, its content type."""

import gzip
import zlib

import orjson

from tests.edges.ehr.scripted import Reply, outcome
from tests.hostile.fault import End, Fault, Scene, Spoil


def _typed(kind: str, body: bytes | None = None) -> Spoil:
    def spoil(reply: Reply, _: Scene) -> None:
        reply.body, reply.headers = body, {"Content-Type": kind}

    return spoil


def _body(body: bytes) -> Spoil:
    def spoil(reply: Reply, _: Scene) -> None:
        reply.body = body

    return spoil


def _packed(*, cut: int | None = None, size: int = 0, layers: int = 1, encoding: str = "gzip") -> Spoil:
    """The good body (or ``size`` bytes more of it), compressed so many times over."""

    def spoil(reply: Reply, _: Scene) -> None:
        body = orjson.dumps(reply.json | ({"filler": "x" * size} if size else {}))
        for _layer in range(layers):
            body = zlib.compress(body) if encoding == "deflate" else gzip.compress(body)
        reply.body = body[:cut]
        reply.headers = {"Content-Encoding": ", ".join([encoding] * layers)}

    return spoil


def _replaced(old: bytes, new: bytes, *, charset: str = "utf-8") -> Spoil:
    def spoil(reply: Reply, _: Scene) -> None:
        text = orjson.dumps(reply.json)
        assert old in text, "the fault must happen"
        reply.body = text.replace(old, new).decode("utf-8", "surrogateescape").encode(charset, "surrogateescape")
        reply.headers = {"Content-Type": f"application/fhir+json; charset={charset}"}

    return spoil


def _half(reply: Reply, _: Scene) -> None:
    reply.body = orjson.dumps(reply.json)[:-20]


def _status_only(reply: Reply, _: Scene) -> None:
    reply.status, reply.body = 204, b""


def _outcome(reply: Reply, _: Scene) -> None:
    reply.json = outcome("error", "exception")


def _deep(reply: Reply, _: Scene) -> None:
    reply.body = orjson.dumps(reply.json)[:-1] + b',"x":' + b'{"x":' * 500 + b"1" + b"}" * 501


def _bom(reply: Reply, _: Scene) -> None:
    reply.body = b"\xef\xbb\xbf" + orjson.dumps(reply.json)


def _redirect_bomb(reply: Reply, scene: Scene) -> None:
    _packed(size=30_000_000)(reply, scene)
    reply.status, reply.headers["Location"] = 302, f"{scene.ehr.base_url}/Patient"


_CANARY = b'"family":"Canary'
_LOGIN = b"<html><body>Canary portal: please log in</body></html>"
_AGAIN = "Try again; if it stays, ask the EHR's support."

# fmt: off
BODIES = [
    Fault(name="web page", does="answers 200 with a login page", end=End.INCOMPLETE,
          told="answered a web page (text/html). Check base_url.", spoil=_typed("text/html; charset=utf-8", _LOGIN)),
    Fault(name="web page called JSON", does="answers 200 with a login page that it calls FHIR JSON", end=End.INCOMPLETE,
          told=f"the answer is not valid JSON (at character 1). {_AGAIN}", spoil=_body(_LOGIN)),
    Fault(name="JSON called a web page", does="answers FHIR JSON that it calls text/html", end=End.INCOMPLETE,
          told="answered a web page (text/html). Check base_url.", spoil=_typed("text/html")),
    Fault(name="XML", does="answers FHIR XML", end=End.INCOMPLETE,
          told="answered something else than FHIR JSON (application/fhir+xml). Check base_url.",
          spoil=_typed("application/fhir+xml", b'<Bundle xmlns="http://hl7.org/fhir"/>')),
    Fault(name="plain OK", does="answers 200 and the word OK", end=End.INCOMPLETE,
          told="the answer is not valid JSON (at character 1).", spoil=_body(b"OK")),
    Fault(name="empty body", does="answers 200 and nothing else", end=End.INCOMPLETE,
          told=f"the answer is empty. {_AGAIN}", spoil=_body(b"")),
    Fault(name="no content", does="answers 204", end=End.INCOMPLETE,
          told="answered 204. Ask the EHR's support.", spoil=_status_only),
    Fault(name="JSON null", does="answers null", end=End.INCOMPLETE,
          told="answered JSON that is not a FHIR resource. Check base_url.", spoil=_body(b"null")),
    Fault(name="JSON list", does="answers a list of numbers", end=End.INCOMPLETE,
          told="answered JSON that is not a FHIR resource. Check base_url.", spoil=_body(b"[1,2,3]")),
    Fault(name="truncated JSON", does="stops in the middle of the JSON, in a body of the length it promised",
          end=End.INCOMPLETE, told=f"the answer ends too early. {_AGAIN}", spoil=_half),
    Fault(name="OperationOutcome", does="answers 200 with an OperationOutcome", end=End.INCOMPLETE,
          told="answered an OperationOutcome (error: exception). Ask the EHR's support.", spoil=_outcome),
    Fault(name="NaN", does="writes NaN where a number should be", end=End.INCOMPLETE,
          told="the answer is not valid JSON",
          spoil=_replaced(b'"type":"searchset"', b'"type":"searchset","x":NaN')),
    Fault(name="infinite number", does="writes 1e999", end=End.INCOMPLETE,
          told="the answer is not valid JSON",
          spoil=_replaced(b'"type":"searchset"', b'"type":"searchset","x":1e999')),
    Fault(name="lone surrogate", does="escapes half a character", end=End.INCOMPLETE,
          told="the answer is not valid JSON",
          spoil=_replaced(_CANARY, b'"family":"\\ud800')),
    Fault(name="UTF-16", does="answers in UTF-16", end=End.INCOMPLETE, told="the answer is not valid",
          spoil=_replaced(_CANARY, _CANARY, charset="utf-16")),
    Fault(name="Latin-1", does="answers in ISO-8859-1", end=End.INCOMPLETE,
          told=f"the answer is not valid UTF-8. {_AGAIN}",
          spoil=_replaced(_CANARY, '"family":"Cañary'.encode(), charset="iso-8859-1")),
    Fault(name="byte order mark", does="puts a byte order mark in front", end=End.COMPLETE, told="", spoil=_bom),
    Fault(name="deep nesting", does="nests objects 500 deep", end=End.INCOMPLETE,
          told="the answer is nested deeper than 64 levels.", spoil=_deep),
    Fault(name="gzip bomb", does="packs far more than a page into a small body", end=End.INCOMPLETE,
          told="and was not read on. Lower page_size, or raise max_body_megabytes.", spoil=_packed(size=30_000_000)),
    Fault(name="deflate bomb", does="does the same with deflate, unasked", end=End.INCOMPLETE,
          told="and was not read on. Lower page_size, or raise max_body_megabytes.",
          spoil=_packed(size=30_000_000, encoding="deflate")),
    Fault(name="gzip in gzip", does="packs a bomb into a second gzip", end=End.INCOMPLETE,
          told="and was not read on. Lower page_size, or raise max_body_megabytes.",
          spoil=_packed(size=30_000_000, layers=2)),
    Fault(name="redirect with a bomb", does="redirects, with a bomb as the body", end=End.INCOMPLETE,
          told="and was not read on. Lower page_size, or raise max_body_megabytes.", spoil=_redirect_bomb),
    Fault(name="endless encodings", does="packs the body twenty times over", end=End.INCOMPLETE,
          told="the answer was cut off or damaged on its way", spoil=_packed(layers=20)),
    Fault(name="gzip cut off", does="ends in the middle of the gzip", end=End.INCOMPLETE,
          told="the answer ends too early.", spoil=_packed(cut=150)),
    Fault(name="not gzip", does="calls a plain body gzip", end=End.INCOMPLETE,
          told="the answer was cut off or damaged on its way",
          spoil=lambda reply, _: reply.headers.update({"Content-Encoding": "gzip"})),
    Fault(name="unknown encoding", does="packs the body in a way nobody asked for", end=End.INCOMPLETE,
          told="the answer is not valid",
          spoil=lambda reply, _: (_packed()(reply, _), reply.headers.update({"Content-Encoding": "br"}))[0]),
]
# fmt: on
