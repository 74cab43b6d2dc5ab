"""Ctrl-C waits for the end of a write transaction, or for a point that allows it, and never keeps a lock."""

import os
import signal
import threading

import pytest
import sqlalchemy as sa

from adapter.store import tables as t
from adapter.store.engine import begin, read
from adapter.store.interrupts import allow, deferred


def press() -> None:
    """Ctrl-C."""
    os.kill(os.getpid(), signal.SIGINT)


def add(connection: sa.Connection, name: str) -> None:
    connection.execute(sa.insert(t.practice).values(id=name))


def practices(engine: sa.Engine) -> list[str]:
    with read(engine) as connection:
        return list(connection.scalars(sa.select(t.practice.c.id).order_by(t.practice.c.id)))


def test_an_interrupt_is_raised_after_the_transaction_it_met(engine: sa.Engine) -> None:
    with pytest.raises(KeyboardInterrupt), begin(engine) as connection:
        press()
        add(connection, "kept")
    assert practices(engine) == ["kept"]


def test_an_interrupt_that_is_allowed_rolls_back_and_gives_the_lock_back(engine: sa.Engine) -> None:
    with pytest.raises(KeyboardInterrupt), begin(engine) as connection:
        add(connection, "lost")
        press()
        allow()
    with begin(engine) as connection:
        add(connection, "next")
    assert practices(engine) == ["next"]


def test_pressed_twice_it_is_raised_at_once(engine: sa.Engine) -> None:
    with pytest.raises(KeyboardInterrupt), begin(engine) as connection:
        add(connection, "lost")
        press()
        press()
        raise AssertionError("not reached")
    assert practices(engine) == []
    allow()  # nothing is left over


def test_an_error_inside_is_not_lost_behind_an_interrupt(engine: sa.Engine) -> None:
    with pytest.raises(KeyboardInterrupt) as caught, begin(engine):
        press()
        raise ValueError("the first")
    assert isinstance(caught.value.__context__, ValueError)


def test_handlers_of_a_service_are_left_alone() -> None:
    seen: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _frame: seen.append(number))
    try:
        with deferred():
            press()
    finally:
        signal.signal(signal.SIGINT, before)
    assert seen == [signal.SIGINT]


def test_threads_write_as_before(engine: sa.Engine) -> None:
    def write() -> None:
        with begin(engine) as connection:
            add(connection, "thread")

    thread = threading.Thread(target=write)
    thread.start()
    thread.join()
    assert practices(engine) == ["thread"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
