"""Faults below the answer: status codes, sockets, slowness."""

import struct
import time
from io import BufferedIOBase
from itertools import repeat
from socket import SO_LINGER, SOL_SOCKET, socket

import orjson

from tests.edges.ehr.scripted import Reply, outcome
from tests.hostile.fault import End, Fault, Scene, Spoil


def _status(code: int, **headers: str) -> Spoil:
    def spoil(reply: Reply, _: Scene) -> None:
        reply.status, reply.json = code, outcome("error", "exception")
        reply.headers |= {name.replace("_", "-"): value for name, value in headers.items()}

    return spoil


def _says(data: bytes) -> Spoil:
    """Sends these bytes instead of an answer, and closes the connection."""

    def spoil(reply: Reply, _: Scene) -> None:
        reply.wire = lambda out, _socket: _send(out, data)

    return spoil


def _send(out: BufferedIOBase, data: bytes) -> None:
    out.write(data)
    out.flush()


def _drips(first: bytes, again: bytes) -> Spoil:
    """Sends ``first``, then ``again`` every few milliseconds, for as long as somebody listens."""

    def talk(out: BufferedIOBase, _socket: socket) -> None:
        _send(out, first)
        for part in repeat(again, 2000):
            _send(out, part)
            time.sleep(0.02)

    def spoil(reply: Reply, _: Scene) -> None:
        reply.wire = talk

    return spoil


def _cut(reply: Reply, _: Scene) -> None:
    reply.cut = 40


def _reset(reply: Reply, _: Scene) -> None:
    def talk(out: BufferedIOBase, connection: socket) -> None:
        _send(out, b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n{")
        connection.setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()

    reply.wire = talk


def _hang(reply: Reply, _: Scene) -> None:
    reply.wire = lambda _out, _socket: time.sleep(1.5)


def _no_length(reply: Reply, _: Scene) -> None:
    """Half a body without a length: only the closed connection says that it is over."""
    body = orjson.dumps(reply.json)
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/fhir+json\r\n\r\n"
    reply.wire = lambda out, _socket: _send(out, head + body[: len(body) // 2])


_OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/fhir+json\r\n"
_DAMAGED = "the answer was cut off or damaged on its way, 4 times in a row."
_UNREACHED = "the EHR cannot be reached, 4 times in a row."
_LATE = "the answer was not finished within"
_BUSY = "4 times in a row. Try again later; if it stays, ask the EHR's support."

# fmt: off
WIRES = [
    Fault(name="cut off", does="promises more bytes than it sends", end=End.INCOMPLETE, told=_DAMAGED, spoil=_cut),
    Fault(name="cut off, then well", does="does that twice, then answers", end=End.COMPLETE, told="", spoil=_cut,
          times=2),
    Fault(name="closed early", does="promises no length and closes the connection half-way", end=End.INCOMPLETE,
          told="the answer ends too early.", spoil=_no_length),
    Fault(name="reset", does="resets the connection half-way", end=End.INCOMPLETE, told="4 times in a row.",
          spoil=_reset),
    Fault(name="silent close", does="closes the connection without a word", end=End.INCOMPLETE, told=_UNREACHED,
          spoil=_says(b"")),
    Fault(name="not HTTP", does="answers something that is not HTTP", end=End.INCOMPLETE, told=_UNREACHED,
          spoil=_says(b"SSH-2.0-OpenSSH_9.2\r\n")),
    Fault(name="header flood", does="sends a thousand headers", end=End.INCOMPLETE, told=_UNREACHED,
          spoil=_says(_OK + b"".join(b"X-%d: 1\r\n" % n for n in range(1000)) + b"\r\n{}")),
    Fault(name="endless header", does="sends a header of a megabyte", end=End.INCOMPLETE, told="4 times in a row.",
          spoil=_says(_OK + b"X: " + b"x" * 1_000_000 + b"\r\n\r\n{}")),
    Fault(name="damaged chunks", does="sends chunks whose sizes are no numbers", end=End.INCOMPLETE,
          told=_DAMAGED, spoil=_says(_OK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n")),
    Fault(name="last chunk missing", does="ends without its last chunk", end=End.INCOMPLETE, told=_DAMAGED,
          spoil=_says(_OK + b'Transfer-Encoding: chunked\r\n\r\n14\r\n{"resourceType":"Bun\r\n')),
    Fault(name="hangs", does="takes the question and never answers", end=End.INCOMPLETE, told="no answer within",
          spoil=_hang, waits=True, pages=("middle",)),
    Fault(name="drips", does="sends its body byte by byte, for hours", end=End.INCOMPLETE, told=_LATE,
          spoil=_drips(_OK + b"Content-Length: 100000\r\n\r\n", b"{"), waits=True, pages=("middle",)),
    Fault(name="drips headers", does="sends its headers byte by byte, for hours", end=End.INCOMPLETE, told=_LATE,
          spoil=_drips(_OK, b"X"), waits=True, pages=("middle",)),
    Fault(name="100 Continue for ever", does="says 100 Continue again and again", end=End.INCOMPLETE, told=_LATE,
          spoil=_drips(b"", b"HTTP/1.1 100 Continue\r\n\r\n"), waits=True, pages=("middle",)),
    Fault(name="token refused", does="answers 401", end=End.INCOMPLETE, told="answered 401", spoil=_status(401)),
    Fault(name="access refused", does="answers 403", end=End.INCOMPLETE, told="answered 403", spoil=_status(403)),
    Fault(name="not found", does="answers 404", end=End.INCOMPLETE, told="answered 404", spoil=_status(404)),
    Fault(name="gone", does="answers 410: the search has expired", end=End.INCOMPLETE,
          told="answered 410 (OperationOutcome: exception). Start again: the EHR has dropped this search.",
          spoil=_status(410), pages=("middle", "last")),
    Fault(name="later pages refused", does="refuses pages beyond an offset that it does not tell", end=End.INCOMPLETE,
          told="answered 400 (OperationOutcome: exception)", spoil=_status(400), pages=("middle", "last")),
    Fault(name="error", does="answers 500 every time", end=End.INCOMPLETE, told=f"answered 500, {_BUSY}",
          spoil=_status(500)),
    Fault(name="down", does="answers 503 every time", end=End.INCOMPLETE, told=f"answered 503, {_BUSY}",
          spoil=_status(503)),
    Fault(name="down, then well", does="answers 503 twice, then well", end=End.COMPLETE, told="", spoil=_status(503),
          times=2),
    Fault(name="429 storm", does="answers 429 every time", end=End.INCOMPLETE, told=f"answered 429, {_BUSY}",
          spoil=_status(429, Retry_After="1")),
    Fault(name="429, then well", does="answers 429 three times, then well", end=End.COMPLETE, told="",
          spoil=_status(429, Retry_After="2"), times=3),
    Fault(name="429 with an absurd wait", does="asks for a wait of 30 years, then answers", end=End.COMPLETE, told="",
          spoil=_status(429, Retry_After="999999999"), times=2),
    Fault(name="429 with a negative wait", does="asks for a wait of minus an hour, then answers", end=End.COMPLETE,
          told="", spoil=_status(429, Retry_After="-3600"), times=2),
    Fault(name="429 with a time", does="gives the wait as seconds since 1970, then answers", end=End.COMPLETE, told="",
          spoil=_status(429, Retry_After="1767225600"), times=2),
    Fault(name="429 with a window", does="tells only the window of its rate limit, then answers", end=End.COMPLETE,
          told="", spoil=_status(429, RateLimit='"fhir";r=0;t=48'), times=2),
]
# fmt: on
