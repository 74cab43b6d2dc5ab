"""A folder of exported files: which ones to read, in which order, and their bytes under a cap."""

import gzip
import io
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import IO, NamedTuple

ENDINGS = (".ndjson", ".json", ".ndjson.gz", ".json.gz")
MEGABYTE = 1024 * 1024
BOMB_FROM = 64 * MEGABYTE
BOMB_RATIO = 250
"""A gzip file may unpack to ``BOMB_FROM`` bytes anyhow, beyond that to this many times its size; real exports
reach about 30 times."""
PIECE_FROM = 4 * MEGABYTE
"""A smaller file is not worth cutting."""


class Unreadable(Exception):
    """A file or folder cannot be read (to its end); the message is one sentence."""


class Piece(NamedTuple):
    """The lines of a file that begin from byte ``start`` up to ``end``; and what it was when it was cut."""

    start: int
    end: int
    size: int
    changed: int
    """Nanoseconds, as ``stat`` gives them."""


@dataclass(frozen=True)
class Source:
    """One file to read, or a piece of one: ``name`` is its path inside the folder."""

    path: Path
    name: str
    piece: Piece | None = None

    @property
    def packed(self) -> bool:
        return self.name.lower().endswith(".gz")

    @property
    def by_lines(self) -> bool:
        return self.name.lower().removesuffix(".gz").endswith(".ndjson")


def sources(root: Path) -> tuple[list[Source], list[str]]:
    """The files to read, sorted by their path, and what could not be listed.

    Hidden entries and other endings are passed over; a link is followed only when it stays inside the folder, and
    no file is listed twice. Raises Unreadable when ``root`` is not a folder that can be listed.
    """
    if not root.is_dir():
        raise Unreadable("The EHR folder does not exist or is not a folder: check `path` under [practice.ehr].")
    found: list[Source] = []
    problems: list[str] = []
    _list(root, root.resolve(), "", found, problems, seen=set())
    return found, problems


def shares(files: Sequence[Source], number: int) -> list[list[Source]]:
    """The files in at most so many parts of about the same size, each in the order given; no part is empty.

    A large file of lines is cut, so that nobody is left alone with it.
    """
    pieces = [piece for source in files for piece in _cut(source, number)]
    parts: list[list[Source]] = [[] for _ in range(min(number, len(pieces)))]
    sizes = [0] * len(parts)
    order = {source: position for position, source in enumerate(pieces)}
    for source in sorted(pieces, key=_size, reverse=True):
        least = min(range(len(parts)), key=lambda part: (sizes[part], len(parts[part])))
        parts[least].append(source)
        sizes[least] += _size(source)
    return [sorted(part, key=order.__getitem__) for part in parts]


def _cut(source: Source, number: int) -> list[Source]:
    if number < 2 or source.packed or not source.by_lines or _size(source) < PIECE_FROM:
        return [source]
    stat = source.path.stat()
    ends = [stat.st_size * part // number for part in range(number + 1)]
    return [
        Source(source.path, source.name, Piece(start, end, stat.st_size, stat.st_mtime_ns))
        for start, end in pairwise(ends)
    ]


def _size(source: Source) -> int:
    if source.piece is not None:
        return source.piece.end - source.piece.start
    try:
        return source.path.stat().st_size
    except OSError:  # whoever reads it will say so
        return 0


def _list(folder: Path, root: Path, prefix: str, found: list[Source], problems: list[str], seen: set[Path]) -> None:
    seen.add(folder.resolve())
    try:
        entries = sorted(folder.iterdir(), key=lambda path: path.name)
    except OSError:
        problems.append(f"{prefix or 'The EHR folder'} cannot be listed: check its permissions.")
        return
    for path in entries:
        name = f"{prefix}{path.name}"
        if path.name.startswith("."):
            continue
        try:
            real, is_folder, is_file = path.resolve(), path.is_dir(), path.is_file()
        except (OSError, RuntimeError):  # RuntimeError: a link that leads to itself
            problems.append(f"{name} cannot be read: check that it exists and its permissions.")
            continue
        if not (is_folder or path.name.lower().endswith(ENDINGS)) or real in seen:
            continue
        seen.add(real)
        if not real.is_relative_to(root):
            problems.append(f"{name} leads out of the folder and was not read: put a copy there instead of a link.")
        elif is_folder:
            _list(path, root, f"{name}/", found, problems, seen)
        elif is_file:
            found.append(Source(path, name))
        else:
            problems.append(f"{name} is not a regular file and was not read: remove it or export it again.")


@contextmanager
def opened(source: Source) -> Iterator[IO[bytes]]:
    """The unpacked bytes of a file.

    Raises Unreadable for whatever goes wrong while it is open, also when the file changed meanwhile.
    """
    try:
        with source.path.open("rb", buffering=MEGABYTE) as file:
            before = _state(source)
            if source.piece is not None and before != (source.piece.size, source.piece.changed):
                raise _changed(source)
            yield io.BufferedReader(gzip.GzipFile(fileobj=file), MEGABYTE) if source.packed else file
            after = _state(source)
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise Unreadable(f"{source.name} is not a whole gzip file: export it again.") from None
    except OSError:
        raise Unreadable(f"{source.name} cannot be read: check that it exists and its permissions.") from None
    if before != after:
        raise _changed(source)


def _state(source: Source) -> tuple[int, int]:
    """Size and time: another one after every change."""
    stat = source.path.stat()
    return stat.st_size, stat.st_mtime_ns


def _changed(source: Source) -> Unreadable:
    return Unreadable(f"{source.name} changed while it was read: let the export finish, then sync again.")


def lines(source: Source, stream: IO[bytes], *, max_line: int) -> Iterator[tuple[int, bytes, bool]]:
    """The numbered lines of a file or piece with their ends, each with whether it is whole.

    Of a line that is longer than ``max_line`` only the start is given. Raises Unreadable for a gzip file that unpacks
    to absurdly much.
    """
    cap = max(BOMB_FROM, BOMB_RATIO * source.path.stat().st_size) if source.packed else None
    number, at = (0, 0) if source.piece is None else _begin(stream, source.piece.start)
    end = None if source.piece is None else source.piece.end
    while (end is None or at < end) and (line := stream.readline(max_line)):
        number += 1
        at += len(line)
        whole = len(line) < max_line or line.endswith(b"\n")
        yield number, line, whole
        if not whole:
            at += _rest_of_line(stream, max_line, source, at, cap)
        if cap is not None and at > cap:
            raise _bomb(source, cap)


def _begin(stream: IO[bytes], start: int) -> tuple[int, int]:
    """Goes to the first line that begins at ``start`` or later: how many lines are before it, and where it begins."""
    number = at = 0
    block = b"\n"
    while at < start and (block := stream.read(min(MEGABYTE, start - at))):
        at += len(block)
        number += block.count(b"\n")
    if block.endswith(b"\n"):
        return number, at
    while (block := stream.readline(MEGABYTE)) and not block.endswith(b"\n"):
        at += len(block)
    return number + 1, at + len(block)


def _rest_of_line(stream: IO[bytes], max_line: int, source: Source, at: int, cap: int | None) -> int:
    """Passes over what is left of a line; returns how many bytes that was."""
    passed = 0
    while rest := stream.readline(max_line):
        passed += len(rest)
        if cap is not None and at + passed > cap:
            raise _bomb(source, cap)
        if rest.endswith(b"\n"):
            break
    return passed


def whole(source: Source, stream: IO[bytes], *, max_bytes: int) -> bytes:
    """All of a file. Raises Unreadable when that is more than ``max_bytes``."""
    data = stream.read(max_bytes + 1)
    if len(data) > max_bytes:
        size = max_bytes // MEGABYTE
        raise Unreadable(f"{source.name} is larger than {size} MB and was not read: export it as .ndjson instead.")
    return data


def _bomb(source: Source, cap: int) -> Unreadable:
    size = cap // MEGABYTE
    return Unreadable(f"{source.name} unpacks to more than {size} MB and was not read on: unpack it and look at it.")
