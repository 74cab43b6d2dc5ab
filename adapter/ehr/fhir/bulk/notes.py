"""What is remembered of an export under way, so that it can be picked up after a crash: no resource, no token."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import IO, Protocol

import msgspec


class Note(msgspec.Struct, frozen=True, kw_only=True):
    """One export of everything: the request for it, where its status is, and when it began.

    ``began`` by this machine's clock, ``at`` by the EHR's.
    """

    request: str
    status_url: str
    began: datetime
    at: datetime


class Notes(Protocol):
    """Room for one note about one practice."""

    def get(self) -> Note | None:
        """The note; None when there is none, or when what there is cannot be used."""
        ...

    def set(self, note: Note) -> None:
        """Keeps it in place of any other."""
        ...

    def clear(self) -> None:
        """Forgets it."""
        ...


class NoNotes:
    """Remembers nothing: for one who does not have the export to itself."""

    def get(self) -> Note | None:
        return None

    def set(self, note: Note) -> None:
        pass

    def clear(self) -> None:
        pass


class FileNotes:
    """A note in a small file that only its owner can read."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @contextmanager
    def held(self) -> Iterator[Notes]:
        """The notes, for one process at a time: whoever comes second, or may not write there, gets ``NoNotes``.

        A process that dies lets go of them.
        """
        lock = self._locked()
        if lock is None:
            yield NoNotes()
            return
        with lock:
            yield self

    def get(self) -> Note | None:
        try:
            return msgspec.json.decode(self.path.read_bytes(), type=Note)
        except (OSError, msgspec.DecodeError):
            return None

    def set(self, note: Note) -> None:
        """A reader sees the old note or the new one. One that cannot be written only costs a new export later."""
        unfinished = self.path.with_suffix(".new")
        with suppress(OSError):
            handle = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(handle, "wb") as file:
                file.write(msgspec.json.encode(note))
                file.flush()
                os.fsync(file.fileno())
            unfinished.replace(self.path)

    def clear(self) -> None:
        with suppress(OSError):
            self.path.unlink(missing_ok=True)

    def _locked(self) -> IO[bytes] | None:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            handle = os.fdopen(os.open(self.path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT, 0o600), "r+b")
        except OSError:
            return None
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            handle.close()
            return None
        return handle
