"""Connections that end: every answer, its header lines included, has a last moment.

A time-out of the socket counts from byte to byte, so a server that sends one byte now and then would hold a thread for
days. Here the whole answer has a deadline, and it holds below everything that reads: status line, headers, interim
``100 Continue`` answers, body.
"""

import io
import time
from collections.abc import Iterator
from http.client import HTTPResponse
from socket import socket
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

WHOLE_ANSWER = 10
"""An answer may take this many time-outs in all."""


def make_session(concurrency: int) -> requests.Session:
    """A session for so many threads, whose every answer ends in time. It retries and follows nothing by itself."""
    session = _Session()
    for scheme in ("https://", "http://"):
        session.mount(scheme, _Adapter(pool_maxsize=concurrency, max_retries=0))
    return session


class _Session(requests.Session):
    """Leaves redirects alone: ``requests`` reads the whole body of each, bombs too, even when it must not follow it."""

    def resolve_redirects(self, *args: Any, **kwargs: Any) -> Iterator[Any]:
        yield from ()


class _Timed(io.RawIOBase):
    """The bytes of a socket, until the deadline that its time-out sets when the answer begins."""

    def __init__(self, raw: io.RawIOBase, sock: socket) -> None:
        self._raw = raw
        self._sock = sock
        self._pause = sock.gettimeout()
        self._deadline = time.monotonic() + (self._pause or 0) * WHOLE_ANSWER

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        if self._pause is not None:
            left = self._deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError("the answer was not finished in time")
            self._sock.settimeout(min(left, self._pause))
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Response(HTTPResponse):
    """An answer that is read through ``_Timed``."""

    def __init__(self, sock: socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        raw = self.fp.detach()
        self.fp = io.BufferedReader(_Timed(raw, sock))


class _Http(HTTPConnection):
    response_class = _Response


class _Https(HTTPSConnection):
    response_class = _Response


class _HttpPool(HTTPConnectionPool):
    ConnectionCls = _Http


class _HttpsPool(HTTPSConnectionPool):
    ConnectionCls = _Https


class _Adapter(HTTPAdapter):
    """Makes connections of the kinds above; proxies from the environment get them too."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _HttpPool, "https": _HttpsPool}

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:
        manager = super().proxy_manager_for(*args, **kwargs)
        manager.pool_classes_by_scheme = {"http": _HttpPool, "https": _HttpsPool}
        return manager
