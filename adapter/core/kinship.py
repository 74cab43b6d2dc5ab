"""What a contact is to the patient: codes and words of the chart, through a profile's tables, to one Role.

Fails closed: Self wins over everything, since it grants nothing; a code nobody mapped, or kin that contradict each
other, make the role unknown.
"""

from functools import lru_cache
from typing import Any

import msgspec

from adapter.core.facts import Role
from adapter.core.intake import Damaged, clean, convert
from adapter.core.shapes import CodeableConcept, Coding

MAX_WORDS = 120


class RoleTables(msgspec.Struct, frozen=True):
    """A profile's tables. ``contact_systems`` and ``contact_codes`` say whom to call or bill, never who is kin."""

    codes: dict[str, dict[str, Role]]
    """By code system, then by code."""
    words: dict[str, Role]
    """By text as ``fold`` writes it."""
    contact_systems: frozenset[str]
    contact_codes: dict[str, frozenset[str]] = {}
    """By code system, for systems whose other codes do say who is kin."""


_PARENTS = {Role.PARENT, Role.GUARDIAN, Role.OTHER_RELATIVE}
_REFINES: dict[Role, set[Role]] = {
    Role.MOTHER: _PARENTS,
    Role.FATHER: _PARENTS,
    Role.PARENT: {Role.GUARDIAN, Role.OTHER_RELATIVE},
    Role.STEP_PARENT: {Role.PARENT, Role.OTHER_RELATIVE},
    Role.FOSTER_PARENT: {Role.PARENT, Role.OTHER_RELATIVE},
    Role.GUARDIAN: {Role.GRANDPARENT, Role.SIBLING, Role.OTHER_RELATIVE},
    Role.GRANDPARENT: {Role.OTHER_RELATIVE},
    Role.SIBLING: {Role.OTHER_RELATIVE},
    Role.SPOUSE: {Role.OTHER_RELATIVE},
    Role.CHILD: {Role.OTHER_RELATIVE},
}
"""Two roles that go together, and which of them says more: a mother is a parent, a grandmother can be the guardian."""


@lru_cache(maxsize=4096)
def fold(text: str) -> str:
    """Words as the tables spell them: lower case, hyphens and underscores as spaces, single spaces."""
    return " ".join(text.casefold().replace("-", " ").replace("_", " ").split())


def role_of(values: list[Any], tables: RoleTables, path: str, *, checked: bool) -> tuple[Role, str]:
    """Role and the chart's own words for it, from CodeableConcepts, Codings or plain text.

    ``checked`` says that intake has already checked the values' structure. Raises Damaged.
    """
    kin: set[Role] = set()
    words: list[str] = []
    for value in values:
        codings, text = parts_of(value, path, checked=checked)
        for coding in codings:
            kin.update(roles_of(coding, tables, path))
        if text and (role := tables.words.get(fold(text))) is not None:
            kin.add(role)
        words.append(text or _words(codings))
    said = ", ".join(filter(None, words)) if len(words) > 1 else "".join(words)
    said = clean(said, path) if said else ""
    return _one(kin), said if len(said) <= MAX_WORDS else said[: MAX_WORDS - 1] + "…"


def parts_of(value: Any, path: str, *, checked: bool) -> tuple[list[dict[str, Any]], str]:
    """Codings and text of a CodeableConcept, a Coding or plain text. Raises Damaged for anything else."""
    if type(value) is str:
        return [], value
    if type(value) is not dict:
        raise Damaged(path, "should be a code, a Coding, a CodeableConcept or text")
    if "coding" in value or "text" in value:
        if not checked:
            convert(value, CodeableConcept, path)
        return value.get("coding", []), value.get("text", "")
    if not checked:
        convert(value, Coding, path)
    return [value], ""


def roles_of(coding: dict[str, Any], tables: RoleTables, path: str) -> tuple[Role, ...]:
    """What a Coding's code and display say; ``unknown`` for a code that might say kin but that nobody mapped."""
    system = coding.get("system", "")
    if system in tables.contact_systems:
        known = tables.codes.get(system, {}).get(coding.get("code", ""))
        return () if known is None else (known,)
    if tables.contact_codes and coding.get("code") in tables.contact_codes.get(system, ()):
        return ()
    display = coding.get("display")
    said = None if display is None else tables.words.get(fold(display))
    table = tables.codes.get(system)
    if table is not None:
        role: Role | None = table.get(coding.get("code", ""), Role.UNKNOWN)
    elif system:
        clean(system, path)  # another system's code may be ignored, a damaged one may not
        role = None
    elif "code" in coding:
        role = Role.UNKNOWN
    elif display is None and "extension" not in coding:
        raise Damaged(path, "has neither code nor text")
    else:
        role = None
    if role is None:
        return () if said is None else (said,)
    return (role,) if said is None else (role, said)


def _words(codings: list[dict[str, Any]]) -> str:
    for key in ("display", "code"):
        for coding in codings:
            if key in coding:
                said: str = coding[key]
                return said
    return ""


def _one(kin: set[Role]) -> Role:
    if len(kin) == 1:
        return next(iter(kin))
    if Role.SELF in kin:
        return Role.SELF
    if not kin or Role.UNKNOWN in kin:
        return Role.UNKNOWN
    implied: set[Role] = set().union(*(_REFINES.get(role, set()) for role in kin))
    left = kin - implied
    return left.pop() if len(left) == 1 else Role.UNKNOWN
