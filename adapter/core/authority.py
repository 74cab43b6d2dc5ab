"""Who may decide for the child: the codes of the chart, through a profile's table, to one Authority."""

from typing import Any

import msgspec

from adapter.core.facts import Authority
from adapter.core.intake import Damaged, clean
from adapter.core.kinship import parts_of

MAX_WORDS = 40
_YES_OR_NO = frozenset({"true", "false"})
_NO_SYSTEM, _NO_WORDS = "a code without a system", "a code without words"
"""Stand for such codes: no table has them."""


class AuthorityTable(msgspec.Struct, frozen=True):
    """What a profile knows of Authority. A code of None is known and says nothing; any other one is not understood."""

    codes: dict[str, Authority | None] = {}
    """By code in lower case."""
    systems: frozenset[str] = frozenset()
    """Where it names any, only Codings of these systems count; one without a system is never understood.

    Codes that stand alone, and yes or no, always count: they have no system to go by.
    """
    by_text: bool = False
    """Whether the text of a concept (the display of a Coding) is its code; one without words is never understood."""


def authority_of(values: list[Any], known: AuthorityTable, path: str) -> tuple[Authority, str]:
    """The one Authority that all values agree on; else ``unknown`` and, where there were values, the chart's own words.

    Values are codes, text, true or false, Codings or CodeableConcepts. Raises Damaged for anything else.
    """
    if not values:
        return Authority.UNKNOWN, ""
    table = known.codes
    if len(values) == 1 and type(values[0]) is str and (only := table.get(values[0].lower())):
        return only, ""
    found: set[Authority | None] = set()
    words: list[str] = []
    for value in values:
        codes = _codes(value, known, path)
        words.extend(codes)
        found.update(table.get(code.lower(), Authority.UNKNOWN) for code in codes)
    stated = found - {None}
    if not stated:
        return Authority.UNKNOWN, ""
    if len(stated) == 1 and (one := stated.pop()) is not None and one is not Authority.UNKNOWN:
        return one, ""
    return Authority.UNKNOWN, ", ".join(dict.fromkeys(words))[:MAX_WORDS]


def _codes(value: Any, known: AuthorityTable, path: str) -> list[str]:
    """The codes of one value that may say something about Authority. Raises Damaged when it has none at all."""
    systems = known.systems
    if type(value) is bool and not _YES_OR_NO.isdisjoint(known.codes):
        value = "true" if value else "false"
    codings, text = parts_of(value, path, checked=False)
    if known.by_text and type(value) is dict:
        return [clean(text or value.get("display", ""), path) or _NO_WORDS]
    if systems and type(value) is dict:
        counted = [coding for coding in codings if _counts(coding, systems, path)]
        return [clean(coding["code"], path) if "system" in coding else _NO_SYSTEM for coding in counted]
    codes = [clean(coding["code"], path) for coding in codings if "code" in coding] or [clean(text, path)]
    if not all(codes):
        raise Damaged(path, "should have a code")
    return codes


def _counts(coding: dict[str, Any], systems: frozenset[str], path: str) -> bool:
    """Whether the Coding is of one of these systems, or may be: it names none. Raises Damaged when it lost its code."""
    if "system" not in coding:
        return "code" in coding
    if clean(coding["system"], path) not in systems:
        return False
    if "code" not in coding:
        raise Damaged(path, "should have a code")
    return True
