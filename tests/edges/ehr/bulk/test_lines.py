"""The bytes of a file become whole lines, however they arrive, packed or not, and after any break."""

import gzip
import zlib
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter.ehr.fhir.bulk.lines import Damaged, Place, blocks, unpacked

LINE = st.binary(max_size=60).map(lambda data: data.replace(b"\n", b"").replace(b"\x1f", b"x"))
FILE = st.lists(LINE, max_size=30).map(b"\n".join)


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted({cut % (len(data) + 1) for cut in cuts} | {0, len(data)})
    return [data[a:b] for a, b in pairwise(places)]


@given(FILE, st.lists(st.integers(min_value=0), max_size=8), st.booleans(), st.integers(0, 3))
def test_a_file_comes_out_as_it_went_in(data: bytes, cuts: list[int], twice: bool, members: int) -> None:
    packed = b"".join(gzip.compress(part) for part in pieces(data, cuts)) if members else data
    if members and twice:
        packed = gzip.compress(packed)
    found = list(blocks(unpacked(unpacked(pieces(packed, cuts))), after=Place()))
    assert b"".join(block.data for block in found) == data
    assert all(block.whole for block in found)
    if found:
        assert (found[-1].end, found[-1].crc) == (len(data), zlib.crc32(data))


@given(st.integers(1, 6), st.integers(0, 5), st.lists(st.integers(min_value=0), max_size=5))
def test_a_file_goes_on_after_any_block(millions: int, broken_after: int, cuts: list[int]) -> None:
    line = b'{"resourceType":"Patient","id":"' + b"x" * 64_000 + b'"}\n'
    data = line * (millions * 1024 * 1024 // len(line) + 1)
    first = list(blocks([data[i : i + 300_000] for i in range(0, len(data), 300_000)], after=Place()))
    done = first[:broken_after]
    place = Place(done[-1].end, done[-1].crc) if done else Place()
    rest = list(blocks(pieces(data, cuts), after=place))
    assert b"".join(block.data for block in [*done, *rest]) == data


def test_another_file_in_its_place_is_noticed() -> None:
    lines = b"".join(b'{"id":"%d"}\n' % number for number in range(200_000))
    first = next(iter(blocks([lines], after=Place())))
    place = Place(first.end, first.crc)
    for other in (lines.replace(b'"id":"7"', b'"id":"8"'), lines[:100]):
        with pytest.raises(Damaged, match="another file"):
            list(blocks([other], after=place))


def test_a_line_that_is_too_long_is_told_and_the_next_one_is_whole() -> None:
    data = b"short\n" + b"x" * 3_000_000 + b"\nlast"
    found = list(blocks(pieces(data, list(range(0, len(data), 65_536))), after=Place(), max_line=2_000_000))
    assert [block.whole for block in found] == [True, False, True]
    assert (found[0].data, found[2].data) == (b"short\n", b"last")
    assert (found[-1].end, found[-1].crc) == (len(data), zlib.crc32(data))


def test_a_line_that_is_too_long_by_one_byte_is_told_wherever_the_pieces_end() -> None:
    for length, is_whole in ((2_000_000, True), (2_000_001, False)):
        data = b"x" * (length - 1) + b"\nlast"
        for size in (65_536, 300_000, 999_999, len(data)):
            cut = [data[start : start + size] for start in range(0, len(data), size)]
            assert next(iter(blocks(cut, after=Place(), max_line=2_000_000))).whole is is_whole


def test_a_long_line_after_short_ones_in_one_piece_is_told_too() -> None:
    data = b"a\n" * 600_000 + b"x" * 3_000_000
    found = list(blocks([data[:1_500_000], data[1_500_000:]], after=Place(), max_line=2_000_000))
    assert [block.whole for block in found] == [True, False]


@pytest.mark.parametrize("keep", [1, 10, 40, -9, -1])
def test_a_gzip_file_that_is_cut_off_is_never_taken_for_whole(keep: int) -> None:
    packed = gzip.compress(b'{"resourceType":"Patient"}\n' * 1000)[:keep]
    if keep == 1:
        assert list(unpacked([packed])) == [packed]  # one byte of anything: not JSON, so its line is broken
        return
    with pytest.raises(Damaged):
        list(unpacked([packed]))


def test_a_bomb_is_refused_before_it_takes_memory() -> None:
    packed = gzip.compress(b" " * 70_000_000)
    given = 0
    with pytest.raises(Damaged, match="absurdly much"):
        for piece in unpacked([packed]):
            given += len(piece)
            assert len(piece) <= 1024 * 1024
    assert given <= 64 * 1024 * 1024
