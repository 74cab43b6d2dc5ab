"""Logs refusals, one a minute for each kind at most: whoever knocks must not fill the log."""

import time

from adapter.logs import Event, get_logger

_TELL_SECONDS = 60.0


class Knocks:
    """``event`` is logged with the practice, where it is one of ours, and the status of the answer."""

    def __init__(self, event: Event) -> None:
        self._event = event
        self._told: dict[tuple[str | None, int], float] = {}

    def note(self, practice: str | None, status: int) -> None:
        now = time.monotonic()
        if now - self._told.get((practice, status), -_TELL_SECONDS) >= _TELL_SECONDS:
            self._told[practice, status] = now
            known = {"practice": practice} if practice else {}
            get_logger().warning(self._event, http_status=status, **known)
