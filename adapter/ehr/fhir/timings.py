"""How long an EHR took to answer, since this process began: counted, not kept."""

import threading
from typing import NamedTuple

BOUNDS = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Seconds; the upper bounds of a histogram."""


class Timed(NamedTuple):
    """Answers so far: how many took at most so long (bound by bound, cumulative), how many in all, seconds in all."""

    within: tuple[int, ...]
    number: int
    seconds: float


class Timings:
    """Counts answers, by how each ended: ``answered``, or ``failed`` where there was none. Used by several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._within: dict[str, list[int]] = {}
        self._seconds: dict[str, float] = {}

    def note(self, ended: str, seconds: float) -> None:
        """One question took so long."""
        with self._lock:
            within = self._within.setdefault(ended, [0] * (len(BOUNDS) + 1))
            within[next((place for place, bound in enumerate(BOUNDS) if seconds <= bound), len(BOUNDS))] += 1
            self._seconds[ended] = self._seconds.get(ended, 0.0) + seconds

    def told(self) -> dict[str, Timed]:
        """What was counted so far."""
        with self._lock:
            return {
                ended: Timed(
                    tuple(sum(within[: place + 1]) for place in range(len(BOUNDS))), sum(within), self._seconds[ended]
                )
                for ended, within in self._within.items()
            }
