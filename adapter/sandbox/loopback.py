"""Runs a web application on this machine only, in a thread, for as long as a ``with`` block lasts."""

import socket
import threading
from types import TracebackType
from typing import Self

import uvicorn
from fastapi import FastAPI

from adapter.errors import FatalError

HOST = "127.0.0.1"


class LoopbackServer:
    """One application on one port of the loopback interface. The port is taken on entry and given back on exit."""

    def __init__(self, listener: socket.socket, app: FastAPI) -> None:
        self._listener = listener
        config = uvicorn.Config(
            app, log_config=None, log_level="warning", access_log=False, lifespan="off", timeout_graceful_shutdown=1
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._run, name="loopback-server", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        while not self._server.started:
            if not self._thread.is_alive():
                raise FatalError("The sandbox server did not start: look for the cause in the log.")
            self._thread.join(0.005)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.should_exit = True
        self._thread.join()
        self._listener.close()

    def _run(self) -> None:
        self._server.run(sockets=[self._listener])


def listen(port: int = 0) -> socket.socket:
    """A socket on the loopback interface; port 0 takes any free one. Raises FatalError when the port is taken."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
    except OSError:
        listener.close()
        raise FatalError(f"Port {port} is in use on this machine: choose another one, or 0 for any free one.") from None
    return listener
