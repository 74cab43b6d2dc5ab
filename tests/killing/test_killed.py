"""kill -9 at random moments of a sync and of an apply: another one completes it, row for row."""

from pathlib import Path
from random import Random

from tests.killing.trials import postgres_copies, run_trials, sqlite_copies

TIMES = 6


def test_on_sqlite(tmp_path: Path) -> None:
    with sqlite_copies(tmp_path) as (practice, copy):
        tally = run_trials(practice, copy, Random(7), TIMES)
    assert tally.trials == 2 * TIMES and tally.killed


def test_on_postgresql(tmp_path: Path, _postgres_folder: Path) -> None:
    with postgres_copies(tmp_path, _postgres_folder) as (practice, copy):
        tally = run_trials(practice, copy, Random(7), TIMES)
    assert tally.trials == 2 * TIMES and tally.killed
