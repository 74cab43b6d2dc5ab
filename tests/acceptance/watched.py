"""A dead man's switch on this machine: it takes calls and remembers them."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Switch:
    """``calls`` are the requests so far, without what the address begins with; ``status`` is what it answers."""

    url: str = ""
    status: int = 200
    calls: list[str] = field(default_factory=list)
    sent: list[bytes] = field(default_factory=list)

    def taken(self) -> list[str]:
        """The calls since the last time."""
        calls, self.calls = self.calls, []
        return calls


@contextmanager
def switch() -> Iterator[Switch]:
    """Runs until the block ends."""
    found = Switch()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found.calls.append(self.path.removeprefix("/ping/uuid"))
            found.sent.append(self.rfile.read(int(self.headers.get("Content-Length", "0"))))
            self.send_response(found.status)
            self.send_header("Location", "/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found.url = f"http://127.0.0.1:{server.server_port}/ping/uuid"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield found
    finally:
        server.shutdown()
        server.server_close()
