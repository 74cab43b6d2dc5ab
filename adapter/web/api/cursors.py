"""Pages: ``{"items", "next"}``. ``next`` is opaque; given back as ``cursor`` it goes on where the page ended."""

import base64
from collections.abc import Sequence
from typing import Any

import msgspec

from adapter.web.api.problems import Problem

Key = list[Any]
_LONGEST = 2000


def page(items: Sequence[dict[str, Any]], keys: Sequence[Key], limit: int) -> dict[str, Any]:
    """The first ``limit`` of one more than that, with the place of the last one shown."""
    shown = list(items[:limit])
    return {"items": shown, "next": _written(keys[limit - 1]) if len(items) > limit else None}


def place(cursor: str | None, kinds: tuple[type, ...]) -> Key | None:
    """The key that a cursor holds; ``kinds`` are those of its parts. Raises Problem for one that is not ours."""
    if cursor is None:
        return None
    try:
        data = base64.urlsafe_b64decode(cursor[:_LONGEST] + "=" * (-len(cursor) % 4))
        found = msgspec.json.decode(data, type=list[Any])
        if [type(part) for part in found] != list(kinds) or any(map(_odd, found)):
            raise ValueError
    except (ValueError, msgspec.DecodeError):
        raise Problem(422, "This is not a cursor of this list. Begin again without one.") from None
    return found


def _odd(part: Any) -> bool:
    """Whether no database could hold it."""
    return "\0" in part if isinstance(part, str) else not 0 <= part < 2**31


def _written(key: Key) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(key)).rstrip(b"=").decode()
