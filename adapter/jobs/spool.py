"""A plan on its way: actions in order, counted and hashed as they are made, out of memory until they are applied."""

import hashlib
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import Self

import msgspec

from adapter.core.plan import Action

_LENGTH = 4


class PlanSpool:
    """Takes actions once, gives them back in batches any number of times.

    They wait in an unnamed temporary file that only this process can read and that vanishes with it.
    """

    def __init__(self, *, batch: int = 1000) -> None:
        self.counts: Counter[str] = Counter()
        self._hash = hashlib.sha256()
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - closed by __exit__
        self._pending: list[Action] = []
        self._batch = batch
        self._encode = msgspec.msgpack.Encoder().encode
        self._decode = msgspec.msgpack.Decoder(list[Action]).decode

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def add(self, actions: Iterable[Action]) -> None:
        """Appends actions."""
        for action in actions:
            self.counts[action.action] += 1
            self._pending.append(action)
        if len(self._pending) >= self._batch:
            self._flush()

    def hash(self) -> str:
        """SHA-256 (hex) over every action so far: the same plan has the same hash."""
        self._flush()
        return self._hash.hexdigest()

    def batches(self) -> Iterator[list[Action]]:
        """Everything, in order."""
        self._flush()
        self._file.seek(0)
        while head := self._file.read(_LENGTH):
            yield self._decode(self._file.read(int.from_bytes(head)))

    def _flush(self) -> None:
        if not self._pending:
            return
        data = self._encode(self._pending)
        self._hash.update(data)
        self._file.seek(0, 2)
        self._file.write(len(data).to_bytes(_LENGTH) + data)
        self._pending = []
