"""A small IMAP server on loopback: one user, one folder, and the six commands that reading reports takes."""

import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field


@dataclass
class ImapFolder:
    """What is in the folder. ``broken``: the line is cut at this command."""

    mails: list[bytes] = field(default_factory=list)
    seen: set[int] = field(default_factory=set)
    broken: str = ""
    port: int = 0


@contextmanager
def imap_server(folder: ImapFolder, *, username: str = "bounces", password: str = "s3cret") -> Iterator[ImapFolder]:
    """Runs it on a free port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        folder.port = listener.getsockname()[1]

        def accept() -> None:
            with suppress(OSError):
                while True:
                    line, _ = listener.accept()
                    with line, suppress(OSError):
                        _serve(line, folder, username, password)

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield folder
        listener.shutdown(socket.SHUT_RDWR)
    thread.join(5)


def _serve(line: socket.socket, folder: ImapFolder, username: str, password: str) -> None:
    stream = line.makefile("rb")
    line.sendall(b"* OK ready\r\n")
    while command := stream.readline().decode():
        tag, _, rest = command.strip().partition(" ")
        words = rest.split()
        name = (words[1] if words[0] == "UID" else words[0]).upper()
        if name == folder.broken:
            return
        good, told = True, b""
        if name == "CAPABILITY":
            told = b"* CAPABILITY IMAP4rev1\r\n"
        elif name == "LOGIN":
            good = words[1:] == [username, f'"{password}"']
        elif name == "SELECT":
            good = words[1] == '"INBOX"'
            told = f"* {len(folder.mails)} EXISTS\r\n".encode()
        elif name == "SEARCH":
            unseen = [str(number) for number in range(1, len(folder.mails) + 1) if number not in folder.seen]
            told = f"* SEARCH {' '.join(unseen)}\r\n".encode()
        elif name == "FETCH":
            number = int(words[2])
            mail = folder.mails[number - 1]
            head = f"* {number} FETCH (UID {number} BODY[]<0> {{{len(mail)}}}\r\n".encode()
            told = head + mail + b")\r\n"
        elif name == "STORE" and re.search(r"\\Seen", rest):
            folder.seen.add(int(words[2]))
        line.sendall(told + f"{tag} {'OK' if good else 'NO'} done\r\n".encode())
        if name == "LOGOUT":
            return
