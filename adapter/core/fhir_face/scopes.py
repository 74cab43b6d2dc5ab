"""SMART system scopes, v1 and v2: which of our types a vendor may read by id, and which it may search.

``system/Person.read`` (v1) and ``system/Person.rs`` (v2) mean the same here; ``*`` is every type. Nothing can be
written, so what a scope allows beyond reading is left out of what is granted. A scope narrowed by a query
(``system/Person.rs?_id=1``) is not understood, and what is not understood grants nothing.
Source: https://hl7.org/fhir/smart-app-launch/scopes-and-launch-context.html
"""

import re
from collections.abc import Iterable

TYPES = ("AuditEvent", "Communication", "Consent", "Person", "Task")
READ, SEARCH = "r", "s"
_SCOPE = re.compile(r"system/(\*|[A-Z][A-Za-z]{1,40})\.(read|write|\*|c?r?u?d?s?)")
_V1 = {"read": "rs", "write": "cud", "*": "cruds"}

Rights = frozenset[tuple[str, str]]
"""Pairs of type and interaction: ``("Person", "r")``."""


def rights(scopes: Iterable[str]) -> Rights:
    """What these scopes allow of what there is to read."""
    return frozenset(right for scope in scopes for right in _one(scope))


def is_scope(text: str) -> bool:
    """Whether it is a system scope that gives a right to anything here."""
    return bool(_one(text))


def granted(asked: Iterable[str], registered: Iterable[str]) -> list[str]:
    """Of the scopes that are asked for, those that the registration covers, narrowed where it covers a part.

    A scope that is covered and asks for nothing but reading stays as it was written; all others come as
    ``system/Type.rs``.
    """
    allowed = rights(registered)
    found: list[str] = []
    for scope in asked:
        wanted = _one(scope)
        if wanted and wanted <= allowed and _only_reads(scope):
            found.append(scope)
        else:
            found += _written(wanted & allowed)
    return list(dict.fromkeys(found))


def _one(scope: str) -> Rights:
    match = _SCOPE.fullmatch(scope)
    if match is None or not match[2]:
        return frozenset()
    types = TYPES if match[1] == "*" else (match[1],) if match[1] in TYPES else ()
    letters = _V1.get(match[2], match[2])
    return frozenset((name, letter) for name in types for letter in (READ, SEARCH) if letter in letters)


def _only_reads(scope: str) -> bool:
    letters = scope.rpartition(".")[2]
    return not set(_V1.get(letters, letters)) - {READ, SEARCH}


def _written(found: Rights) -> list[str]:
    letters = {name: "".join(letter for letter in (READ, SEARCH) if (name, letter) in found) for name, _ in found}
    return [f"system/{name}.{letters[name]}" for name in sorted(letters)]
