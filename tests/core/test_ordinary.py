"""A full run that is far smaller or faster than usual is told; everything else is not."""

import pytest

from adapter.core.ordinary import FEWEST_RECORDS, FEWEST_RUNS, RunSize, unusual

USUAL = [RunSize(4000, 600.0)] * 5


@pytest.mark.parametrize(
    ("run", "odd"),
    [
        (RunSize(4000, 600.0), False),
        (RunSize(2000, 600.0), False),
        (RunSize(1999, 600.0), True),
        (RunSize(0, 600.0), True),
        (RunSize(9000, 6000.0), False),
        (RunSize(4000, 60.0), False),
        (RunSize(4000, 59.0), True),
    ],
)
def test_half_as_much_or_ten_times_as_fast_is_odd(run: RunSize, odd: bool) -> None:
    assert (unusual(run, USUAL) is not None) == odd


def test_the_sentence_says_what_was_and_what_is_usual() -> None:
    small, fast = unusual(RunSize(120, 600.0), USUAL), unusual(RunSize(4000, 2.0), USUAL)
    assert small == "The last full read found 120 patients and contacts; usually it is about 4,000."
    assert fast == "The last full read took 2 seconds; usually it takes about 600."


def test_nothing_is_odd_before_there_is_something_usual() -> None:
    assert unusual(RunSize(0, 0.0), USUAL[: FEWEST_RUNS - 1]) is None
    assert unusual(RunSize(0, 0.0), USUAL[:FEWEST_RUNS]) is not None


def test_a_practice_of_a_few_families_changes_without_being_odd() -> None:
    assert unusual(RunSize(1, 0.1), [RunSize(FEWEST_RECORDS - 1, 29.0)] * 7) is None


def test_one_odd_run_does_not_become_the_rule_and_a_lasting_change_does() -> None:
    half = RunSize(1000, 600.0)
    assert unusual(half, [half, *USUAL]) is not None
    assert unusual(half, [half] * 4 + USUAL[:3]) is None
