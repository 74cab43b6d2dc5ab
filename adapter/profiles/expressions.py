"""What is wrong with the FHIRPath of a profile: each expression compiled, and asked of the type it is about."""

import tomllib
from pathlib import Path

from adapter.core.elements import CONCEPTS, FLAG, TEXT, problems
from adapter.core.fhirpath import compile_path
from adapter.core.fhirpath_library import PathError
from adapter.errors import Fault
from adapter.profiles.form import HELP, NOT_RECORDED

_WANTED = {
    "names": frozenset({"HumanName"}),
    "telecom": frozenset({"ContactPoint"}),
    "language": frozenset({"Communication"}),
    "period": frozenset({"Period"}),
    "birth_date": frozenset({TEXT}),
    "mrn": frozenset({TEXT}),
    "organization": frozenset({"Reference", TEXT}),
    "roles": CONCEPTS,
    "authority": CONCEPTS | {FLAG},
}
_ROOTS = {"patient": "Patient", "contact": "RelatedPerson", "roles": "RelatedPerson", "authority": "RelatedPerson"}


def expression_faults(path: Path) -> list[Fault]:
    """Every fault of every expression that can be read, whatever else is wrong with the file."""
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    faults = []
    for table, root in _ROOTS.items():
        rows = data.get(table)
        for name, expression in rows.items() if isinstance(rows, dict) else ():
            wanted = _WANTED.get(table if name == "source" else name)
            if wanted is None or not isinstance(expression, str) or expression == NOT_RECORDED:
                continue
            for problem in _problems(expression, root, wanted):
                ended = problem if problem.endswith("?") else f"{problem}."
                remedy = f"Correct the expression. {HELP}"
                faults.append(Fault(file=str(path), key=f"{table}.{name}", problem=ended, remedy=remedy))
    return faults


def _problems(expression: str, root: str, wanted: frozenset[str]) -> list[str]:
    try:
        return problems(compile_path(expression, root), wanted)
    except PathError as error:
        return [str(error)]
