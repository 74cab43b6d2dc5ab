"""smtplib with a limit for each whole reply, and commands that go together where the server takes them.

smtplib's own timeout begins anew with every byte, so a server that sends one byte a minute would hold us for ever.
"""

import io
import smtplib
import socket
import ssl
import time
from collections.abc import Sequence
from typing import Any

AFTER_DATA = 600.0
"""Seconds to wait for the answer to the final dot (RFC 5321 §4.5.3.2.6): the server may be scanning the mail."""


class _Timed(io.RawIOBase):
    """What arrives on a socket, until a moment."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self.until = 0.0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        left = self.until - time.monotonic()
        if left <= 0:
            raise TimeoutError("no whole reply in time")
        self._sock.settimeout(left)
        return self._sock.recv_into(buffer)


class Line(smtplib.SMTP):
    """A connection. ``patience`` is how many seconds one whole reply, or sending one message, may take."""

    def __init__(self, host: str, port: int, *, timeout: float) -> None:
        self.patience = timeout
        self._replies: _Timed | None = None
        super().__init__(host, port, timeout=timeout)

    def _get_socket(self, host: str, port: int, timeout: float) -> Any:
        sock = super()._get_socket(host, port, timeout)  # type: ignore[misc]
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # a message and its final dot are two writes
        return sock

    def getreply(self) -> tuple[int, bytes]:
        """As smtplib's, within ``patience``. Code -1 is a reply that is none."""
        assert self.sock is not None
        if self.file is None:
            self._replies = _Timed(self.sock)
            self.file = io.BufferedReader(self._replies)
        if self._replies is not None:
            self._replies.until = time.monotonic() + self.patience
        try:
            return super().getreply()
        finally:
            if self.sock is not None:
                self.sock.settimeout(self.patience)

    def together(self, commands: Sequence[str]) -> list[tuple[int, bytes]]:
        """The replies to these commands, sent at once where the server offers PIPELINING (RFC 2920)."""
        if not self.has_extn("pipelining"):
            replies = []
            for command in commands:
                self.putcmd(command)
                replies.append(self.getreply())
                if not 200 <= replies[-1][0] < 400:
                    break
            return replies
        self.send("".join(f"{command}\r\n" for command in commands).encode(self.command_encoding))
        return [self.getreply() for _ in commands]

    def finish(self) -> tuple[int, bytes]:
        """Sends the final dot and waits for the server's word on the message."""
        self.send(b".\r\n")
        usual, self.patience = self.patience, max(self.patience, AFTER_DATA)
        try:
            return self.getreply()
        finally:
            self.patience = usual


class SafeLine(Line):
    """A connection that is encrypted from its first byte."""

    def __init__(self, host: str, port: int, *, timeout: float, context: ssl.SSLContext) -> None:
        self._context = context
        super().__init__(host, port, timeout=timeout)

    def _get_socket(self, host: str, port: int, timeout: float) -> Any:
        return self._context.wrap_socket(super()._get_socket(host, port, timeout), server_hostname=host)
