"""The limiter: more questions at once while answers stay quick, half as many when the EHR complains."""

import threading
import time
from collections.abc import Iterator
from itertools import count

import pytest

from adapter.ehr.fhir.pace import Pace


class Clock:
    """Seconds that pass only when told to, or when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 100.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def busy_round(pace: Pace, clock: Clock, seconds: float, kind: str = "Patient") -> None:
    """As many turns at once as are allowed, each taking so long."""
    turns = [pace.turn(kind) for _ in range(pace.width)]
    for turn in turns:
        turn.__enter__()
    clock.now += seconds
    for turn in turns:
        turn.__exit__(None, None, None)


def test_it_grows_to_the_ceiling_while_answers_stay_quick_and_no_further() -> None:
    clock = Clock()
    pace = Pace(8, sleep=clock.sleep, clock=clock)
    assert pace.width == 2
    widths = []
    for _ in range(60):
        busy_round(pace, clock, 0.1)
        widths.append(pace.width)
    assert widths == sorted(widths)
    assert widths[-1] == 8


def test_it_stops_growing_when_answers_get_slower() -> None:
    clock = Clock()
    pace = Pace(32, sleep=clock.sleep, clock=clock)
    for _ in range(60):
        busy_round(pace, clock, 0.1 * max(1, pace.width / 6))  # this EHR works on six at a time
    assert 6 <= pace.width <= 12


def test_slow_answers_to_one_kind_of_question_say_nothing_about_another() -> None:
    clock = Clock()
    pace = Pace(8, sleep=clock.sleep, clock=clock)
    busy_round(pace, clock, 0.01, kind="RelatedPerson")
    for _ in range(60):
        busy_round(pace, clock, 2.0)
    assert pace.width == 8


def test_it_halves_on_a_complaint_once_for_all_who_hear_it_together() -> None:
    clock = Clock()
    pace = Pace(16, sleep=lambda seconds: None, clock=clock)
    for _ in range(200):
        busy_round(pace, clock, 0.1)
    assert pace.width == 16
    for _ in range(5):
        pace.rest(3)
    assert pace.width == 8
    clock.now += 4
    pace.rest(3)
    assert pace.width == 4
    for _ in range(20):
        clock.now += 4
        pace.rest(3)
    assert pace.width == 1


def test_an_unused_limit_does_not_grow() -> None:
    clock = Clock()
    pace = Pace(8, sleep=clock.sleep, clock=clock)
    for _ in range(60):
        with pace.turn("Patient"):
            clock.now += 0.1
    assert pace.width == 2


def test_nobody_asks_before_the_time_the_ehr_named() -> None:
    pace = Pace(4)
    started = time.monotonic()
    begun: list[float] = []

    def ask() -> None:
        with pace.turn("Patient"):
            begun.append(time.monotonic() - started)

    complaint = threading.Thread(target=pace.rest, args=[0.3])
    complaint.start()
    time.sleep(0.05)
    others = [threading.Thread(target=ask) for _ in range(3)]
    for thread in others:
        thread.start()
    for thread in [complaint, *others]:
        thread.join()
    assert min(begun) >= 0.3


@pytest.mark.parametrize("ceiling", [1, 3])
def test_answers_come_in_order_and_never_more_are_under_way_than_allowed(ceiling: int) -> None:
    pace = Pace(ceiling)
    lock, under_way, most = threading.Lock(), 0, 0

    def ask(number: int) -> int:
        nonlocal under_way, most
        with pace.turn("Patient"):
            with lock:
                under_way += 1
                most = max(most, under_way)
            time.sleep(0.005)
            with lock:
                under_way -= 1
        return number

    assert list(pace.each(ask, range(40))) == list(range(40))
    assert most <= ceiling


def test_an_endless_list_of_questions_is_drawn_only_as_far_as_needed() -> None:
    drawn: list[int] = []

    def questions() -> Iterator[int]:
        for number in count():
            drawn.append(number)
            yield number

    answers = Pace(2).each(lambda number: number, questions())
    assert [next(answers) for _ in range(10)] == list(range(10))
    assert len(drawn) <= 15


def test_a_failed_question_ends_the_asking_and_gives_its_place_back() -> None:
    pace = Pace(1)

    def ask(number: int) -> int:
        with pace.turn("Patient"):
            if number == 2:
                raise ValueError(number)
            return number

    with pytest.raises(ValueError, match="2"):
        list(pace.each(ask, count()))
    with pace.turn("Patient"):
        assert pace.width == 1
