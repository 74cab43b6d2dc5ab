"""Tries every mutant of the modules named against the tests of the core: ``python -m tests.mutants decide rules``.

Each is imported in a process of its own, in which the changed source stands in place of the module's; the first test
that fails ends it. Prints the survivors, and how many were noticed.
"""

import argparse
import importlib.abc
import importlib.machinery
import os
import resource
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from random import Random
from types import ModuleType

import hypothesis
import msgspec
import pytest

from tests.mutants.mutate import Mutant, mutants

ROOT = Path(__file__).resolve().parents[2]
TESTS = ROOT / "tests" / "core"
CONCERNED = (
    "test_decide.py",
    "test_answers.py",
    "test_answers_mailbox.py",
    "test_conflict.py",
    "test_ages.py",
    "test_until.py",
    "test_grants.py",
    "test_accounts.py",
    "test_plan.py",
    "test_mutants.py",
    "test_faq.py",
    "test_brakes.py",
    "test_patient_contact_identity.py",
    "test_plan_mail.py",
    "test_plan_incomplete.py",
    "test_explain.py",
    "test_explain_chart.py",
    "test_findings.py",
    "test_properties.py",
    "test_answers_properties.py",
    "test_damage.py",
)
"""The quickest first."""
PATIENCE = 120
"""Seconds of computing, not of waiting: a mutant that never ends is noticed too, one on a busy machine is not."""


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


def noticed(module: str, path: Path, mutant: Mutant) -> bool:
    """Whether a test fails with this source in place of the module's."""
    child = os.fork()
    if child == 0:
        resource.setrlimit(resource.RLIMIT_CPU, (PATIENCE, PATIENCE))
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 1)
        os.dup2(null, 2)
        # A name that is no file: nothing is read from, or written to, the compiled copy of the real one.
        sys.meta_path.insert(0, _Finder(module, mutant.source, f"{path}.mutant"))
        sys.dont_write_bytecode = True
        tests = [str(TESTS / name) for name in CONCERNED if (TESTS / name).exists()]
        code = pytest.main(["-x", "-q", "-p", "no:cacheprovider", *tests])
        os._exit(0 if code == 0 else 1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) != 0


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("modules", nargs="+", help="of adapter/core: decide, rules, plan, brakes, accounts, answers")
    parser.add_argument("--some", type=int, help="so many of them, drawn at random")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    os.environ.setdefault("HYPOTHESIS_PROFILE", "ci")
    assert hypothesis and msgspec  # imported once, for every child
    began, tried, alive = time.monotonic(), 0, 0
    for name in options.modules:
        path = ROOT / "adapter" / "core" / f"{name}.py"
        source = path.read_text(encoding="utf-8")
        if noticed(f"adapter.core.{name}", path, Mutant(0, "nothing changed", source)):
            print(f"{name}: the tests fail with nothing changed", file=sys.stderr)
            return 1
        made = list(mutants(source))
        if options.some:
            made = Random(options.seed).sample(made, min(options.some, len(made)))
        survived = 0
        for mutant in made:
            tried += 1
            if not noticed(f"adapter.core.{name}", path, mutant):
                survived += 1
                print(f"{name}.py:{mutant.line}: {mutant.what}", flush=True)
        alive += survived
        print(f"{name}: {len(made) - survived:,} of {len(made):,} noticed", flush=True)
    print(f"{tried - alive:,} of {tried:,} noticed ({1 - alive / tried:.1%}) in {time.monotonic() - began:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
