"""Intake: records become facts that are ready to be stored, a batch at a time."""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import TypeVar

import msgspec

from adapter.core.facts import Ignored, Quarantined
from adapter.core.intake import updated_at
from adapter.core.mapping import Mapper
from adapter.ehr import Broken, ReadResult, Record
from adapter.errors import SourceError
from adapter.store.incoming import Incoming

T = TypeVar("T")
BATCH = 20_000
"""Records per batch, each stored in a transaction of its own: others can write in between, and memory stays flat."""


class Batch(msgspec.Struct, gc=False, array_like=True):
    """What became of so many records: ``resources`` is the sum of the others."""

    incoming: list[Incoming]
    damaged: list[Quarantined]
    ignored: dict[str, int]
    """How many were ignored, by why."""
    resources: int


def intake(
    records: Iterable[Record | Broken], mapper: Mapper, result: ReadResult, *, size: int = BATCH
) -> Iterator[Batch]:
    """Maps records as they come; each is let go at once, so that only what is kept of it takes memory.

    A source that breaks off (SourceError) makes the read incomplete; what came is kept.
    """
    incoming: list[Incoming] = []
    damaged: list[Quarantined] = []
    ignored: Counter[str] = Counter()
    count = 0
    for record in until_failure(records, result):
        count += 1
        if isinstance(record, Broken):
            damaged.append(Quarantined(record.ref, record.ref, record.path, record.problem, record.origin))
        else:
            fact = mapper.read(record.resource, record.origin)
            if isinstance(fact, Quarantined):
                damaged.append(fact)
            elif isinstance(fact, Ignored):
                ignored[fact.why] += 1
            else:
                incoming.append(Incoming.of(fact, updated_at(record.resource), record.origin))
        if count == size:
            yield Batch(incoming, damaged, ignored, count)
            incoming, damaged, ignored, count = [], [], Counter(), 0
    if count:
        yield Batch(incoming, damaged, ignored, count)


def until_failure(things: Iterable[T], result: ReadResult) -> Iterator[T]:
    """The same things; a SourceError among them is noted in ``result`` and ends them."""
    try:
        yield from things
    except SourceError as error:
        result.fail(str(error))
