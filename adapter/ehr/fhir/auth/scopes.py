"""SMART scopes: which ones to ask for, and whether what was granted is enough to read a practice's records.

Version 1 says ``system/Patient.read``, version 2 ``system/Patient.rs``
(https://hl7.org/fhir/smart-app-launch/scopes-and-launch-context.html).
"""

import re
from collections.abc import Collection, Iterable
from typing import Any

TYPES = ("Patient", "RelatedPerson")
_READ_SEARCH = frozenset("rs")
_V1 = {"read": "rs", "write": "cud", "*": "cruds"}
_SCOPE = re.compile(r"(?P<who>system|user)/(?P<type>\*|[A-Z][A-Za-z]{1,60})\.(?P<may>read|write|\*|c?r?u?d?s?)")


def scopes_for(types: Collection[str], discovered: dict[str, Any]) -> tuple[str, ...]:
    """What to ask for: version 2, unless the EHR's smart-configuration speaks of version 1 alone."""
    told = {str(item) for key in ("capabilities", "scopes_supported") for item in _list(discovered.get(key))}
    v2 = "permission-v2" in told or any(scope.endswith(".rs") for scope in told)
    v1 = "permission-v1" in told or any(scope.endswith(".read") for scope in told)
    may = "read" if v1 and not v2 else "rs"
    return tuple(f"system/{kind}.{may}" for kind in types)


def missing(types: Iterable[str], granted: Iterable[str], *, asked: Collection[str] = ()) -> list[str]:
    """The scopes that are needed to read and search ``types`` and were not granted, in version 2's spelling.

    A scope restricted to some records (``system/Patient.rs?…``) counts only when it is one of ``asked``: then the
    practice wants it so. Any other would leave records out unnoticed.
    """
    allowed: dict[str, set[str]] = {}
    for scope in granted:
        plain, restricted, _ = scope.partition("?")
        parts = _SCOPE.fullmatch(plain)
        if parts and (not restricted or scope in asked):
            allowed.setdefault(parts["type"], set()).update(_V1.get(parts["may"], parts["may"]))
    everywhere = allowed.get("*", set())
    return [f"system/{kind}.rs" for kind in types if not allowed.get(kind, set()) | everywhere >= _READ_SEARCH]


def speaks_smart(scopes: Iterable[str]) -> bool:
    """Whether any of these is a SMART scope at all; other OAuth servers have their own."""
    return any(_SCOPE.fullmatch(scope.partition("?")[0]) for scope in scopes)


def shown(scopes: Iterable[str]) -> str:
    """Scopes for a message; what does not look like one is left out."""
    plain = [scope for scope in scopes if re.fullmatch(r"[A-Za-z0-9/.*:?=&_|,-]{1,120}", scope)]
    return " ".join(plain[:12]) or "none"


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
