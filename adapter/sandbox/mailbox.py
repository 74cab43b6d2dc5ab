"""A mail server on this machine that keeps what it is sent: the parents' mailbox of the demo and the tests."""

import asyncio
import email.policy
import socket
import threading
from collections.abc import Awaitable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from email.message import EmailMessage
from types import TracebackType
from typing import Self

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from adapter.sandbox.loopback import HOST, listen


@dataclass(frozen=True, slots=True)
class Received:
    """One mail as it arrived: whom the envelope names, and the message."""

    sender: str
    recipients: tuple[str, ...]
    message: EmailMessage


class _OnSocket(Controller):
    """aiosmtpd's Controller on a socket that already has its port, so that port 0 can mean any free one."""

    def __init__(self, handler: object, listener: socket.socket) -> None:
        super().__init__(handler, hostname=HOST, port=listener.getsockname()[1])
        self._listener = listener

    def _create_server(self) -> Awaitable[asyncio.AbstractServer]:
        return self.loop.create_server(self._factory_invoker, sock=self._listener)


class Mailbox:
    """An SMTP server inside a ``with`` block, at ``host`` and ``port``.

    ``answers`` gives the reply to RCPT TO for some recipients, such as ``{"a@mail.example": "550 5.1.1 unknown"}``; it
    may be changed while the server runs. Everybody else's mail is accepted.
    """

    host = HOST

    def __init__(self, *, answers: Mapping[str, str] | None = None, port: int = 0) -> None:
        self.answers = dict(answers or {})
        self._received: list[Received] = []
        self._changed = threading.Condition()
        self._wanted_port = port
        self._running = ExitStack()
        self.port = 0
        """Where it listens while it runs."""

    def __enter__(self) -> Self:
        listener = listen(self._wanted_port)
        controller = _OnSocket(self, listener)
        controller.start()
        self._running.callback(controller.stop)
        self.port = controller.port
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._running.close()

    @property
    def messages(self) -> list[Received]:
        """What has arrived so far, oldest first."""
        with self._changed:
            return list(self._received)

    def wait_for(self, count: int, timeout: float = 5.0) -> list[Received]:
        """Waits until so many mails have arrived and returns all. Raises TimeoutError when they have not in time."""
        with self._changed:
            if not self._changed.wait_for(lambda: len(self._received) >= count, timeout):
                raise TimeoutError(f"{len(self._received)} of {count} mails arrived within {timeout} s")
            return list(self._received)

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Called by aiosmtpd for each recipient."""
        answer = self.answers.get(address, "250 OK")
        if answer.startswith("2"):
            envelope.rcpt_tos.append(address)
            envelope.rcpt_options.extend(options)
        return answer

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        """Called by aiosmtpd once a mail is complete."""
        content = envelope.content or b""
        raw = content.encode() if isinstance(content, str) else content
        message = email.message_from_bytes(raw, policy=email.policy.default)
        received = Received(envelope.mail_from or "", tuple(envelope.rcpt_tos), message)
        with self._changed:
            self._received.append(received)
            self._changed.notify_all()
        return "250 OK"
