"""Tries every mutant of the modules named against the tests of the core: ``python -m tests.mutants decide rules``.

Each is a process of its own that runs the tests which reach the changed place, the quickest first, until one fails.
Prints the survivors, and how many were noticed.
"""

import argparse
import os
import sys
import time
from pathlib import Path
from random import Random

import pytest

from tests.mutants.mutate import Mutant, mutants
from tests.mutants.trial import QUIET, Trials

ROOT = Path(__file__).resolve().parents[2]
CORE = ROOT / "adapter" / "core"
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
    "test_undo.py",
    "test_plan_brakes.py",
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


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("modules", nargs="+", help="of adapter/core: decide, rules, plan, brakes, answers, undo")
    parser.add_argument("--some", type=int, help="so many of them, drawn at random")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--lines", type=int, nargs="+", help="only what is changed in these lines")
    options = parser.parse_args()
    os.environ.setdefault("HYPOTHESIS_PROFILE", "mutants")
    began, tried, alive = time.monotonic(), 0, 0
    for name in options.modules:
        made = list(mutants((CORE / f"{name}.py").read_text(encoding="utf-8")))
        if options.lines:
            made = [mutant for mutant in made if mutant.line in options.lines]
        if options.some:
            made = Random(options.seed).sample(made, min(options.some, len(made)))
        survived = _survivors(name, made)
        if survived is None:
            return 1
        tried, alive = tried + len(made), alive + survived
        print(f"{name}: {len(made) - survived:,} of {len(made):,} noticed", flush=True)
    print(f"{tried - alive:,} of {tried:,} noticed ({1 - alive / tried:.1%}) in {time.monotonic() - began:.0f} s")
    return 0


def _survivors(name: str, made: list[Mutant]) -> int | None:
    """How many nobody noticed; None when the tests fail with nothing changed. In a process that imports them afresh."""
    reader, writer = os.pipe()
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        os.close(reader)
        said = os.fdopen(writer, "w")
        trials = Trials(
            f"adapter.core.{name}",
            CORE / f"{name}.py",
            made,
            lambda mutant: print(f"{name}.py:{mutant.line}: {mutant.what}", file=said, flush=True),
        )
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 1)
        own = [file for file in CONCERNED if file.startswith(f"test_{name}")]
        tests = [str(TESTS / file) for file in dict.fromkeys([*own, *CONCERNED])]
        code = pytest.main([*QUIET, *tests], plugins=[trials])
        for test in trials.failed:
            print(f"{name}: {test} fails with nothing changed", file=sys.stderr)
        os._exit(1 if trials.failed or code != pytest.ExitCode.OK else 0)
    os.close(writer)
    number = 0
    with os.fdopen(reader) as lines:
        for line in lines:
            number += 1
            print(line, end="", flush=True)
    return None if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) else number


if __name__ == "__main__":
    sys.exit(main())
