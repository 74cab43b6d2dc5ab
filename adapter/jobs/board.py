"""How far the runs of this process are, for whoever looks: the last report of each, and nothing is kept."""

from typing import NamedTuple

from adapter.ehr import Progress


class Step(NamedTuple):
    """What a run is at: ``resources 1200 of 4000``; ``total`` is None where nobody knows it."""

    what: str
    done: int
    total: int | None


class Board:
    """Written by the jobs' threads, read by the pages'."""

    def __init__(self) -> None:
        self._steps: dict[str, Step] = {}

    def of(self, practice: str) -> Progress:
        """Takes the reports of a practice's runs."""

        def report(what: str, done: int, total: int | None) -> None:
            self._steps[practice] = Step(what, done, total)

        return report

    def now(self, practice: str) -> Step | None:
        """The last report; None where no run of this process has made any."""
        return self._steps.get(practice)
