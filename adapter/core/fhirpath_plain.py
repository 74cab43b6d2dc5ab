"""The plain subset of FHIRPath: its steps, and a parser that knows when an expression lies beyond it."""

import re
from dataclasses import dataclass

from adapter.core.fhirpath_library import PathError

_TOKEN = re.compile(r"\s*(?:([A-Za-z_][A-Za-z0-9_]*)|('[^'\\]*')|([.()=|]))")


@dataclass(frozen=True)
class Member:
    """``.name``"""

    name: str


@dataclass(frozen=True)
class Where:
    """``.where(path = literal)``, or with neither literal nor condition ``.where(path.exists())``."""

    path: tuple[str, ...]
    literal: str | bool | None = None
    condition: "Where | None" = None


@dataclass(frozen=True)
class ExtensionOf:
    """``.extension('url')``"""

    url: str


@dataclass(frozen=True)
class First:
    """``.first()``"""


Step = Member | Where | ExtensionOf | First


class NotPlain(Exception):
    """The expression is not in the subset, so fhirpathpy must judge it."""


class Parser:
    def __init__(self, expression: str, root: str) -> None:
        self._root = root
        self._tokens = _tokens(expression)
        self._at = 0

    def alternatives(self) -> tuple[tuple[Step, ...], ...]:
        """The steps of each side of a union; of one side where there is no ``|``. Raises NotPlain, PathError."""
        found = [self._side()]
        while self._peek() == "|":
            self._take("|")
            found.append(self._side())
        if self._peek() is not None:
            raise NotPlain
        return tuple(found)

    def _side(self) -> tuple[Step, ...]:
        steps: list[Step] = []
        first = self._name()
        if first[:1].isupper():
            if first != self._root:
                raise PathError(f"starts at {first}, but is asked of {self._root}")
        else:
            steps.append(self._step(first))
        while self._peek() == ".":
            self._take(".")
            steps.append(self._step(self._name()))
        if not steps:
            raise NotPlain
        return _merged(steps)

    def _step(self, name: str) -> Step:
        if self._peek() != "(":
            return Member(name)
        self._take("(")
        step: Step
        if name == "where":
            step = self._condition()
        elif name == "extension":
            step = ExtensionOf(self._literal())
        elif name == "first":
            step = First()
        else:
            raise NotPlain
        self._take(")")
        return step

    def _condition(self) -> Where:
        names = [self._name()]
        while self._peek() == ".":
            self._take(".")
            names.append(self._name())
        if self._peek() == "=":
            self._take("=")
            return Where(tuple(names), self._bool() if self._peek() in ("true", "false") else self._literal())
        if names[-1] != "exists" or len(names) == 1:
            raise NotPlain
        self._take("(")
        inner = None if self._peek() == ")" else self._condition()
        self._take(")")
        return Where(tuple(names[:-1]), condition=inner)

    def _peek(self) -> str | None:
        return self._tokens[self._at] if self._at < len(self._tokens) else None

    def _next(self) -> str:
        token = self._peek()
        if token is None:
            raise NotPlain
        self._at += 1
        return token

    def _take(self, wanted: str) -> None:
        if self._next() != wanted:
            raise NotPlain

    def _name(self) -> str:
        token = self._next()
        if not (token[0].isalpha() or token[0] == "_"):
            raise NotPlain
        return token

    def _literal(self) -> str:
        token = self._next()
        if token[0] != "'":
            raise NotPlain
        return token[1:-1]

    def _bool(self) -> bool:
        return self._next() == "true"


def _tokens(expression: str) -> list[str]:
    text, at, tokens = expression.strip(), 0, []
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise NotPlain
        tokens.append(match[match.lastindex or 0])
        at = match.end()
    return tokens


def _merged(steps: list[Step]) -> tuple[Step, ...]:
    """``extension.where(url='x')`` is ``extension('x')``."""
    merged: list[Step] = []
    for step in steps:
        if (
            isinstance(step, Where)
            and step.path == ("url",)
            and isinstance(step.literal, str)
            and merged[-1:] == [Member("extension")]
        ):
            merged[-1] = ExtensionOf(step.literal)
        else:
            merged.append(step)
    return tuple(merged)
