"""Puts a mutant in the place of a module that is imported already: only the functions that differ get other code."""

import ast
import gc
from collections.abc import Iterator
from inspect import CO_OPTIMIZED
from types import CodeType, FunctionType

Name = tuple[str, int]
"""A function's qualified name and first line."""


def living(path: str) -> dict[Name, list[FunctionType]]:
    """Every function there is whose code is from this file."""
    found: dict[Name, list[FunctionType]] = {}
    for thing in gc.get_objects():
        if isinstance(thing, FunctionType) and thing.__code__.co_filename == path:
            found.setdefault(_name(thing.__code__), []).append(thing)
    return found


def swap(path: str, before: ast.Module, after: ast.Module, functions: dict[Name, list[FunctionType]]) -> bool:
    """Gives the functions their changed code; False, with nothing done, when more than functions differ."""
    old, new = (compile(tree, path, "exec") for tree in (before, after))
    if _outside(old) != _outside(new):
        return False
    pairs = [(a, b) for a, b in zip(_functions(old), _functions(new), strict=True) if a != b]
    if not pairs or any(_name(a) not in functions or a.co_freevars != b.co_freevars for a, b in pairs):
        return False
    for _, code in pairs:
        for function in functions[_name(code)]:
            function.__code__ = code
    return True


def _name(code: CodeType) -> Name:
    return code.co_qualname, code.co_firstlineno


def _outside(code: CodeType) -> object:
    """What a module or a class body does outside its functions."""
    consts = ["function" if _is_function(one) else _outside(one) if _is_code(one) else one for one in code.co_consts]
    return code.co_code, code.co_names, list(map(repr, consts))


def _functions(code: CodeType) -> Iterator[CodeType]:
    for one in code.co_consts:
        if _is_function(one):
            yield one
        elif _is_code(one):
            yield from _functions(one)


def _is_code(one: object) -> bool:
    return isinstance(one, CodeType)


def _is_function(one: object) -> bool:
    return isinstance(one, CodeType) and bool(one.co_flags & CO_OPTIMIZED)
