"""Intake beside the sync: a large export is read and mapped by processes of their own, on other cores.

Each gets some of the files and the mapping profile, and gives batches.
"""

import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import msgspec

from adapter.core.mapping import Mapper, MappingProfile
from adapter.ehr import Reader, ReadResult
from adapter.ehr.files import FilesReader
from adapter.ehr.folder import Piece, Source, shares
from adapter.errors import FatalError, SourceError
from adapter.jobs.intake import Batch, intake
from adapter.jobs.process import Answers, Process, orders

WORTHWHILE = 20_000_000
"""Bytes. Below, a sync is over before another process has begun."""
MOST = 4
"""So many processes read faster than one can write what they read into the database."""


class _Order(msgspec.Struct, array_like=True):
    """What one other process is to do."""

    folder: str
    files: list[tuple[str, str, Piece | None]]
    """Path, name inside the folder, and which piece of it."""
    max_line: int
    max_file: int
    profile: MappingProfile


class _End(msgspec.Struct, array_like=True, tag=True):
    """The last thing one says: its part of the result, or the class of the error that ended it."""

    complete: bool
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
    """As ``intake`` of everything in the reader's folder, by as many processes as there are cores and files.

    Their batches come by turns, so that the same folder always gives the same order. Where no other process can be
    started, this one does it. Raises SourceError when another one stopped early, FatalError when it met an error of
    our own.
    """
    result.full = True
    files = reader.listing(result)
    with ExitStack() as processes:
        try:
            parts = [
                _batches(processes.enter_context(Process(__name__)), reader, part, mapper, result)
                for part in shares(files, min(os.cpu_count() or 1, MOST))
            ]
        except OSError:
            yield from intake(reader.read_files(files, result), mapper, result)
            return
        while parts:
            for part in list(parts):
                batch = next(part, None)
                if batch is None:
                    parts.remove(part)
                else:
                    yield batch


def _batches(
    process: Process, reader: FilesReader, files: list[Source], mapper: Mapper, result: ReadResult
) -> Iterator[Batch]:
    """What one of them reads; it begins at once, not only when the first batch is asked for."""
    names = [(str(source.path), source.name, source.piece) for source in files]
    process.send(_to_bytes(_Order(str(reader.folder), names, reader.max_line, reader.max_file, mapper.profile)))
    return _received(process, result)


def _received(process: Process, result: ReadResult) -> Iterator[Batch]:
    while (message := process.receive()) is not None:
        said: _Part | _End = _said(message)
        if isinstance(said, _Part):
            yield said.batch
            continue
        if said.failed:
            raise FatalError(f"Reading the export stopped with {said.failed}.")
        result.complete = result.complete and said.complete
        result.problems += said.problems
        return
    raise SourceError("The process that read the export stopped early. Sync again.")


def main() -> None:
    """Another process: reads the order, writes batches and the end."""
    order = _order_from(next(orders()))
    result = ReadResult(full=True)
    answers = Answers()
    failed = ""
    try:
        reader = FilesReader(Path(order.folder), max_line=order.max_line, max_file=order.max_file)
        records = reader.read_files([Source(Path(path), name, piece) for path, name, piece in order.files], result)
        for batch in intake(records, Mapper(order.profile), result):
            answers.put(_to_bytes(_Part(batch)))
    except Exception as error:  # only its class: the message could quote a record
        failed = type(error).__name__
    answers.put(_to_bytes(_End(result.complete, result.problems, failed)))
    answers.close()
