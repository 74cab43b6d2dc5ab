"""Bytes to JSON, strictly: what a tolerant parser would guess at is refused, and duplicate keys are found."""

import json
import re
from typing import Any

import orjson

MAX_DEPTH = 64
MAX_BYTES = 64 * 1024 * 1024
MAX_PARTS = 6_000_000
"""Objects, lists and their members in one value. Bytes alone bound no memory: 64 MB of ``[],[],[]`` become 1.4 GB.
A page of 10,000 Patients with their contacts has about a quarter of this."""

_LINE_END = b"\r\n"
_BOM = b"\xef\xbb\xbf"
_ESCAPED_COLON = re.compile(rb"\\u003a", re.IGNORECASE)
_CURLY = bytes.maketrans(b"[]", b"{}")
_NO_BRACKETS = bytes(set(range(256)) - set(b"{}[]"))
_PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,39}")


class Undecodable(ValueError):
    """These bytes are not usable JSON; ``problem`` says why and never quotes them.

    ``truncated`` is True when they merely stop too early.
    """

    def __init__(self, problem: str, *, truncated: bool = False) -> None:
        self.problem = problem
        self.truncated = truncated
        super().__init__(problem)


class DuplicateKeys(Undecodable):
    """Readable, except that some object has a key twice; ``value`` holds those objects as ``Doubled``."""

    def __init__(self, value: Any) -> None:
        self.value = value
        super().__init__("has a key twice")


class Doubled(dict[str, Any]):
    """A JSON object with duplicate keys: which value was meant cannot be known."""

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        seen: set[str] = set()
        self.twice = {key for key, _ in pairs if key in seen or seen.add(key)}  # type: ignore[func-returns-value]


def decode(data: bytes, *, max_bytes: int = MAX_BYTES) -> Any:
    """The one JSON value in ``data`` (UTF-8, RFC 8259; a byte order mark is skipped).

    Raises Undecodable for invalid UTF-8, NaN and Infinity, lone surrogates, input that ends early, more than
    ``max_bytes`` bytes, ``MAX_PARTS`` parts or ``MAX_DEPTH`` levels; DuplicateKeys for an object with a key twice
    (RFC 7493 §2.3).
    """
    if len(data) > max_bytes:
        raise Undecodable(f"is larger than {max_bytes // (1024 * 1024)} MB")
    if len(data) > MAX_PARTS and data.count(b"{") + data.count(b"[") + data.count(b",") > MAX_PARTS:
        raise Undecodable(f"is made of more than {MAX_PARTS} parts")
    if data.startswith(_BOM):
        data = data[len(_BOM) :]
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise _undecodable(data, error) from None
    if data.count(b"{") + data.count(b"[") > MAX_DEPTH:
        _refuse_depth(data)
    written = orjson.dumps(value)
    if written == data.rstrip(_LINE_END):  # nearly always, in a file of lines: nothing was dropped, nothing was blank
        return value
    # Every pair of an object holds one colon, and every colon inside a string that was kept comes out again: if none
    # is missing, no pair was dropped. Only a colon written as an escape would blur the count.
    if data.count(b":") == written.count(b":") and (b"\\u" not in data or not _ESCAPED_COLON.search(data)):
        return value
    return _without_duplicates(data)


def duplicate_path(value: Any) -> str | None:
    """Where the first duplicate key in a decoded value is, such as ``name[0].family``; None when there is none."""
    if isinstance(value, Doubled):
        return min(_shown(key) for key in value.twice)
    children: list[tuple[str, Any]] = []
    if isinstance(value, dict):
        children = [(_shown(key), child) for key, child in value.items()]
    elif isinstance(value, list):
        children = [(f"[{index}]", child) for index, child in enumerate(value)]
    for step, child in children:
        below = duplicate_path(child)
        if below is not None:
            return f"{step}{below}" if below.startswith("[") else f"{step}.{below}"
    return None


def _undecodable(data: bytes, error: orjson.JSONDecodeError) -> Undecodable:
    if not data.strip():
        return Undecodable("is empty", truncated=True)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as utf8:
        truncated = utf8.reason == "unexpected end of data"
        return Undecodable(
            "ends in the middle of a character" if truncated else "is not valid UTF-8", truncated=truncated
        )
    if error.pos >= len(text):
        return Undecodable("ends too early", truncated=True)
    return Undecodable(f"is not valid JSON (at character {error.pos + 1})")


def _refuse_depth(data: bytes) -> None:
    """Counts levels in the text, ten times as fast as in the value: innermost pairs of brackets go first, one a round.

    ``data`` is known to be JSON, so every second piece between quotes lies outside strings once escapes are gone.
    """
    if b"\\" in data:
        data = data.replace(b"\\\\", b"").replace(b'\\"', b"")
    brackets = b"".join(data.split(b'"')[::2]).translate(_CURLY, _NO_BRACKETS)
    for _ in range(MAX_DEPTH):
        if not brackets:
            return
        brackets = brackets.replace(b"{}", b"")
    if brackets:
        raise Undecodable(f"is nested deeper than {MAX_DEPTH} levels")


def _without_duplicates(data: bytes) -> Any:
    found = False

    def build(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        nonlocal found
        plain = dict(pairs)
        if len(plain) == len(pairs):
            return plain
        found = True
        return Doubled(pairs)

    try:
        value = json.loads(data, object_pairs_hook=build)
    except RecursionError:  # a value that orjson dropped may be deeper than what it kept
        raise Undecodable(f"is nested deeper than {MAX_DEPTH} levels") from None
    if found:
        raise DuplicateKeys(value)
    return value


def _shown(key: str) -> str:
    """A key as it may appear in a message: only what looks like an element name, for a key could hold anything."""
    return key if _PLAIN_KEY.fullmatch(key) else "?"
