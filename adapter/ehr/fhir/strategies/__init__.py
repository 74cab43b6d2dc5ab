"""The ways an EHR can be read, tried best first: each says whether it can, is proven by a small probe, then reads.

To add one, copy the file that is most like it; ``choosing`` tries them in the order of ``core.search.STRATEGIES``.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from adapter.core.search import SearchRules, StrategyName
from adapter.ehr import Broken, Progress, ReadResult, Record
from adapter.ehr.fhir.capability import Capability
from adapter.ehr.fhir.strategies.source import Source

Records = Iterator[Record | Broken]
Read = Callable[[ReadResult, Progress], Records]


class Unproven(Exception):
    """The probe showed that the EHR does not do this; the message finishes the sentence "not by … , because"."""


@dataclass(frozen=True, slots=True)
class Way:
    """A strategy whose probe went well. ``how`` says per type how it reads and what was proven, for the admin.

    ``read`` yields every record, notes what goes wrong in the result, and sets the marks of what it read to the end.
    Raises SourceError when it has to break off; Unproven when it shows on the way that the EHR does not do it: then
    everything is read another way.
    """

    how: str
    read: Read
    full: bool = True
    """False when it reads only what changed since the marks it was given."""


class Strategy(Protocol):
    """One way to read an EHR."""

    @property
    def name(self) -> StrategyName:
        """The word for it in ``[practice.ehr] strategy``."""
        ...

    def able(self, capability: Capability, rules: SearchRules) -> str:
        """Why it cannot be tried, going by what the EHR declares and the profile knows; empty when it can."""
        ...

    def prove(self, source: Source, marks: dict[str, datetime]) -> Way:
        """Asks a little, to see whether the EHR really does it. ``marks`` are empty when everything is wanted.

        Raises Unproven when it does not, or cannot tell what changed since the marks; SourceError when the EHR does
        not answer.
        """
        ...
