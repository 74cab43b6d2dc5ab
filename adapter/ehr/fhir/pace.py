"""How hard one EHR may be asked: as many questions at once as it answers without getting slower, and never more.

The same idea as TCP's congestion control (AIMD, RFC 5681 §3.1): one more question at a time while the answers stay as
quick as they were, half as many as soon as the EHR says 429 or 503.
"""

import random
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import islice
from typing import TypeVar

SLOWER = 1.5
"""An answer that takes this many times as long as the usual quick one means: no more at once."""

_FIRST = 2.0
_FORGET = 0.002
"""How fast the quickest answer is forgotten: an EHR that is slower by day is not measured by its nights."""
_STAGGER = 0.1
"""Those who waited together start again spread over this share of the wait."""

Q = TypeVar("Q")
A = TypeVar("A")


class Pace:
    """The limiter of one EHR, shared by every thread that asks it. ``ceiling`` is the practice's ``concurrency``.

    ``Client`` takes a turn for each request and reports each 429 and 503, so whoever asks through a ``Client`` need not
    do either; to ask several questions side by side, use ``each``. ``sleep`` and ``clock`` (seconds, monotonic) are
    there to be replaced.
    """

    def __init__(
        self,
        ceiling: int,
        *,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.ceiling = ceiling
        self._sleep = sleep
        self._clock = clock
        self._changed = threading.Condition()
        self._limit = min(_FIRST, float(ceiling))
        self._under_way = 0
        self._quick: dict[str, float] = {}
        self._closed_until = float("-inf")
        self._halved_at = float("-inf")

    @property
    def width(self) -> int:
        """How many questions may be under way at this moment, from 1 to ``ceiling``."""
        return int(self._limit)

    def each(self, ask: Callable[[Q], A], questions: Iterable[Q]) -> Iterator[A]:
        """The answers in the order of the questions, several asked side by side.

        ``ask`` runs in threads. Questions are drawn as answers are taken, at most two times ``ceiling`` ahead, so an
        endless iterable costs no memory. What ``ask`` raises is raised here, and nothing further is asked.
        """
        pool = ThreadPoolExecutor(self.ceiling, thread_name_prefix="ehr")
        try:
            waiting = iter(questions)
            asked = deque(pool.submit(ask, question) for question in islice(waiting, 2 * self.ceiling))
            while asked:
                answer = asked.popleft().result()
                asked.extend(pool.submit(ask, question) for question in islice(waiting, 1))
                yield answer
        finally:
            pool.shutdown(cancel_futures=True)

    @contextmanager
    def turn(self, kind: str) -> Iterator[None]:
        """Holds one place while a request is under way, and learns from how long it took.

        ``kind`` names requests that take about equally long, such as ``Patient``; there must be few.
        """
        self._enter()
        started = self._clock()
        try:
            yield
        except BaseException:
            self._leave()
            raise
        self._leave(kind, self._clock() - started)

    def rest(self, seconds: float) -> None:
        """The EHR said 429 or 503: half as many from now on, and nobody asks before ``seconds`` have passed."""
        with self._changed:
            now = self._clock()
            if now > self._halved_at:  # those who were under way together hear it together: that is one complaint
                self._limit = max(1.0, self._limit / 2)
                self._halved_at = now + max(seconds, 0.05)
            until = self._closed_until = max(self._closed_until, now + seconds)
        self._sleep(seconds)
        with self._changed:
            if self._closed_until == until:
                self._closed_until = float("-inf")

    def _enter(self) -> None:
        while True:
            with self._changed:
                wait = self._closed_until - self._clock()
                if wait <= 0:
                    self._changed.wait_for(lambda: self._under_way < self.width)
                    if self._closed_until <= self._clock():
                        self._under_way += 1
                        return
                    continue
            self._sleep(wait + random.uniform(0, wait * _STAGGER))

    def _leave(self, kind: str = "", seconds: float | None = None) -> None:
        with self._changed:
            busy = self._under_way >= self.width
            self._under_way -= 1
            if seconds is not None and self._is_quick(kind, seconds) and busy:
                self._limit = min(self._limit + 1 / self._limit, float(self.ceiling))
            self._changed.notify_all()

    def _is_quick(self, kind: str, seconds: float) -> bool:
        quickest = self._quick.get(kind, seconds)
        self._quick[kind] = min(seconds, quickest + (seconds - quickest) * _FORGET)
        return seconds <= max(quickest, 0.001) * SLOWER
