"""A folder of exported files: which ones to read, in which order, and their bytes under a cap."""

import gzip
import io
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

ENDINGS = (".ndjson", ".json", ".ndjson.gz", ".json.gz")
MEGABYTE = 1024 * 1024
BOMB_FROM = 64 * MEGABYTE
BOMB_RATIO = 250
"""A gzip file may unpack to ``BOMB_FROM`` bytes anyhow, beyond that to this many times its size; real exports
reach about 30 times."""


class Unreadable(Exception):
    """A file or folder cannot be read (to its end); the message is one sentence."""


@dataclass(frozen=True)
class Source:
    """One file to read: ``name`` is its path inside the folder."""

    path: Path
    name: str

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
    """The files in at most so many parts of about the same size, each in the order given; no part is empty."""
    parts: list[list[Source]] = [[] for _ in range(min(number, len(files)))]
    sizes = [0] * len(parts)
    order = {source: position for position, source in enumerate(files)}
    for source in sorted(files, key=_size, reverse=True):
        least = min(range(len(parts)), key=lambda part: (sizes[part], len(parts[part])))
        parts[least].append(source)
        sizes[least] += _size(source)
    return [sorted(part, key=order.__getitem__) for part in parts]


def _size(source: Source) -> int:
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
        with source.path.open("rb") as file:
            before = source.path.stat()
            yield io.BufferedReader(gzip.GzipFile(fileobj=file), MEGABYTE) if source.packed else file
            after = source.path.stat()
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise Unreadable(f"{source.name} is not a whole gzip file: export it again.") from None
    except OSError:
        raise Unreadable(f"{source.name} cannot be read: check that it exists and its permissions.") from None
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        raise Unreadable(f"{source.name} changed while it was read: let the export finish, then sync again.")


def lines(source: Source, stream: IO[bytes], *, max_line: int) -> Iterator[tuple[bytes, bool]]:
    """The lines of a file with their ends, each with whether it is whole: of a longer one only the start is given.

    Raises Unreadable for a gzip file that unpacks to absurdly much.
    """
    cap = max(BOMB_FROM, BOMB_RATIO * source.path.stat().st_size) if source.packed else None
    total = 0
    while line := stream.readline(max_line):
        total += len(line)
        whole = len(line) < max_line or line.endswith(b"\n")
        yield line, whole
        rest = b"" if whole else line
        while rest and not rest.endswith(b"\n"):
            rest = stream.readline(max_line)
            total += len(rest)
            _refuse_bomb(source, total, cap)
        _refuse_bomb(source, total, cap)


def whole(source: Source, stream: IO[bytes], *, max_bytes: int) -> bytes:
    """All of a file. Raises Unreadable when that is more than ``max_bytes``."""
    data = stream.read(max_bytes + 1)
    if len(data) > max_bytes:
        size = max_bytes // MEGABYTE
        raise Unreadable(f"{source.name} is larger than {size} MB and was not read: export it as .ndjson instead.")
    return data


def _refuse_bomb(source: Source, total: int, cap: int | None) -> None:
    if cap is not None and total > cap:
        size = cap // MEGABYTE
        raise Unreadable(f"{source.name} unpacks to more than {size} MB and was not read on: unpack it and look at it.")
