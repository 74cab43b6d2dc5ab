"""Decoding is strict: what a tolerant parser would guess at is refused, and duplicate keys are found."""

import json
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter.http.decode import DuplicateKeys, Undecodable, decode, duplicate_path

values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(values, st.booleans(), st.sampled_from([None, 1]))
def test_any_json_comes_out_as_it_is_however_it_is_written(value: Any, escaped: bool, indent: int | None) -> None:
    text = json.dumps(value, ensure_ascii=escaped, indent=indent)
    assert decode(text.encode()) == value


@given(st.dictionaries(st.text(max_size=5), values, min_size=1, max_size=4), st.data())
def test_a_key_that_occurs_twice_is_always_found(value: dict[str, Any], data: st.DataObject) -> None:
    key = data.draw(st.sampled_from(sorted(value)))
    extra = f"{json.dumps(key, ensure_ascii=data.draw(st.booleans()))}: {json.dumps(data.draw(values))}"
    text = f"{json.dumps(value)[:-1]}, {extra}}}"
    with pytest.raises(DuplicateKeys):
        decode(text.encode())


def test_a_colon_written_as_an_escape_does_not_hide_a_duplicate_key() -> None:
    with pytest.raises(DuplicateKeys):
        decode(rb'{"a":1,"a":"\u003A"}')
    with pytest.raises(DuplicateKeys):
        decode(rb'{"a":"x","a":"\u003a\u003a"}')
    assert decode(rb'{"a":"\u003a\\u003a"}') == {"a": ":\\u003a"}


@pytest.mark.parametrize(
    ("text", "path"),
    [
        (b'{"id":"1","id":"2"}', "id"),
        (b'{"name":[{},{"family":"a","family":"b"}]}', "name[1].family"),
        (b'{"a b c":{"John Canary":1,"John Canary":2}}', "?.?"),
    ],
)
def test_the_place_of_a_duplicate_key_is_named_without_quoting_what_is_no_element_name(text: bytes, path: str) -> None:
    with pytest.raises(DuplicateKeys) as caught:
        decode(text)
    assert duplicate_path(caught.value.value) == path


@pytest.mark.parametrize(
    ("data", "problem", "truncated"),
    [
        (b"", "is empty", True),
        (b'{"name":"Canary', "ends too early", True),
        (b'{"name":"Canary"', "ends too early", True),
        (b'{"name":"Cana\xc3', "ends in the middle of a character", True),
        (b'{"name":"Cana\xff"}', "is not valid UTF-8", False),
        (b'{"name":NaN}', "is not valid JSON (at character 9)", False),
        (b'{"name":-Infinity}', "is not valid JSON (at character 10)", False),
        (b'{"name":"\\ud800"}', "is not valid JSON (at character 10)", False),
        (b'{"name":1}{"name":2}', "is not valid JSON (at character 11)", False),
        (b"<html>Canary</html>", "is not valid JSON (at character 1)", False),
        (b"[" * 65 + b"]" * 65, "is nested deeper than 64 levels", False),
        (b'{"a":' + b"[" * 1020 + b"]" * 1020 + b',"a":1}', "is nested deeper than 64 levels", False),
        (b"[" * 5000 + b"]" * 5000, "is not valid JSON (at character 1026)", False),
    ],
)
def test_unusable_input_is_refused_without_quoting_it(data: bytes, problem: str, truncated: bool) -> None:
    with pytest.raises(Undecodable) as caught:
        decode(data)
    assert (caught.value.problem, caught.value.truncated) == (problem, truncated)


def test_64_levels_and_a_byte_order_mark_are_fine() -> None:
    deep = b"[" * 64 + b"]" * 64
    assert decode(b"\xef\xbb\xbf" + deep) == orjson.loads(deep)


awkward = st.text(alphabet='{}[]"\\\\:,ab', max_size=6)


@given(st.recursive(awkward, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(awkward, inner, max_size=3)))
def test_depth_is_counted_rightly_whatever_strings_hold(value: Any) -> None:
    def depth(node: Any) -> int:
        children = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
        return isinstance(node, dict | list) + max(map(depth, children), default=0)

    for levels in (64, 65):
        around = levels - depth(value)
        text = b'{"}]":[' * (around // 2) + b"[" * (around % 2) + orjson.dumps(value)
        text += b"]" * (around % 2) + b"]}" * (around // 2)
        if levels == 64:
            assert decode(text) == orjson.loads(text)
        else:
            with pytest.raises(Undecodable, match="nested deeper than 64 levels"):
                decode(text)


def test_more_bytes_than_allowed_are_refused() -> None:
    with pytest.raises(Undecodable, match="larger than 1 MB"):
        decode(b'"' + b"x" * 1024 * 1024 + b'"', max_bytes=1024 * 1024)


@pytest.mark.parametrize("part", [b"[],", b"0,", b"{},"])
def test_more_parts_than_allowed_are_refused_before_they_take_memory(part: bytes) -> None:
    with pytest.raises(Undecodable, match="more than 6000000 parts"):
        decode(b"[" + part * 6_000_001 + b"0]")
    assert len(decode(b"[" + b"0," * 6_000 + b"0]")) == 6_001
