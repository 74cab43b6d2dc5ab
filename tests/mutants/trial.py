"""Collects the tests once; each mutant is then a fork of that process, which runs the tests that reach the change.

A change outside functions needs the module imported anew: those few collect the tests themselves.
"""

import ast
import importlib.abc
import importlib.machinery
import os
import pickle
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import CodeType, FrameType, ModuleType
from typing import Any

import pytest
from _pytest.runner import runtestprotocol

from tests.mutants.mutate import Mutant
from tests.mutants.swap import living, swap

PATIENCE = 60
"""Seconds of computing, not of waiting: a mutant that never ends is noticed too, one on a busy machine is not."""
NOTICED, UNNOTICED, NOT_SWAPPED = 1, 0, 7
QUIET = ["-q", "-x", "-p", "no:cacheprovider", "-p", "no:xdist", "-p", "no:randomly"]


@dataclass
class Reach:
    """Which tests run a line of the module, by number, and how long each takes."""

    lines: dict[int, set[int]] = field(default_factory=dict)
    seconds: dict[int, float] = field(default_factory=dict)
    failed: list[str] = field(default_factory=list)


class Trials:
    """A pytest plugin: instead of running the tests it tries the mutants, and keeps those that nobody noticed."""

    def __init__(self, module: str, path: Path, made: Sequence[Mutant], survives: Callable[[Mutant], None]) -> None:
        self.module, self.path, self.made, self.survives = module, str(path), made, survives
        self.failed: list[str] = []

    def pytest_collection_finish(self) -> None:
        sys.dont_write_bytecode = True

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        source = Path(self.path).read_text(encoding="utf-8")
        reach = _in_child(lambda: _measure(session.items, self.path))
        self.failed = reach.failed
        if self.failed:
            return True
        functions = living(self.path)
        for mutant in self.made:
            items = [session.items[number] for number in _fitting(reach, mutant.line)]
            changed = partial(swap, self.path, ast.parse(source), mutant.tree, functions)
            code = _ended(partial(_try, changed, items))
            if code == NOT_SWAPPED:
                code = _ended(partial(self._anew, mutant, session.config.args))
            if code == UNNOTICED:
                self.survives(mutant)
        return True

    def _anew(self, mutant: Mutant, tests: list[str]) -> int:
        """With the changed module imported in place of the real one, in a process that has imported neither."""
        with tempfile.NamedTemporaryFile(suffix=".pickle", delete=False) as file:
            pickle.dump((self.module, self.path, ast.unparse(mutant.tree), tests), file)
        os.execv(sys.executable, [sys.executable, "-m", "tests.mutants.trial", file.name])


def _fitting(reach: Reach, line: int) -> list[int]:
    """The quickest first. A change in a statement of several lines counts for the line before it too."""
    return sorted(reach.lines.get(line) or reach.seconds.keys(), key=lambda number: reach.seconds[number])


def _measure(items: Sequence[pytest.Item], path: str) -> Reach:
    reach = Reach()
    for number, item in enumerate(items):
        hit: set[int] = set()
        began = time.process_time()
        sys.settrace(_tracer(path, hit))
        reports = _run(item, items[number + 1] if number + 1 < len(items) else None)
        sys.settrace(None)
        reach.seconds[number] = time.process_time() - began
        if any(report.failed for report in reports):
            reach.failed.append(item.nodeid)
        for line in hit:
            reach.lines.setdefault(line, set()).add(number)
    return reach


def _tracer(path: str, hit: set[int]) -> Callable[[FrameType, str, Any], Any]:
    """Notes every line of a function that is entered: a statement of several lines has several numbers."""
    spans: dict[CodeType, set[int]] = {}

    def trace(frame: FrameType, event: str, arg: Any) -> None:
        code = frame.f_code
        if code.co_filename == path:
            if code not in spans:
                spans[code] = set(_lines(code))
            hit.update(spans[code])

    return trace


def _lines(code: CodeType) -> Iterable[int]:
    known = [line for _, _, line in code.co_lines() if line]
    ends = [position[1] for position in code.co_positions() if position[1]]
    return range(code.co_firstlineno, max([*known, *ends, code.co_firstlineno]) + 1)


def _run(item: pytest.Item, following: pytest.Item | None) -> list[pytest.TestReport]:
    return runtestprotocol(item, log=False, nextitem=following)


def _try(changed: Callable[[], bool], items: Sequence[pytest.Item]) -> int:
    """What became of a mutant: whether a test has failed, or it has to be imported."""
    if not changed():
        return NOT_SWAPPED
    for item, following in zip(items, [*items[1:], None], strict=True):
        if any(report.failed for report in _run(item, following)):
            return NOTICED
    return UNNOTICED


def _ended(work: Callable[[], int]) -> int:
    child = os.fork()
    if child == 0:
        resource.setrlimit(resource.RLIMIT_CPU, (PATIENCE, PATIENCE))
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 1)
        os.dup2(null, 2)
        code = NOTICED
        try:
            code = work()
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _in_child(work: Callable[[], Reach]) -> Reach:
    """Nothing that the tests leave behind is there for the mutants."""
    with tempfile.TemporaryFile() as file:
        child = os.fork()
        if child == 0:
            try:
                pickle.dump(work(), file)
                file.flush()
            finally:
                os._exit(0)
        os.waitpid(child, 0)
        file.seek(0)
        found = pickle.load(file)
    assert isinstance(found, Reach)
    return found


class _Loader(importlib.abc.SourceLoader):
    def __init__(self, source: str, path: str) -> None:
        self.source, self.path = source, path

    def get_data(self, path: str | bytes) -> bytes:
        return self.source.encode()

    def get_filename(self, fullname: str) -> str:
        return self.path


class _Finder(importlib.abc.MetaPathFinder):
    """Gives one module's changed source."""

    def __init__(self, name: str, source: str, path: str) -> None:
        self.name, self.loader = name, _Loader(source, path)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        return importlib.machinery.ModuleSpec(fullname, self.loader) if fullname == self.name else None


def main() -> int:
    file = Path(sys.argv[1])
    module, path, source, tests = pickle.loads(file.read_bytes())
    file.unlink()
    # A name that is no file: nothing is read from, or written to, the compiled copy of the real one.
    sys.meta_path.insert(0, _Finder(module, source, f"{path}.mutant"))
    sys.dont_write_bytecode = True
    return NOTICED if pytest.main([*QUIET, *tests]) else UNNOTICED


if __name__ == "__main__":
    sys.exit(main())
