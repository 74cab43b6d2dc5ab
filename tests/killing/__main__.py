"""Many kills: ``python -m tests.killing --times 500``, or at every system call that writes: ``--syscalls``."""

import argparse
import os
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from random import Random

from adapter.store.engine import make_engine
from tests import postgres
from tests.edges.small_practice import SmallPractice
from tests.killing.site import do, rows
from tests.killing.trials import JOBS, Copy, compare, postgres_copies, run_trials, sqlite_copies

WRITES = {"sqlite": "pwrite64,fdatasync,fsync,ftruncate,unlink", "postgresql": "sendto,write"}
"""What changes something outside the process: SQLite's file, PostgreSQL's connection."""


def main() -> None:
    options = _options()
    with ExitStack() as open_things:
        folder = Path(open_things.enter_context(tempfile.TemporaryDirectory()))
        if options.database == "sqlite":
            practice, copy = open_things.enter_context(sqlite_copies(folder))
        else:
            programs = postgres.find_programs()
            if programs is None:
                sys.exit("PostgreSQL is not installed.")
            sockets = open_things.enter_context(postgres.server(programs, durable=True))
            practice, copy = open_things.enter_context(postgres_copies(folder, sockets))
        if options.syscalls:
            for job in JOBS:
                print(f"{job}: killed at each of {_sweep(practice, copy, job, options)} calls; every row is right")
            return
        tally = run_trials(practice, copy, Random(options.seed), options.times)
        print(
            f"{tally.trials:,} runs on {options.database}, {tally.killed:,} of them killed before they ended, "
            f"{tally.complete:,} plans applied before the kill; every row is right"
        )


def _sweep(practice: SmallPractice, copy: Copy, job: str, options: argparse.Namespace) -> int:
    """Kills at the first, then at the second such call, and so on, until a run survives; how many kills that were."""
    engine = make_engine(url := copy())
    do(practice, engine, job)
    engine.dispose()
    expected = rows(url)
    for number in count(1, options.every):
        url = copy()
        inject = f"inject={WRITES[options.database]}:signal=KILL:when={number}"
        victim = [sys.executable, "-m", "tests.killing.victim", practice.folder, url, job, practice.now.isoformat()]
        traced = ["strace", "-f", "-qq", "-o", os.devnull, "-e", f"trace={WRITES[options.database]}", "-e", inject]
        ended = subprocess.run(
            [*traced, *map(str, victim)], env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1"}, check=False
        )
        engine = make_engine(url)
        do(practice, engine, job)
        engine.dispose()
        compare(rows(url), expected, f"{job}, call {number}")
        if ended.returncode == 0:
            return len(range(1, number, options.every))
    raise AssertionError("unreachable")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database", choices=sorted(WRITES), default="sqlite")
    parser.add_argument("--times", type=int, default=500, help="kills at random moments, of each job")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--syscalls", action="store_true", help="kill at every system call that writes (needs strace)")
    parser.add_argument("--every", type=int, default=1, help="with --syscalls: only at each so-manieth call")
    return parser.parse_args()


if __name__ == "__main__":
    main()
