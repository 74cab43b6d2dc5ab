"""One practice as the jobs see it: its rules, its EHR, its way of reading records."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from adapter.core.mapping import Mapper
from adapter.core.policy import Policy
from adapter.ehr import Reader

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
