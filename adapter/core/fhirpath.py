"""FHIRPath expressions of a mapping profile, made into functions over decoded JSON.

The plain subset that profiles live on is compiled to a few dictionary look-ups:

- member paths: ``Patient.name``, ``RelatedPerson.relationship.coding``
- ``where(a.b = 'literal')``, ``where(a.b.exists())``, ``where(a.b.exists(c = 'literal'))``
- ``extension('url')`` or ``extension.where(url='url')``, then ``value`` or one ``valueCode`` …, ``first()``
- several of these as a union: ``a | b``

It answers what fhirpathpy answers (a property test compares them), with one difference on purpose: an extension that a
profile reads and that is damaged raises ``Damaged`` where FHIRPath would silently find nothing. Anything else goes
through fhirpathpy, parsed once. Source: https://hl7.org/fhirpath/N1/, https://hl7.org/fhir/R4/fhirpath.html
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from adapter.core.fhirpath_library import compile_with_library
from adapter.core.fhirpath_plain import ExtensionOf, Member, NotPlain, Parser, Step, Where
from adapter.core.intake import Damaged
from adapter.core.shapes import MAX_TEXT

Find = Callable[[dict[str, Any]], list[Any]]
Nodes = list[Any]


@dataclass(frozen=True)
class Path:
    """One compiled expression: ``find`` gives the values.

    ``steps`` is None when it lies beyond the plain subset, and for a union, whose sides are ``sides``.
    """

    expression: str
    root: str
    steps: tuple[Step, ...] | None
    find: Find
    sides: tuple["Path", ...] = ()


def compile_path(expression: str, root: str) -> Path:
    """Compiles an expression that is to be asked of resources of type ``root``.

    Raises PathError, which says what is wrong, when it is no FHIRPath or starts at another type.
    """
    try:
        alternatives = Parser(expression, root).alternatives()
    except NotPlain:
        return Path(expression, root, None, compile_with_library(expression, root))
    sides = tuple(Path(expression, root, steps, _compiled(steps, root)) for steps in alternatives)
    return sides[0] if len(sides) == 1 else Path(expression, root, None, _union(sides), sides)


def _union(sides: tuple[Path, ...]) -> Find:
    """What any side finds, each value once, as FHIRPath has it."""

    def find(resource: dict[str, Any]) -> list[Any]:
        found: Nodes = []
        for side in sides:
            for node in side.find(resource):
                if node not in found:
                    found.append(node)
        return found

    return find


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
