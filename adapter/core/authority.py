"""Who may decide for the child: the codes of the chart, through a profile's table, to one Authority."""

from typing import Any

from adapter.core.facts import Authority
from adapter.core.intake import Damaged, clean
from adapter.core.kinship import parts_of

MAX_WORDS = 40


def authority_of(values: list[Any], table: dict[str, Authority], path: str) -> tuple[Authority, str]:
    """The one Authority that all values agree on; else ``unknown`` and, where there were values, the chart's own words.

    Values are codes, text, Codings or CodeableConcepts. Raises Damaged for anything else.
    """
    if not values:
        return Authority.UNKNOWN, ""
    if len(values) == 1 and type(values[0]) is str and (known := table.get(values[0].lower())) is not None:
        return known, ""
    found: set[Authority] = set()
    words: list[str] = []
    for value in values:
        codes = _codes(value, path)
        words.extend(codes)
        found.update(table.get(code.lower(), Authority.UNKNOWN) for code in codes)
    if len(found) == 1 and (only := found.pop()) is not Authority.UNKNOWN:
        return only, ""
    return Authority.UNKNOWN, ", ".join(dict.fromkeys(words))[:MAX_WORDS]


def _codes(value: Any, path: str) -> list[str]:
    codings, text = parts_of(value, path, checked=False)
    codes = [clean(coding["code"], path) for coding in codings if "code" in coding] or [clean(text, path)]
    if not all(codes):
        raise Damaged(path, "should have a code")
    return codes
