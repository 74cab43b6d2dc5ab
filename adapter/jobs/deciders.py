"""Who does the deciding of a run: this process, or for many charts some beside it, so that all cores share the work."""

import os
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from itertools import cycle
from typing import Any, Protocol, Self, TypeVar
from zoneinfo import ZoneInfo

import msgspec

from adapter.errors import FatalError
from adapter.jobs.decisions import DecidedCharts, PlannedAccounts, Terms, decide_charts, plan_accounts
from adapter.jobs.process import Answers, Process, orders
from adapter.store.stored import StoredAddress, StoredChart, StoredMember

WORTHWHILE = 20_000
"""Charts. Below, everything is decided before the other process is at full speed."""
MOST = 2
"""So many processes decide faster than one can read what they need and write what they answer."""
_AHEAD = 2
"""Batches that each of them has before its first answer is taken. It can keep one answer waiting while it writes
another one and reads the next question, so two never wait for each other."""
T = TypeVar("T")


class Addresses(msgspec.Struct, tag=True, array_like=True, gc=False):
    """A batch of addresses, and the contacts on which the grants of their accounts rest."""

    addresses: Sequence[StoredAddress]
    contacts_now: Sequence[StoredMember]


class Deciders(Protocol):
    """Answers batches in order. Used as a context."""

    def charts(self, batches: Iterable[list[StoredChart]]) -> Iterator[DecidedCharts]: ...
    def accounts(self, batches: Iterable[Addresses]) -> Iterator[PlannedAccounts]: ...
    def __enter__(self) -> Self: ...
    def __exit__(self, *error: Any) -> None: ...


def deciders(terms: Terms, charts: int) -> Deciders:
    """The right ones for so many charts."""
    if charts >= WORTHWHILE and (os.cpu_count() or 1) > 1 and isinstance(terms.now.tzinfo, ZoneInfo):
        try:
            return Beside(terms)
        except OSError:  # no process can be started: then it takes longer
            pass
    return Here(terms)


class Here:
    """This process."""

    def __init__(self, terms: Terms) -> None:
        self._terms = terms

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: Any) -> None:
        """Nothing to end."""

    def charts(self, batches: Iterable[list[StoredChart]]) -> Iterator[DecidedCharts]:
        return (decide_charts(batch, self._terms) for batch in batches)

    def accounts(self, batches: Iterable[Addresses]) -> Iterator[PlannedAccounts]:
        return (plan_accounts(batch.addresses, batch.contacts_now, self._terms) for batch in batches)


class _Order(msgspec.Struct, array_like=True):
    """What the other process needs to know first; a time zone does not travel with a time."""

    terms: Terms
    zone: str


class _Charts(msgspec.Struct, tag=True, array_like=True, gc=False):
    charts: list[StoredChart]


class _Failed(msgspec.Struct, tag=True, array_like=True):
    """The class of the error: its message could quote a record."""

    error: str


class _Decided(msgspec.Struct, tag=True, array_like=True):
    answer: DecidedCharts


class _Planned(msgspec.Struct, tag=True, array_like=True):
    answer: PlannedAccounts


_to_bytes = msgspec.msgpack.Encoder().encode
_order_from = msgspec.msgpack.Decoder(_Order).decode
_asked = msgspec.msgpack.Decoder(_Charts | Addresses).decode
_answered = msgspec.msgpack.Decoder(_Decided | _Planned | _Failed).decode


class Beside:
    """Other processes, by turns. Raises FatalError when one stops early: nothing was applied yet, nothing is lost."""

    def __init__(self, terms: Terms) -> None:
        assert isinstance(terms.now.tzinfo, ZoneInfo)
        order = _to_bytes(_Order(terms, terms.now.tzinfo.key))
        self._processes: list[Process] = []
        try:
            for _ in range(min(os.cpu_count() or 1, MOST)):
                self._processes.append(Process(__name__))
                self._processes[-1].send(order)
        except OSError:
            self.__exit__(None, None, None)
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: Any) -> None:
        for process in self._processes:
            process.__exit__(None, None, None)

    def charts(self, batches: Iterable[list[StoredChart]]) -> Iterator[DecidedCharts]:
        for said in self._answers(map(_Charts, batches)):
            assert isinstance(said, _Decided)
            yield said.answer

    def accounts(self, batches: Iterable[Addresses]) -> Iterator[PlannedAccounts]:
        for said in self._answers(batches):
            assert isinstance(said, _Planned)
            yield said.answer

    def _answers(self, questions: Iterable[_Charts | Addresses]) -> Iterator[_Decided | _Planned]:
        """The answers in the order of the questions, whoever gives them."""
        waiting: deque[Process] = deque()
        for process, question in zip(cycle(self._processes), questions, strict=False):
            process.send(_to_bytes(question))
            waiting.append(process)
            if len(waiting) > _AHEAD * len(self._processes):
                yield self._answer(waiting.popleft())
        while waiting:
            yield self._answer(waiting.popleft())

    def _answer(self, process: Process) -> _Decided | _Planned:
        message = process.receive()
        if message is None:
            raise FatalError("The process that decides stopped early. Nothing was changed: sync again.")
        said: _Decided | _Planned | _Failed = _answered(message)
        if isinstance(said, _Failed):
            raise FatalError(f"Deciding stopped with {said.error}. Nothing was changed.")
        return said


def main() -> None:
    """The other process: decides batch by batch until nobody asks any more."""
    questions = orders()
    order = _order_from(next(questions))
    terms = msgspec.structs.replace(order.terms, now=order.terms.now.astimezone(ZoneInfo(order.zone)))
    answers = Answers()
    for message in questions:
        try:
            answers.put(_to_bytes(_answer_to(_asked(message), terms)))
        except Exception as error:  # only its class: the message could quote a record
            answers.put(_to_bytes(_Failed(type(error).__name__)))
    answers.close()


def _answer_to(question: _Charts | Addresses, terms: Terms) -> _Decided | _Planned:
    if isinstance(question, _Charts):
        return _Decided(decide_charts(question.charts, terms))
    return _Planned(plan_accounts(question.addresses, question.contacts_now, terms))
