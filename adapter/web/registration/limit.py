"""How often one client may ask: a bucket that refills, kept in memory, for clients that were here lately."""

from collections import OrderedDict
from collections.abc import Callable
from threading import Lock

MOST_CLIENTS = 10_000


class Limit:
    """``burst`` at once, then one more each ``seconds / burst``; of too many clients the oldest is forgotten."""

    def __init__(self, burst: int, seconds: float, clock: Callable[[], float]) -> None:
        self._burst, self._rate, self._clock = float(burst), burst / seconds, clock
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._lock = Lock()

    def allows(self, client: str) -> bool:
        """Whether the client may ask now; asking counts."""
        now = self._clock()
        with self._lock:
            left, since = self._left.pop(client, (self._burst, now))
            left = min(self._burst, left + (now - since) * self._rate)
            allowed = left >= 1
            self._left[client] = (left - allowed, now)
            if len(self._left) > MOST_CLIENTS:
                self._left.popitem(last=False)
        return allowed
