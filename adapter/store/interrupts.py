"""Ctrl-C and transactions: an interrupt waits until a write transaction is over, or until a point that allows it.

Raised between any two byte codes, as Python does by default, a KeyboardInterrupt can fall between the statement that
takes the database's lock and the code that would give it back; everybody, ourselves included, then waits for it.
"""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class _Noted:
    """The one thing that is noted: whether somebody pressed Ctrl-C."""

    pressed = False


@contextmanager
def deferred() -> Iterator[None]:
    """Inside, Ctrl-C is noted and raised at the end or by ``allow``; pressed a second time it is raised at once.

    Does nothing outside the main thread, or where somebody else than Python itself handles the signal.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield  # another block, around this one, or a service with handlers of its own
        return
    signal.signal(signal.SIGINT, _note)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        allow()


def allow() -> None:
    """Raises KeyboardInterrupt if one was deferred: to be called between statements, where stopping does no harm."""
    if _Noted.pressed:
        _Noted.pressed = False
        raise KeyboardInterrupt


def _note(number: int, frame: FrameType | None) -> None:
    if _Noted.pressed:
        _Noted.pressed = False
        raise KeyboardInterrupt
    _Noted.pressed = True
