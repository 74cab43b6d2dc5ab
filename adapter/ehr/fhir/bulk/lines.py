"""An export's file as it comes in: unpacked, cut into whole lines, and never more of it in memory than a piece."""

import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

MEGABYTE = 1024 * 1024
MAX_LINE = 16 * MEGABYTE
BOMB_FROM = 64 * MEGABYTE
BOMB_RATIO = 250
"""A packed file may unpack to ``BOMB_FROM`` bytes anyhow, beyond that to this many times its size; real exports
reach about 30 times."""
_PIECE = MEGABYTE
_HEAD = 64
_GZIP = b"\x1f\x8b"  # no line of JSON can begin so


class Damaged(Exception):
    """The rest of a file cannot be had; the message is the end of a sentence about it."""


@dataclass(frozen=True, slots=True)
class Block:
    """Some whole lines, or the start of one that is too long (``whole`` is False then).

    ``end`` and ``crc`` are the length and CRC-32 of the unpacked file up to here: enough to go on from here later.
    """

    data: bytes
    whole: bool
    end: int
    crc: int


@dataclass(frozen=True, slots=True)
class Place:
    """How far a file was read."""

    end: int = 0
    crc: int = 0


def unpacked(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes; those of a gzip file unpacked, whatever name or header it came with (RFC 1952).

    Raises Damaged for a gzip file that is cut off, broken or a bomb.
    """
    pieces = iter(chunks)
    head = b""
    for piece in pieces:
        head += piece
        if len(head) >= len(_GZIP):
            break
    if not head.startswith(_GZIP):
        yield head
        yield from pieces
        return
    yield from _gunzipped(_after(head, pieces))


def blocks(pieces: Iterable[bytes], *, after: Place, max_line: int = MAX_LINE) -> Iterator[Block]:
    """Whole lines in blocks of about a megabyte; ``after`` is where an earlier try had come to.

    Raises Damaged when what stands before that place is not what it was.
    """
    end, crc = after.end, after.crc
    rest = bytearray()
    head: bytes | None = None  # the start of a line that is too long; of the rest of it only the end is looked for
    for piece in _from(after, pieces):
        rest += piece
        if head is None and len(rest) < _PIECE:
            continue
        first = rest.find(b"\n") + 1
        if head is None and (first or len(rest)) > max_line:
            head = bytes(rest[:_HEAD])
        cut = rest.rfind(b"\n") + 1 if head is None else first or len(rest)
        if not cut:
            continue
        data = bytes(rest[:cut])
        end, crc = end + cut, zlib.crc32(data, crc)
        del rest[:cut]
        if head is None:
            yield Block(data, True, end, crc)
        elif first:
            yield Block(head, False, end, crc)
            head = None
    if head is not None or rest:
        yield Block(head or bytes(rest), head is None, end + len(rest), zlib.crc32(rest, crc))


def _from(place: Place, pieces: Iterable[bytes]) -> Iterator[bytes]:
    """What comes after ``place``."""
    left, crc = place.end, 0
    for piece in pieces:
        if left <= 0:
            yield piece
            continue
        crc = zlib.crc32(piece[:left], crc)
        left -= len(piece)
        if left <= 0:
            _refuse_another(crc, place)
            yield piece[len(piece) + left :]
    if left > 0:
        raise Damaged("is another file than it was a moment ago")


def _refuse_another(crc: int, place: Place) -> None:
    if crc != place.crc:
        raise Damaged("is another file than it was a moment ago")


def _after(head: bytes, pieces: Iterator[bytes]) -> Iterator[bytes]:
    yield head
    yield from pieces


def _gunzipped(pieces: Iterator[bytes]) -> Iterator[bytes]:
    member = zlib.decompressobj(wbits=31)
    taken = given = 0
    try:
        for piece in pieces:
            taken += len(piece)
            while piece:
                if member.eof:  # several gzip files, one after the other, are one gzip file; zeros fill up
                    piece = piece.lstrip(b"\0")
                    if not piece:
                        break
                    member = zlib.decompressobj(wbits=31)
                out = member.decompress(piece, _PIECE)
                piece = member.unused_data if member.eof else member.unconsumed_tail
                given += len(out)
                if given > max(BOMB_FROM, BOMB_RATIO * taken):
                    raise Damaged("unpacks to absurdly much and was not read on")
                if out:
                    yield out
        while not member.eof and (out := member.decompress(member.unconsumed_tail, _PIECE)):
            given += len(out)
            yield out
    except zlib.error:
        raise Damaged("is not a sound gzip file") from None
    if not member.eof:
        raise Damaged("is a gzip file that is cut off")
