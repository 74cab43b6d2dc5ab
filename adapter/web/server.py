"""Runs the web application in a thread of the service, for as long as a ``with`` block lasts."""

import socket
import threading
from types import TracebackType
from typing import Self

import uvicorn
from fastapi import FastAPI

from adapter.errors import FatalError
from adapter.logs import Event, get_logger
from adapter.settings import WebSettings

MOST_CONNECTIONS = 500
"""Beyond that, uvicorn answers 503: well below the usual limit of 1,024 open files."""
MOST_HEADER_BYTES = 16 * 1024
STOP_SECONDS = 2


class WebServer:
    """One application on one port. The port is taken on entry and given back on exit.

    Entering raises FatalError when it cannot be had.
    """

    def __init__(self, web: FastAPI, settings: WebSettings) -> None:
        self._settings = settings
        self._server = uvicorn.Server(
            uvicorn.Config(
                web,
                http="h11",
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                proxy_headers=False,
                server_header=False,
                limit_concurrency=MOST_CONNECTIONS,
                h11_max_incomplete_event_size=MOST_HEADER_BYTES,
                timeout_graceful_shutdown=STOP_SECONDS,
            )
        )
        self._thread = threading.Thread(target=self._run, name="web", daemon=True)
        self._listener: socket.socket | None = None

    @property
    def address(self) -> str:
        """``http://127.0.0.1:8480``, with the port that was really taken."""
        assert self._listener is not None
        host, port = self._listener.getsockname()[:2]
        return f"http://{f'[{host}]' if ':' in host else host}:{port}"

    def __enter__(self) -> Self:
        self._listener = _listen(self._settings.host, self._settings.port)
        self._thread.start()
        while not self._server.started:
            if not self._thread.is_alive():
                self._listener.close()
                raise FatalError("The web server did not start. Look for the cause in the log.")
            self._thread.join(0.005)
        get_logger().info(Event.WEB_STARTED)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.should_exit = True
        self._thread.join(2 * STOP_SECONDS)
        if self._listener is not None:
            self._listener.close()

    def _run(self) -> None:
        try:
            self._server.run(sockets=[self._listener] if self._listener else None)
        except BaseException as error:
            get_logger().error(Event.WEB_FAILED, error=error)


def _listen(host: str, port: int) -> socket.socket:
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind)
    except OSError:
        raise FatalError(f"web.host in config.toml ({host}) is not an address of this machine.") from None
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except OSError as error:
        listener.close()
        raise FatalError(
            f"The web server cannot listen on {host}, port {port} ({error.strerror}). Is the service running already? "
            "Choose another web.port in config.toml, or set web.enabled = false."
        ) from None
    return listener
