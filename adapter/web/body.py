"""The body of a request, within bounds: in bytes, unpacked bytes, seconds and depth."""

import asyncio
import zlib
from typing import Any

from fastapi import Request
from starlette.requests import ClientDisconnect

from adapter.http.decode import Undecodable, decode

MOST_BYTES = 4 * 1024 * 1024
"""Of a body, packed and unpacked alike; a Bundle of a thousand whole Patients fits."""
SECONDS = 10.0
_GZIP = 31  # zlib's window bits for a gzip stream


class BadBody(Exception):
    """A body that is not read; ``status`` is the answer to it, the message says why."""

    def __init__(self, status: int, problem: str) -> None:
        self.status = status
        super().__init__(problem)


async def read_json(request: Request, *, seconds: float = SECONDS) -> Any:
    """The decoded body; None for an empty one, and for one that is not JSON and does not claim to be.

    Raises BadBody for one that is too large, too slow, too deep, damaged, or packed in a way we do not know.
    """
    data = await read_bytes(request, seconds=seconds)
    kind = request.headers.get("content-type", "json").lower()
    if not data.strip() or "json" not in kind:
        return None
    try:
        return decode(data, max_bytes=MOST_BYTES)
    except Undecodable as error:
        raise BadBody(400, f"The body {error.problem}.") from None


async def read_bytes(request: Request, *, seconds: float = SECONDS) -> bytes:
    """The body as it is, unpacked. Raises BadBody as ``read_json`` does."""
    if _promised(request) > MOST_BYTES:
        raise _too_large()
    unpack = _unpacker(request.headers.get("content-encoding", "").strip().lower())
    chunks: list[bytes] = []
    size = packed = 0
    try:
        async with asyncio.timeout(seconds):
            async for chunk in request.stream():
                packed += len(chunk)
                piece = _unpacked(unpack, chunk, MOST_BYTES - size)
                size += len(piece)
                chunks.append(piece)
                if max(size, packed) > MOST_BYTES:
                    raise _too_large()
    except TimeoutError:
        raise BadBody(408, f"The body was not there within {seconds:g} seconds.") from None
    except ClientDisconnect:
        raise BadBody(400, "The body was cut off.") from None
    if unpack is not None and packed and (not unpack.eof or unpack.unused_data):
        raise BadBody(400, "The body is not one whole gzip stream.")
    return b"".join(chunks)


def _promised(request: Request) -> int:
    length = request.headers.get("content-length", "0")
    return int(length[:20]) if length.isdecimal() else 0


def _unpacker(encoding: str) -> "zlib._Decompress | None":
    if encoding in ("", "identity"):
        return None
    if encoding != "gzip":
        raise BadBody(415, "The body is packed in a way that is not understood; gzip is.")
    return zlib.decompressobj(_GZIP)


def _unpacked(unpack: "zlib._Decompress | None", chunk: bytes, room: int) -> bytes:
    if unpack is None:
        return chunk
    try:
        piece = unpack.decompress(chunk, room + 1)
    except zlib.error:
        raise BadBody(400, "The body is not one whole gzip stream.") from None
    if unpack.unconsumed_tail:
        raise _too_large()
    return piece


def _too_large() -> BadBody:
    return BadBody(413, f"The body is larger than {MOST_BYTES // 1024 // 1024} MB.")
