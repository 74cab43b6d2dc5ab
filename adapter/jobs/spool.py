"""A plan on its way: actions in order, counted and hashed as they are made, out of memory until they are applied."""

import hashlib
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Self

import msgspec

from adapter.core.plan import Action
from adapter.store.rows import Opened

_LENGTH = 4


class PlanSpool:
    """Takes actions once, gives them back in batches any number of times.

    They wait in an unnamed temporary file that only this process can read and that vanishes with it.
    """

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.braked: Counter[str] = Counter()
        """How many actions each brake counts, by ``brake:reason``."""
        self._hash = hashlib.sha256()
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - closed by __exit__
        self._decode = msgspec.msgpack.Decoder(list[Action]).decode
        self._decode_rows = msgspec.msgpack.Decoder(Opened).decode

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def add(self, actions: bytes, counts: Mapping[str, int], braked: Mapping[str, int], rows: bytes = b"") -> None:
        """Appends actions as ``encode_actions`` writes them, with how many there are of each kind.

        ``rows`` is what they write (an ``Opened``), where that is known already.
        """
        number = sum(counts.values())
        if not number:
            return
        self.counts.update(counts)
        self.braked.update(braked)
        self._hash.update(memoryview(actions)[_head(number) :])
        self._file.seek(0, 2)
        for part in (actions, rows):
            self._file.write(len(part).to_bytes(_LENGTH))
            self._file.write(part)

    def hash(self) -> str:
        """SHA-256 (hex) over every action so far: the same plan has the same hash, in whatever pieces it came."""
        return self._hash.hexdigest()

    def batches(self) -> Iterator[list[Action]]:
        """Everything, in order, in the pieces in which it came."""
        return (self._decode(actions) for actions, _ in self._pieces())

    def to_write(self) -> Iterator[list[Action] | Opened]:
        """The same, by the rows where they are known."""
        return (self._decode_rows(rows) if rows else self._decode(actions) for actions, rows in self._pieces())

    def _pieces(self) -> Iterator[tuple[bytes, bytes]]:
        self._file.seek(0)
        while head := self._file.read(_LENGTH):
            actions = self._file.read(int.from_bytes(head))
            yield actions, self._file.read(int.from_bytes(self._file.read(_LENGTH)))


def _head(number: int) -> int:
    """How many bytes MessagePack takes to say that a list of so many follows."""
    return 1 if number < 16 else 3 if number < 1 << 16 else 5
