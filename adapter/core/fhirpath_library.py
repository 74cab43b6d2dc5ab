"""FHIRPath beyond the plain subset: parsed once and answered by the fhirpathpy library."""

from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

from adapter.core.intake import Damaged

_NOT_THE_RECORD = "its answer does not come from the record alone"
_REFUSED = dict.fromkeys(("now", "today", "timeOfDay", "trace", "resolve", "memberOf"), _NOT_THE_RECORD) | {
    # fhirpathpy 2.2 gives only the first extension of that url: a second, contradicting one would be hidden.
    "extension": "beyond the plain subset it sees only the first; write extension.where(url='…')",
    # fhirpathpy 2.2 gives nothing where the specification asks for an error.
    "single": "several values would pass for none",
}


class PathError(Exception):
    """An expression of a profile is wrong; the message says what."""


def compile_with_library(expression: str, root: str) -> Callable[[dict[str, Any]], list[Any]]:
    """A function giving what fhirpathpy finds. Raises PathError when it cannot be parsed or would not be pure.

    The function raises Damaged when the expression fails on a record or an extension it names is damaged.
    """
    # Imported here: a profile that keeps to the plain subset does not pay 0.1 s for it.
    import fhirpathpy
    from fhirpathpy.models import models

    tree = parse(expression)
    known: dict[str, Any] = import_module("fhirpathpy.engine.invocations").invocation_registry
    for name, called in names_in(tree):
        if called and name in _REFUSED:
            raise PathError(f"calls {name}(): {_REFUSED[name]}")
        if called and name not in known:
            raise PathError(f"calls {name}(), which is no FHIRPath function the adapter knows")
    literals = frozenset(_literals(tree))
    evaluate: Callable[..., list[Any]] = fhirpathpy.apply_parsed_path
    model: dict[str, Any] = models["r4"]

    def find(resource: dict[str, Any]) -> list[Any]:
        _check_extensions(resource, literals, f"{root}.extension")
        try:
            found = evaluate(resource, tree, {}, model)
        except Exception:  # the library raises bare Exception for whatever it cannot do
            raise Damaged(root, "the mapping's expression cannot be answered from this record") from None
        return list(found)

    return find


def parse(expression: str) -> dict[str, Any]:
    """fhirpathpy's syntax tree. Raises PathError at any syntax error: the library's own ``parse`` skips over them."""
    # What the library's own parser module has imported; antlr4 is its dependency, not ours.
    library: Any = import_module("fhirpathpy.parser")

    class Strict(library.ErrorListener):  # type: ignore[misc]
        def syntaxError(self, recognizer: Any, symbol: Any, line: int, column: int, message: str, error: Any) -> None:
            raise PathError(f"is not FHIRPath from character {column + 1} on")

    lexer = library.FHIRPathLexer(library.InputStream(expression))
    parser = library.FHIRPathParser(library.CommonTokenStream(lexer))
    for part in (lexer, parser):
        part.removeErrorListeners()
        part.addErrorListener(Strict())
    tree = parser.expression()
    end = parser.getCurrentToken()
    if end.type != -1:
        raise PathError(f"is not FHIRPath from character {end.column + 1} on")
    listener = library.ASTPathListener()
    library.ParseTreeWalker().walk(listener, tree)
    root: dict[str, Any] = listener.parentStack[0]
    return root


def names_in(node: dict[str, Any]) -> Iterator[tuple[str, bool]]:
    """Every name in a syntax tree, with whether it is called as a function."""
    children = node.get("children", [])
    if node.get("type") in ("MemberInvocation", "Functn"):
        yield children[0]["text"], node["type"] == "Functn"
    for child in children:
        yield from names_in(child)


def _literals(node: dict[str, Any]) -> Iterator[str]:
    if node.get("type") == "StringLiteral":
        yield node["text"][1:-1]
    for child in node.get("children", []):
        yield from _literals(child)


def _check_extensions(node: Any, urls: frozenset[str], path: str) -> None:
    """Every extension that the expression may name must be whole: FHIRPath would take a damaged one for none."""
    if isinstance(node, list):
        for item in node:
            _check_extensions(item, urls, path)
    elif isinstance(node, dict):
        if "extension" in node:
            _check_list(node["extension"], urls, path)
        for value in node.values():
            _check_extensions(value, urls, path)


def _check_list(extensions: Any, urls: frozenset[str], path: str) -> None:
    if not isinstance(extensions, list) or not extensions:
        raise Damaged(path, "should be a list of extensions")
    for extension in extensions:
        if not isinstance(extension, dict) or not isinstance(extension.get("url"), str) or not extension["url"]:
            raise Damaged(path, "should be a list of objects that each have a url")
        if extension["url"] in urls:
            values = [key for key in extension if key.startswith("value")]
            if len(values) + ("extension" in extension) != 1 or any(
                extension[key] in (None, "", [], {}) for key in values
            ):
                raise Damaged(path, "should have exactly one value")
