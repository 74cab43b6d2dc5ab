"""A gigabyte packed into a megabyte, and ``python -m tests.hostile.bomb BASE_URL``: how much memory a read of it takes.

The process reads a well-behaved page first, so that what it prints, in MB, is the rise that the bomb alone causes.
"""

import resource
import sys
import zlib
from collections.abc import Sequence

from adapter.ehr import ReadResult
from adapter.ehr.fhir import FhirReader
from adapter.errors import SourceError

MEGABYTE = 1024 * 1024


def gzip_bomb(megabytes: int = 1024, first: bytes = b'{"resourceType":"Bundle","x":"') -> bytes:
    """A gzip that unpacks to so many megabytes of JSON; about a thousandth of that itself."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    head = packer.compress(first) + packer.flush(zlib.Z_FULL_FLUSH)
    block = packer.compress(b"x" * MEGABYTE) + packer.flush(zlib.Z_FULL_FLUSH)  # the same bytes, again and again
    return b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff" + head + block * megabytes + packer.flush()


def peak() -> float:
    """The largest memory of this process so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main(arguments: Sequence[str]) -> None:
    reader = FhirReader(arguments[0], sleep=lambda seconds: None)
    assert reader.read_one("Patient/p2") is not None
    before = peak()
    result = ReadResult(full=True)
    rows = list(reader.read(result, marks={}, progress=lambda *_: None))
    try:
        reader.read_one("Patient/p1")
    except SourceError as error:
        result.problems.append(str(error))
    print(f"{peak() - before:.0f} MB, {len(rows)} rows, complete: {result.complete}, {result.problems}")


if __name__ == "__main__":
    main(sys.argv[1:])
