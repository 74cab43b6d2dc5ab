"""Mail through an SMTP server: encrypted, one recipient at a time, and clear about what the server promised.

What an error means depends on the step: before the final dot nothing has happened; a reply after it is the server's
word; a line that drops in between, or an answer that is none, leaves it open (RFC 5321 §4.5.3.2.6).
"""

import re
import smtplib
import ssl
import threading
from collections.abc import Container, Iterator
from contextlib import contextmanager
from email import policy
from email.message import EmailMessage
from smtplib import quoteaddr
from typing import Literal

from adapter.errors import DeliveryError, RetriableError
from adapter.mail import Handed, Sign, unsigned
from adapter.mail.address import recipient_of, sender_of
from adapter.mail.wire import Line, SafeLine

Security = Literal["starttls", "tls", "none"]
_CHECK = "Check [mail] in config.toml."


class SmtpMailer:
    """Keeps a connection open from message to message, one for each thread, and makes a new one when it went stale."""

    def __init__(
        self,
        host: str,
        port: int,
        *,
        security: Security = "starttls",
        username: str | None = None,
        password: str | None = None,
        timeout: float = 60,
        connections: int = 1,
        sign: Sign | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """``timeout`` is for each reply of the server. ``sign`` adds the practice's signature to a message.

        ``tls`` replaces the system's trust store and is for tests and private authorities.
        """
        self._host, self._port, self._security, self._timeout = host, port, security, timeout
        self._login = (username, password) if username and password is not None else None
        self._tls = tls or ssl.create_default_context()
        self._sign = sign or unsigned
        self.at_once = connections
        self._open = threading.local()
        self._lines: list[Line] = []

    @property
    def _server(self) -> Line | None:
        return getattr(self._open, "server", None)

    @_server.setter
    def _server(self, server: Line | None) -> None:
        self._open.server = server
        if server is not None:
            self._lines.append(server)

    def __repr__(self) -> str:
        return f"SmtpMailer({self._host!r}, {self._port}, security={self._security!r})"

    def send(self, message: EmailMessage) -> Handed:
        """See ``Mailer.send``. A connection that the server closed meanwhile is opened again once."""
        reused = self._server is not None
        try:
            return self._hand_over(message)
        except RetriableError:
            if not reused:
                raise
            return self._hand_over(message)

    def check(self) -> str:
        """Connects, encrypts and logs in, and sends nothing."""
        self.close()
        with self._answers("NOOP"):
            self._connect().noop()
        self.close()
        return f"The mail server {self._host}:{self._port} answers ({_SECURITY[self._security]})."

    def close(self) -> None:
        """Says goodbye on every connection that is open, whichever thread made it."""
        lines, self._lines, self._open = self._lines, [], threading.local()
        for line in lines:
            if line.sock is not None:
                try:
                    line.quit()
                except (OSError, smtplib.SMTPException):
                    line.close()

    def _hand_over(self, message: EmailMessage) -> Handed:
        server = self._server or self._connect()
        sender, recipient = sender_of(message), recipient_of(message)
        international = not recipient.isascii()
        if international and not server.has_extn("smtputf8"):
            raise DeliveryError(
                "The mail server cannot write to an address with letters outside ASCII before the @.", permanent=True
            )
        content = message.as_bytes(policy=policy.SMTPUTF8 if international else policy.SMTP)
        content = _dotted(self._sign(content, sender))
        options = " SMTPUTF8 BODY=8BITMIME" if international else ""
        server.command_encoding = "utf-8" if international else "ascii"
        envelope = (f"MAIL FROM:{quoteaddr(sender)}{options}", f"RCPT TO:{quoteaddr(recipient)}", "DATA")
        with self._answers("the envelope"):
            replies = [code for code, _ in server.together(envelope)]
        # Not the recipient's fault: it stays retriable, whatever the server says, until the sender is corrected.
        self._accept(replies[0], "MAIL FROM", "the practice's mail_from address", forever=False)
        self._accept(replies[1], "RCPT TO", "the recipient's address", opened=replies[-1] == 354)
        self._accept(replies[2], "DATA", "the message", good=(354,))
        with self._answers("DATA"):
            server.send(content)
        try:
            code, _ = server.finish()
        except (OSError, smtplib.SMTPException):
            code = -1
        if not 200 <= code < 300 and not 400 <= code < 600:  # no word at all, or none that can be understood
            self._drop()
            return Handed.UNKNOWN
        self._accept(code, "the end of DATA", "the message", good=range(200, 300))
        return Handed.SENT

    def _accept(
        self,
        code: int,
        step: str,
        what: str,
        *,
        good: Container[int] = (250, 251, 252),
        forever: bool = True,
        opened: bool = False,
    ) -> None:
        """Raises DeliveryError unless the server agreed. Its own words are left out: they often quote the address.

        ``opened``: the server already waits for a message that is not coming; only hanging up keeps it from one.
        """
        if code in good:
            return
        if not 400 <= code < 600:
            self._drop()
            raise RetriableError(f"The mail server does not speak SMTP ({code} at {step}). {_CHECK}")
        if code == 421:  # RFC 5321 §3.8: the server is closing the channel.
            self._drop()
            raise RetriableError(f"The mail server is closing down (421 at {step}). It is tried again later.")
        if opened:
            self._drop()
        else:
            self._reset()
        raise DeliveryError(f"The mail server refused {what} ({code} at {step}).", permanent=forever and code >= 500)

    def _reset(self) -> None:
        try:
            if self._server is not None:
                self._server.rset()
        except (OSError, smtplib.SMTPException):
            self._drop()

    def _drop(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            server.close()

    def _connect(self) -> Line:
        with self._answers("connecting"):
            server: Line
            if self._security == "tls":
                server = SafeLine(self._host, self._port, timeout=self._timeout, context=self._tls)
            else:
                server = Line(self._host, self._port, timeout=self._timeout)
        try:
            with self._answers("EHLO"):
                server.ehlo_or_helo_if_needed()
            if self._security == "starttls":
                with self._answers("STARTTLS"):
                    server.starttls(context=self._tls)
                    server.ehlo()
            if self._login:
                with self._answers("AUTH"):
                    server.login(*self._login)
        except RetriableError:
            server.close()
            raise
        self._server = server
        return server

    @contextmanager
    def _answers(self, step: str) -> Iterator[None]:
        """The one place where smtplib's exceptions become ours. All of these come before any message was accepted."""
        where = f"the mail server {self._host}:{self._port}"
        try:
            yield
        except ssl.SSLError as error:
            self._drop()
            raise RetriableError(
                f"No safe connection to {where} ({error.reason or 'TLS'} at {step}). {_CHECK}"
            ) from None
        except smtplib.SMTPNotSupportedError:
            raise RetriableError(
                f"{where[0].upper()}{where[1:]} does not offer what is needed at {step}, so nothing was sent. {_CHECK}"
            ) from None
        except smtplib.SMTPAuthenticationError as error:
            raise RetriableError(f"The login was refused by {where} ({error.smtp_code}). {_CHECK}") from None
        except smtplib.SMTPResponseException as error:
            raise RetriableError(f"Refused by {where} ({error.smtp_code} at {step}). {_CHECK}") from None
        except (OSError, smtplib.SMTPException) as error:
            self._drop()
            raise RetriableError(f"Cannot reach {where} ({type(error).__name__} at {step}). {_CHECK}") from None


_SECURITY: dict[Security, str] = {"starttls": "STARTTLS", "tls": "TLS", "none": "not encrypted"}


def _dotted(content: bytes) -> bytes:
    """The message as DATA sends it, without the final dot: a leading dot doubled (RFC 5321 §4.5.2)."""
    return re.sub(rb"(?m)^\.", b"..", content.removesuffix(b"\r\n")) + b"\r\n"
