"""What is changed in a module, one thing at a time: conditions, comparisons, values, words, what is returned."""

import ast
import copy
from collections.abc import Iterator
from dataclasses import dataclass

COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
CALLS = {"any": "all", "all": "any", "min": "max", "max": "min"}


@dataclass(frozen=True)
class Mutant:
    """One changed module: where, what, and its tree, in which every line has the number it had."""

    line: int
    what: str
    tree: ast.Module


def mutants(source: str) -> Iterator[Mutant]:
    """Every change of one place. Annotations, docstrings and imports are left alone: no test can notice those."""
    tree = ast.parse(source)
    skipped = {id(part) for node in ast.walk(tree) for part in _not_code(node)}
    places = [node for node in ast.walk(tree) if id(node) not in skipped]
    for number, node in enumerate(places):
        for change in range(8):
            if not _change(copy.deepcopy(node), change):  # only then is the whole tree copied, which takes its time
                break
            twin = copy.deepcopy(tree)
            again = {id(part) for each in ast.walk(twin) for part in _not_code(each)}
            place = [each for each in ast.walk(twin) if id(each) not in again][number]
            what = _change(place, change) or ""
            yield Mutant(_line(node), what, ast.fix_missing_locations(twin))


def _line(node: ast.AST) -> int:
    return node.target.lineno if isinstance(node, ast.comprehension) else getattr(node, "lineno", 0)


def _not_code(node: ast.AST) -> Iterator[ast.AST]:
    """The parts of a node that say nothing about what it does."""
    if isinstance(node, ast.Import | ast.ImportFrom):
        yield from ast.walk(node)
    if isinstance(node, ast.AnnAssign | ast.arg) and node.annotation is not None:
        yield from ast.walk(node.annotation)
    if isinstance(node, ast.FunctionDef):
        for part in [node.returns, *node.decorator_list]:
            if part is not None:
                yield from ast.walk(part)
    if isinstance(node, ast.ClassDef):
        for keyword in node.keywords:  # how a struct is stored
            yield from ast.walk(keyword)
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        yield from ast.walk(node)


def _change(node: ast.AST, number: int) -> str | None:
    """Makes the node's change of this number; what it was, or None after the last."""
    if isinstance(node, ast.Compare) and number < len(node.ops):
        old = node.ops[number]
        node.ops[number] = COMPARISONS[type(old)]()
        return f"{type(old).__name__} became {type(node.ops[number]).__name__}"
    if isinstance(node, ast.BoolOp):
        if number == 0:
            node.op = ast.Or() if isinstance(node.op, ast.And) else ast.And()
            return "and and or changed places"
        if number <= len(node.values):
            del node.values[number - 1]
            return f"operand {number} left out"
        return None
    if number:
        return None
    return _change_once(node)


def _change_once(node: ast.AST) -> str | None:
    match node:
        case ast.UnaryOp(op=ast.Not()):
            node.op = ast.UAdd()  # bool(x), near enough: +True is 1
            node.operand = ast.Call(ast.Name("bool", ast.Load()), [node.operand], [])
            return "not left out"
        case ast.Constant(value=bool(value)):
            node.value = not value
            return f"{value} became {not value}"
        case ast.Constant(value=int(value)):
            node.value = value + 1
            return f"{value} became {value + 1}"
        case ast.Constant(value=str(value)):
            node.value = f"{value}XX" if value else "XX"
            return f"{value!r} became another text"
        case ast.IfExp():
            node.test = ast.UnaryOp(ast.Not(), node.test)
            return "condition turned round"
        case ast.If():
            node.test = ast.UnaryOp(ast.Not(), node.test)
            return "if turned round"
        case ast.Return(value=value) if value is not None and not isinstance(value, ast.Constant):
            node.value = ast.Constant(None)
            return "returns None"
        case ast.Call(func=ast.Name(id=name)) if name in CALLS:
            node.func = ast.Name(CALLS[name], ast.Load())
            return f"{name} became {CALLS[name]}"
        case ast.BinOp(op=ast.Add()):
            node.op = ast.Sub()
            return "+ became -"
        case ast.BinOp(op=ast.Sub()):
            node.op = ast.Add()
            return "- became +"
        case ast.BinOp(op=ast.BitOr()):
            node.op = ast.BitAnd()
            return "| became &"
        case ast.comprehension(ifs=[_, *_]):
            del node.ifs[0]
            return "filter left out"
    return None
