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
from adapter.errors import ConfigError
from adapter.jobs.authorities import MapperBesideFile, load_authorities

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
    """Why nothing may be read in this run: its authority file cannot be used."""

    def for_a_run(self) -> "Practice":
        """The practice with its authority file as it is now. A file that cannot be used is the run's ``trouble``."""
        if self.authority_file is None:
            return self
        try:
            file = load_authorities(self.authority_file)
        except ConfigError as error:
            return replace(self, trouble=str(error.faults[0]))
        rules = hashlib.sha256(f"{self.rules_hash} {file.hash}".encode()).hexdigest()
        return replace(self, mapper=MapperBesideFile(self.mapper, file), rules_hash=rules)

    def differs_from(self, rules_hash: str | None) -> bool:
        """Whether other rules than those of this hash are in force, as far as this run can tell."""
        return not self.trouble and rules_hash != self.rules_hash
