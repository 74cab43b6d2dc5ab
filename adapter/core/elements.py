"""Whether a profile's expression can ever find anything: element names, types and codes against what intake checks.

The elements are those of ``shapes`` and nothing else, so whatever an expression reads has had its structure checked.
"""

import difflib
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

import msgspec

from adapter.core import shapes
from adapter.core.fhirpath import Path
from adapter.core.fhirpath_library import names_in, parse
from adapter.core.fhirpath_plain import ExtensionOf, First, Member, Step, Where

TEXT, FLAG, OTHER, ANY = "text", "true or false", "something else", "any value"
CONCEPTS = frozenset({"CodeableConcept", "Coding", TEXT, ANY})

_TEXT_VALUES = (
    "Code",
    "String",
    "Markdown",
    "Uri",
    "Url",
    "Canonical",
    "Id",
    "Oid",
    "Uuid",
    "Date",
    "DateTime",
    "Instant",
)
_STRUCTURED_VALUES = ("CodeableConcept", "Coding", "HumanName", "ContactPoint", "Period", "Identifier", "Reference")
_VALUES = {f"value{name}": TEXT for name in _TEXT_VALUES} | {f"value{name}": name for name in _STRUCTURED_VALUES}
_VALUES |= {"value": ANY, "valueBoolean": FLAG}


_NAME_USES = ("usual", "official", "temp", "nickname", "anonymous", "old", "maiden")
"""Not insisted on in records, where an odd use does no harm, but in expressions it can only be a slip."""


class Element(msgspec.Struct, frozen=True):
    """One element: its type, whether it repeats, and its codes where FHIR allows no others."""

    type: str
    many: bool = False
    codes: tuple[str, ...] = ()


@cache
def elements() -> dict[str, dict[str, Element]]:
    """Every element intake checks, by type and name."""
    kinds = [kind for kind in vars(shapes).values() if isinstance(kind, type) and issubclass(kind, shapes.Shape)]
    return {kind.__name__: dict(_elements_of(kind)) for kind in kinds}


def _elements_of(kind: type[shapes.Shape]) -> Iterator[tuple[str, Element]]:
    hints = get_type_hints(kind)
    for field in msgspec.structs.fields(kind):
        if not field.encode_name.startswith("_"):
            element = _element(hints[field.name])
            is_name_use = kind is shapes.HumanName and field.name == "use"
            yield field.encode_name, msgspec.structs.replace(element, codes=_NAME_USES) if is_name_use else element


def _element(hint: Any) -> Element:
    if get_origin(hint) is Annotated:
        return _element(get_args(hint)[0])
    if get_origin(hint) is list:
        return Element(_element(get_args(hint)[0]).type, many=True)
    if get_origin(hint) is Literal:
        return Element(TEXT, codes=get_args(hint))
    if isinstance(hint, type):
        named = hint.__name__ if issubclass(hint, shapes.Shape) else OTHER
        return Element({str: TEXT, bool: FLAG}.get(hint, named))
    first = [part for part in get_args(hint) if part not in (msgspec.UnsetType, type(None))]
    return _element(first[0]) if first else Element(OTHER)


def problems(path: Path, wanted: Iterable[str]) -> list[str]:
    """Why an expression can never give what is wanted (names of types); empty when it can."""
    if path.sides:
        wanted = frozenset(wanted)
        return list(dict.fromkeys(problem for side in path.sides for problem in problems(side, wanted)))
    if path.steps is None:
        return _library_problems(path)
    try:
        found = _walk(path.root, path.steps)
    except _Never as never:
        return [str(never)]
    if found not in wanted and found != ANY:
        return [f"gives {found}, but {' or '.join(sorted(wanted))} is needed"]
    return []


class _Never(Exception):
    """The expression can never match; the message says why."""


def _walk(kind: str, steps: Iterable[Step]) -> str:
    inside = False  # an extension whose value has not been read yet
    for step in steps:
        if isinstance(step, ExtensionOf):
            if not step.url:
                raise _Never("names an extension with an empty url")
            kind, inside = "Extension", True
        elif isinstance(step, Member) and inside:
            kind, inside = _value(step.name), False
        elif isinstance(step, Member):
            kind = _element_of(kind, step.name).type
        elif isinstance(step, Where):
            _condition(kind, step)
        elif not isinstance(step, First):
            raise TypeError(step)
    if inside:
        raise _Never("stops at the extension itself; add .value")
    return kind


def _condition(kind: str, where: Where) -> None:
    codes: tuple[str, ...] = ()
    for name in where.path:
        element = _element_of(kind, name)
        kind, codes = element.type, element.codes
    if where.condition is not None:
        _condition(kind, where.condition)
    if isinstance(where.literal, bool) and kind != FLAG:
        raise _Never(f"compares `{where.path[-1]}`, which is {kind}, with true or false")
    if isinstance(where.literal, str) and kind != TEXT:
        raise _Never(f"compares `{where.path[-1]}`, which is {kind}, with text")
    if isinstance(where.literal, str) and codes and where.literal not in codes:
        raise _Never(f"compares `{where.path[-1]}` with a code it never has; it has {', '.join(codes)}")


def _element_of(kind: str, name: str) -> Element:
    if name == "extension":
        raise _Never("reads every extension; say which one: extension('url').value")
    known = elements().get(kind)
    if known is None:
        raise _Never(f"asks for `{name}` of {kind}, which has no elements")
    if name not in known:
        raise _Never(f"`{name}` is not an element of {kind} that the adapter reads; {_nearest(name, known)}")
    return known[name]


def _value(name: str) -> str:
    if name not in _VALUES:
        raise _Never(f"`{name}` is not a value of an extension that the adapter reads; {_nearest(name, _VALUES)}")
    return _VALUES[name]


def _nearest(name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, list(known), n=1)
    return f"did you mean `{near[0]}`?" if near else f"it reads {', '.join(sorted(known))}"


def _library_problems(path: Path) -> list[str]:
    """Beyond the plain subset types are not followed, but every name must still exist somewhere."""
    known = set(_VALUES) | {"extension", "url", path.root, "CodeableConcept", "Coding", "Quantity"}
    known |= {name for kind in elements().values() for name in kind}
    known |= {name[0].lower() + name[1:] for name in _TEXT_VALUES} | {"boolean", "FHIR", "System"}
    wrong = dict.fromkeys(name.strip("`") for name, called in names_in(parse(path.expression)) if not called)
    return [
        f"`{name}` is not an element that the adapter reads; {_nearest(name, known)}"
        for name in wrong
        if name not in known
    ]
