"""FHIRPath expressions of a mapping profile, made into functions over decoded JSON.

The plain subset that profiles live on is compiled to a few dictionary look-ups:

- member paths: ``Patient.name``, ``RelatedPerson.relationship.coding``
- ``where(a.b = 'literal')``, ``where(a.b.exists())``, ``where(a.b.exists(c = 'literal'))``
- ``extension('url')`` or ``extension.where(url='url')``, then ``value`` or one ``valueCode`` …, ``first()``

It answers what fhirpathpy answers (a property test compares them), with one difference on purpose: an extension that a
profile reads and that is damaged raises ``Damaged`` where FHIRPath would silently find nothing. Anything else goes
through fhirpathpy, parsed once. Source: https://hl7.org/fhirpath/N1/, https://hl7.org/fhir/R4/fhirpath.html
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from adapter.core.fhirpath_library import PathError, compile_with_library
from adapter.core.intake import Damaged
from adapter.core.shapes import MAX_TEXT

Find = Callable[[dict[str, Any]], list[Any]]
Nodes = list[Any]

_TOKEN = re.compile(r"\s*(?:([A-Za-z_][A-Za-z0-9_]*)|('[^'\\]*')|([.()=]))")


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


@dataclass(frozen=True)
class Path:
    """One compiled expression. ``steps`` is None when it lies beyond the plain subset; ``find`` gives the values."""

    expression: str
    root: str
    steps: tuple[Step, ...] | None
    find: Find


def compile_path(expression: str, root: str) -> Path:
    """Compiles an expression that is to be asked of resources of type ``root``.

    Raises PathError, which says what is wrong, when it is no FHIRPath or starts at another type.
    """
    try:
        steps = _Parser(expression, root).expression()
    except _NotPlain:
        return Path(expression, root, None, compile_with_library(expression, root))
    return Path(expression, root, steps, _compiled(steps, root))


# ---- parsing the plain subset ---------------------------------------------------------------------------------------


class _NotPlain(Exception):
    """The expression is not in the subset, so fhirpathpy must judge it."""


class _Parser:
    def __init__(self, expression: str, root: str) -> None:
        self._root = root
        self._tokens = _tokens(expression)
        self._at = 0

    def expression(self) -> tuple[Step, ...]:
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
        if self._peek() is not None or not steps:
            raise _NotPlain
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
            raise _NotPlain
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
            raise _NotPlain
        self._take("(")
        inner = None if self._peek() == ")" else self._condition()
        self._take(")")
        return Where(tuple(names[:-1]), condition=inner)

    def _peek(self) -> str | None:
        return self._tokens[self._at] if self._at < len(self._tokens) else None

    def _next(self) -> str:
        token = self._peek()
        if token is None:
            raise _NotPlain
        self._at += 1
        return token

    def _take(self, wanted: str) -> None:
        if self._next() != wanted:
            raise _NotPlain

    def _name(self) -> str:
        token = self._next()
        if not (token[0].isalpha() or token[0] == "_"):
            raise _NotPlain
        return token

    def _literal(self) -> str:
        token = self._next()
        if token[0] != "'":
            raise _NotPlain
        return token[1:-1]

    def _bool(self) -> bool:
        return self._next() == "true"


def _tokens(expression: str) -> list[str]:
    text, at, tokens = expression.strip(), 0, []
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise _NotPlain
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


# ---- compiling it ---------------------------------------------------------------------------------------------------


def _compiled(steps: tuple[Step, ...], root: str) -> Find:
    if len(steps) == 1 and isinstance(steps[0], Member):
        return _one_member(steps[0].name)
    functions = [_function(step, steps[index - 1] if index else None, root) for index, step in enumerate(steps)]

    def find(resource: dict[str, Any]) -> list[Any]:
        nodes: Nodes = [resource]
        for function in functions:
            nodes = function(nodes)
            if not nodes:
                break
        return nodes

    return find


def _one_member(name: str) -> Find:
    def find(resource: dict[str, Any]) -> list[Any]:
        value = resource.get(name)
        if value is None:
            return []
        return value if type(value) is list else [value]

    return find


def _function(step: Step, before: Step | None, root: str) -> Callable[[Nodes], Nodes]:
    if isinstance(step, Member):
        if isinstance(before, ExtensionOf) and step.name.startswith("value"):
            return _extension_value(step.name, f"{root}.extension")
        return _member(step.name)
    if isinstance(step, Where):
        holds = _condition(step)
        return lambda nodes: [node for node in nodes if holds(node)]
    if isinstance(step, ExtensionOf):
        return _extension(step.url, f"{root}.extension")
    return lambda nodes: nodes[:1]


def _member(name: str) -> Callable[[Nodes], Nodes]:
    def step(nodes: Nodes) -> Nodes:
        found: Nodes = []
        for node in nodes:
            if type(node) is not dict:
                raise Damaged(name, "should be in an object")
            value = node.get(name)
            if type(value) is list:
                found.extend(value)
            elif value is not None:
                found.append(value)
        return found

    return step


def _condition(where: Where) -> Callable[[Any], bool]:
    walk = [_member(name) for name in where.path]
    inner = _condition(where.condition) if where.condition else None
    literal = where.literal

    def holds(node: Any) -> bool:
        nodes: Nodes = [node]
        for step in walk:
            nodes = step(nodes)
        if literal is not None:
            return len(nodes) == 1 and type(nodes[0]) is type(literal) and nodes[0] == literal
        return any(map(inner, nodes)) if inner else bool(nodes)

    return holds


def _extension(url: str, path: str) -> Callable[[Nodes], Nodes]:
    def step(nodes: Nodes) -> Nodes:
        found: Nodes = []
        for node in nodes:
            if type(node) is not dict or "extension" not in node:
                continue
            extensions = node["extension"]
            if type(extensions) is not list or not extensions:
                raise Damaged(path, "should be a list of extensions")
            for extension in extensions:
                if type(extension) is not dict or type(extension.get("url")) is not str or not extension["url"]:
                    raise Damaged(path, "should be a list of objects that each have a url")
                if extension["url"] == url:
                    found.append(extension)
                elif len(extension["url"]) > MAX_TEXT or not extension["url"].isprintable():
                    raise Damaged(path, "has a damaged url")
        return found

    return step


def _extension_value(name: str, path: str) -> Callable[[Nodes], Nodes]:
    def step(nodes: Nodes) -> Nodes:
        found: Nodes = []
        for node in nodes:
            given = [key for key in node if key.startswith("value")]
            if len(given) != 1 or node[given[0]] in (None, "", [], {}):
                raise Damaged(path, "should have exactly one value")
            if name not in ("value", given[0]):
                raise Damaged(path, "has a value of another type than the mapping reads")
            found.append(node[given[0]])
        return found

    return step
