"""A mail server that behaves badly on purpose, on plain sockets: what it does at each step is a list of answers."""

import random
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

HANG_UP, SILENCE, DRIP, HALF_CLOSE = "<hang up>", "<silence>", "<drip>", "<half close>"
"""Instead of an answer: cut the line; say nothing; one byte now and then, never a whole line; stop sending only."""
GOOD = {
    "banner": "220 hostile",
    "EHLO": "250-hostile\r\n250 8BITMIME",
    "MAIL": "250 ok",
    "RCPT": "250 ok",
    "DATA": "354 go on",
    "dot": "250 queued",
    "RSET": "250 ok",
    "QUIT": "221 bye",
    "NOOP": "250 ok",
    "STARTTLS": "454 not now",
}


@dataclass
class Hostile:
    """``answers`` replaces good answers by step; a function is asked each time. What was kept is in ``messages``."""

    answers: dict[str, str | Callable[[], str]] = field(default_factory=dict)
    keep_before_hanging_up: float = 1.0
    """How often a message counts as accepted although the line is cut instead of the answer to its final dot."""
    seed: int = 1
    messages: list[bytes] = field(default_factory=list)
    recipients: list[str] = field(default_factory=list)
    connections: int = 0
    port: int = 0

    def __post_init__(self) -> None:
        self._random, self._lock = random.Random(self.seed), threading.Lock()

    def answer(self, step: str) -> str:
        given: str | Callable[[], str] = self.answers.get(step, GOOD.get(step, "502 what?"))
        return given if isinstance(given, str) else given()

    def sometimes(self, share: float, bad: str, good: str) -> Callable[[], str]:
        """An answer that is bad in this share of cases."""
        return lambda: bad if self.chance(share) else good

    def chance(self, share: float) -> bool:
        with self._lock:
            return self._random.random() < share

    def serve(self, line: socket.socket) -> None:
        """One connection, to its end."""
        stream = line.makefile("rb")
        with line, stream, suppress(OSError):
            if not _say(line, self.answer("banner")):
                return
            recipient = ""
            while command := stream.readline():
                step = command[:4].decode("ascii", "replace").upper().strip()
                step = "STARTTLS" if step == "STAR" else step
                if step == "RCPT":
                    recipient = command.decode("utf-8", "replace").strip()[8:].strip("<>")
                answer = self.answer(step)
                if not _say(line, answer) or step == "QUIT":
                    return
                if step == "DATA" and answer.startswith("354") and not self._message(line, stream, recipient):
                    return

    def _message(self, line: socket.socket, stream: object, recipient: str) -> bool:
        content = b""
        while (part := stream.readline()) not in (b".\r\n", b""):  # type: ignore[attr-defined]
            content += part
        if not part:
            return False  # the line was cut before the final dot: nothing was accepted
        answer = self.answer("dot")
        if answer.startswith("250") or (answer[:1] == "<" and self.chance(self.keep_before_hanging_up)):
            with self._lock:
                self.messages.append(content)
                self.recipients.append(recipient)
        return _say(line, answer)


def _say(line: socket.socket, answer: str) -> bool:
    """False when there is nothing more to say on this line."""
    if answer == HANG_UP:
        line.close()
        return False
    if answer == HALF_CLOSE:
        line.shutdown(socket.SHUT_WR)
        with suppress(OSError):
            while line.recv(4096):
                pass
        return False
    if answer in (SILENCE, DRIP):
        line.settimeout(0.2)
        for _ in range(300):
            if answer == DRIP:
                line.sendall(b"2")
            with suppress(TimeoutError):
                if not line.recv(4096):
                    return False
        return False
    line.sendall(f"{answer}\r\n".encode())
    return True


@contextmanager
def hostile(answers: Mapping[str, str | Callable[[], str]] | None = None, **more: float) -> Iterator[Hostile]:
    """Runs the server on a free port of this machine."""
    server = Hostile(dict(answers or {}), **more)  # type: ignore[arg-type]
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server.port = listener.getsockname()[1]

        def accept() -> None:
            with suppress(OSError):
                while True:
                    line, _ = listener.accept()
                    server.connections += 1
                    threading.Thread(target=server.serve, args=(line,), daemon=True).start()

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield server
        listener.shutdown(socket.SHUT_RDWR)
    thread.join(5)
