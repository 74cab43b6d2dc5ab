"""Delivery reports in a mailbox of an IMAP server: those that nobody has seen."""

import imaplib
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from adapter.errors import RetriableError
from adapter.mail.bounces import Take
from adapter.mail.bounces.report import MOST_BYTES, read_report

SECONDS = 30.0


class ImapBox:
    """Reads the unseen mails of one folder, and marks each as seen once what it says is kept."""

    def __init__(
        self,
        host: str,
        port: int,
        *,
        username: str,
        password: str,
        folder: str = "INBOX",
        encrypted: bool = True,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """``encrypted`` is TLS from the first byte. ``tls`` replaces the system's trust store."""
        self._host, self._port, self._folder = host, port, folder
        self._username, self._password = username, password
        self._tls = (tls or ssl.create_default_context()) if encrypted else None

    def __repr__(self) -> str:
        return f"ImapBox({self._host!r}, {self._port}, folder={self._folder!r})"

    def collect(self, take: Take) -> int:
        """See ``BounceBox.collect``."""
        with self._open() as server:
            numbers = _data(server.uid("SEARCH", "UNSEEN"))
            for number in numbers:
                _, parts = server.uid("FETCH", number, f"(BODY.PEEK[]<0.{MOST_BYTES + 1}>)")
                content = next((part[1] for part in parts if isinstance(part, tuple)), b"")
                take(read_report(content))
                server.uid("STORE", number, "+FLAGS", r"(\Seen)")
        return len(numbers)

    def check(self) -> str:
        """See ``BounceBox.check``."""
        with self._open() as server:
            waiting = len(_data(server.uid("SEARCH", "UNSEEN")))
        return f"Delivery reports are read from {self._folder} at {self._host}; {waiting} wait."

    @contextmanager
    def _open(self) -> Iterator[imaplib.IMAP4]:
        """The folder, selected. The library's exceptions become ours here, without its words: they quote."""
        where = f"the mailbox {self._folder} at {self._host}:{self._port}"
        server: imaplib.IMAP4 | None = None
        try:
            if self._tls is not None:
                server = imaplib.IMAP4_SSL(self._host, self._port, ssl_context=self._tls, timeout=SECONDS)
            else:
                server = imaplib.IMAP4(self._host, self._port, timeout=SECONDS)
            server.login(self._username, self._password)
            if server.select(f'"{self._folder}"')[0] != "OK":
                raise imaplib.IMAP4.error
            yield server
        except (OSError, imaplib.IMAP4.error) as error:
            raise RetriableError(f"Cannot read {where} ({type(error).__name__}). Check [bounces].") from None
        finally:
            if server is not None:
                with suppress(OSError, imaplib.IMAP4.error):
                    server.logout()


def _data(answer: tuple[str, list[bytes | None]]) -> list[str]:
    return (answer[1][0] or b"").decode("ascii").split()
