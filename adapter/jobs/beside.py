"""Intake beside the sync: a large export is read and mapped by a process of its own, on another core.

The other process has no database and no network. It gets the folder and the mapping profile on its standard input and
gives batches on its standard output. When either of the two dies, the other one meets the end of a pipe and stops.
"""

import os
import queue
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO

import msgspec

from adapter.core.mapping import Mapper, MappingProfile
from adapter.ehr import Reader, ReadResult
from adapter.ehr.files import FilesReader
from adapter.errors import FatalError, SourceError
from adapter.jobs.intake import Batch, intake

WORTHWHILE = 20_000_000
"""Bytes. Below, a sync is over before the other process has begun."""
_LENGTH = 4
_START = "import sys; sys.path[:] = sys.argv[1:]; from adapter.jobs.beside import main; main()"


class _Order(msgspec.Struct, array_like=True):
    """What the other process is to do."""

    folder: str
    max_line: int
    max_file: int
    profile: MappingProfile


class _End(msgspec.Struct, array_like=True, tag=True):
    """The last thing it says: the read's result, or the class of the error that ended it."""

    complete: bool
    strategy: str
    problems: list[str]
    failed: str = ""


class _Part(msgspec.Struct, array_like=True, tag=True):
    batch: Batch


_to_bytes = msgspec.msgpack.Encoder().encode
_order_from = msgspec.msgpack.Decoder(_Order).decode
_said = msgspec.msgpack.Decoder(_Part | _End).decode


def is_worthwhile(reader: Reader, mapper: Mapper) -> bool:
    """Whether this is a large folder of files, and there is another core to read it."""
    if type(reader) is not FilesReader or type(mapper) is not Mapper:
        return False
    return (os.cpu_count() or 1) > 1 and reader.size() >= WORTHWHILE


def intake_beside(reader: FilesReader, mapper: Mapper, result: ReadResult) -> Iterator[Batch]:
    """As ``intake`` of everything in the reader's folder, with ``result`` filled at the end.

    Where no other process can be started, this one does it. Raises SourceError when the other one stopped early,
    FatalError when it met an error of our own.
    """
    try:
        process = _started()
    except OSError:
        yield from intake(reader.read(result, marks={}, progress=_quietly), mapper, result)
        return
    result.full = True
    assert process.stdin is not None and process.stdout is not None
    try:
        order = _Order(str(reader.folder), reader.max_line, reader.max_file, mapper.profile)
        with suppress(BrokenPipeError):
            _send(process.stdin, _to_bytes(order))
        while True:
            said = _received(process.stdout)
            if isinstance(said, _Part):
                yield said.batch
                continue
            if said is None:
                raise SourceError("The process that read the export stopped early. Sync again.")
            if said.failed:
                raise FatalError(f"Reading the export stopped with {said.failed}.")
            result.strategy = said.strategy
            result.complete = result.complete and said.complete
            result.problems += said.problems
            return
    finally:
        process.kill()
        with suppress(BrokenPipeError):
            process.stdin.close()
        process.stdout.close()
        process.wait()


def _started() -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # noqa: S603 - our own interpreter and our own module
        [sys.executable, "-I", "-c", _START, *sys.path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,  # a traceback could quote a record
        start_new_session=True,  # Ctrl-C is for the sync, which then ends this process itself
    )


def main() -> None:
    """The other process: reads the order, writes batches and the end."""
    order = _order_from(sys.stdin.buffer.read(int.from_bytes(sys.stdin.buffer.read(_LENGTH))))
    result = ReadResult(full=True)
    # One batch may wait for the sync while the next one is made: the two never wait for each other for long.
    waiting: queue.Queue[bytes] = queue.Queue(maxsize=1)
    writer = threading.Thread(target=_write, args=(waiting,), daemon=True)
    writer.start()
    failed = ""
    try:
        reader = FilesReader(Path(order.folder), max_line=order.max_line, max_file=order.max_file)
        records = reader.read(result, marks={}, progress=_quietly)
        for batch in intake(records, Mapper(order.profile), result):
            waiting.put(_to_bytes(_Part(batch)))
    except Exception as error:  # only its class: the message could quote a record
        failed = type(error).__name__
    waiting.put(_to_bytes(_End(result.complete, result.strategy, result.problems, failed)))
    waiting.put(b"")
    writer.join()


def _write(waiting: queue.Queue[bytes]) -> None:
    try:
        while data := waiting.get():
            _send(sys.stdout.buffer, data)
    except BrokenPipeError:
        os._exit(1)  # nobody listens any more


def _send(stream: IO[bytes], data: bytes) -> None:
    stream.write(len(data).to_bytes(_LENGTH))
    stream.write(data)
    stream.flush()


def _received(stream: IO[bytes]) -> _Part | _End | None:
    head = stream.read(_LENGTH)
    data = stream.read(int.from_bytes(head))
    whole = len(head) == _LENGTH and len(data) == int.from_bytes(head)
    return _said(data) if whole and data else None


def _quietly(what: str, done: int, total: int | None) -> None:
    """The sync tells how far it is, batch by batch."""
