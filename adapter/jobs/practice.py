"""One practice as the jobs see it: its rules, its EHR, its way of reading records."""

import hashlib
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from adapter.core.mapping import Mapper
from adapter.core.policy import Policy
from adapter.ehr import Reader
from adapter.errors import ConfigError, SourceError
from adapter.jobs.authorities import MapperBesideFile, load_authorities
from adapter.jobs.consents import MapperBesideConsents, read_consents

Clock = Callable[[], datetime]
"""Gives the time now, aware."""
Transaction = Callable[[], AbstractContextManager[sa.Connection]]
"""Opens a write transaction; for a plan that changes nothing, the one that will be rolled back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Practice:
    """What a sync needs to know of one practice."""

    id: str
    name: str
    policy: Policy
    zone: ZoneInfo
    reader: Reader
    mapper: Mapper
    rules_hash: str
    """Changes when the mapping or the policy does: everything is then read and decided again."""
    authority_file: Path | None = None
    trouble: str = ""
    """Why nothing may be read in this run: what says who may decide could not be read itself."""
    unsettled: bool = False
    """Whether this run did not look at what stands beside the records, and so cannot tell whether the rules changed."""

    def for_a_run(self, now: datetime, *, reading: bool = True) -> "Practice":
        """The practice with its authority file and its EHR's Consents as they are now.

        What cannot be read of them is the run's ``trouble``. A run that reads nothing does not look at them.
        """
        rules = self.mapper.profile.consents
        if self.authority_file is None and rules is None:
            return self
        if not reading:
            return replace(self, unsettled=True)
        mapper, hashes = self.mapper, [self.rules_hash]
        try:
            if rules is not None:
                consents = read_consents(self.reader, rules, mapper.references, now)
                mapper = MapperBesideConsents(mapper, consents)
                hashes.append(consents.hash)
            if self.authority_file is not None:
                file = load_authorities(self.authority_file)
                mapper = MapperBesideFile(mapper, file)
                hashes.append(file.hash)
        except ConfigError as error:
            return replace(self, unsettled=True, trouble=str(error.faults[0]))
        except SourceError as error:
            return replace(self, unsettled=True, trouble=str(error))
        return replace(self, mapper=mapper, rules_hash=hashlib.sha256(" ".join(hashes).encode()).hexdigest())

    def differs_from(self, rules_hash: str | None) -> bool:
        """Whether other rules than those of this hash are in force, as far as this run can tell."""
        return not self.unsettled and rules_hash != self.rules_hash

    def plainly_differs_from(self, rules_hash: str | None) -> bool:
        """The same without looking: False where what stands beside the records would have to be read to tell."""
        beside = self.authority_file is not None or self.mapper.profile.consents is not None
        return not beside and self.differs_from(rules_hash)
