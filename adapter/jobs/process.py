"""A process of our own on another core: messages go in on its standard input and come back on its standard output.

It has no database and no network. When either side dies, the other one meets the end of a pipe and stops.
"""

import os
import queue
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from types import TracebackType
from typing import IO, Self

_LENGTH = 4
_START = """
import gc, importlib, sys
sys.path[:] = sys.argv[2:]
module = importlib.import_module(sys.argv[1])
gc.freeze(); gc.set_threshold(50_000, 20, 20)  # as the command line does, see adapter.cli
module.main()
"""


class Process:
    """The other process, seen from here. Leaving the context ends it."""

    def __init__(self, module: str) -> None:
        """Starts ``main()`` of this module. Raises OSError where no process can be started."""
        self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and our own module
            [sys.executable, "-I", "-c", _START, module, *sys.path],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # a traceback could quote a record
            start_new_session=True,  # Ctrl-C is for the sync, which then ends this process itself
        )
        assert self._process.stdin is not None and self._process.stdout is not None
        self._in, self._out = self._process.stdin, self._process.stdout

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        with suppress(BrokenPipeError):
            self._in.close()
        self._out.close()
        self._process.wait()

    def send(self, message: bytes) -> None:
        """Gives it a message; to a dead process nothing, which ``receive`` then tells."""
        with suppress(BrokenPipeError):
            _send(self._in, message)

    def receive(self) -> bytes | None:
        """Its next message; None when it stopped."""
        return _receive(self._out)


class Answers:
    """The way back, inside the other process: one message may wait to be read while the next one is made."""

    def __init__(self) -> None:
        self._waiting: queue.Queue[bytes] = queue.Queue(maxsize=1)
        self._writer = threading.Thread(target=self._write, daemon=True)
        self._writer.start()

    def put(self, message: bytes) -> None:
        """Sends a message, never an empty one."""
        self._waiting.put(message)

    def close(self) -> None:
        """Returns when everything was read."""
        self._waiting.put(b"")
        self._writer.join()

    def _write(self) -> None:
        try:
            while message := self._waiting.get():
                _send(sys.stdout.buffer, message)
        except BrokenPipeError:
            os._exit(1)  # nobody listens any more


def orders() -> Iterator[bytes]:
    """What was sent to this process, inside it, until the other side closes the pipe."""
    while (message := _receive(sys.stdin.buffer)) is not None:
        yield message


def _send(stream: IO[bytes], message: bytes) -> None:
    stream.write(len(message).to_bytes(_LENGTH))
    stream.write(message)
    stream.flush()


def _receive(stream: IO[bytes]) -> bytes | None:
    head = stream.read(_LENGTH)
    message = stream.read(int.from_bytes(head))
    whole = len(head) == _LENGTH and len(message) == int.from_bytes(head)
    return message if whole and message else None
