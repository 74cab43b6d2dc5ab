"""The demo EHR behind a proxy that spoils chosen answers: what real servers do on a bad day."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import requests

from adapter.sandbox.ehr import SandboxEhr

FHIR = "application/fhir+json"


@dataclass(frozen=True)
class Reply:
    """One answer; ``promised`` is the Content-Length it claims, when that is a lie."""

    status: int
    body: bytes
    kind: str = FHIR
    promised: int | None = None


Spoil = Callable[[str, Reply], Reply]
"""``spoil(address, good answer)`` gives the answer that is sent instead; the address is path and query."""


@dataclass
class FaultyEhr:
    """The proxy in front of ``ehr``; ``spoil`` may be exchanged at any time."""

    ehr: SandboxEhr
    base_url: str = ""
    spoil: Spoil | None = None
    asked: list[str] = field(default_factory=list)

    def answer(self, address: str) -> Reply:
        self.asked.append(address)
        good = requests.get(self.ehr.base_url.removesuffix("/fhir") + address, timeout=10)
        body = good.content.replace(self.ehr.base_url.encode(), self.base_url.encode())
        reply = Reply(good.status_code, body, good.headers["Content-Type"])
        return self.spoil(address, reply) if self.spoil else reply


@contextmanager
def faulty(ehr: SandboxEhr) -> Iterator[FaultyEhr]:
    """Runs the proxy on a free port of this machine."""
    proxy = FaultyEhr(ehr)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            reply = proxy.answer(self.path)
            self.send_response(reply.status)
            self.send_header("Content-Type", reply.kind)
            self.send_header("Content-Length", str(len(reply.body) if reply.promised is None else reply.promised))
            self.send_header("Retry-After", "0")
            self.end_headers()
            self.wfile.write(reply.body)

        def log_message(self, format: str, *args: object) -> None:
            """Says nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        proxy.base_url = f"http://127.0.0.1:{server.server_address[1]}/fhir"
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield proxy
        finally:
            server.shutdown()
            thread.join()
