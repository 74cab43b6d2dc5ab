"""The jobs of a practice as its schedule names them. Light to import: ``schedule`` runs them by the clock."""

from dataclasses import dataclass
from zoneinfo import ZoneInfo

from adapter.schedule_files import Entry, Schedule


@dataclass(frozen=True, kw_only=True)
class ScheduledJob:
    """One job of one practice; ``zone`` is the time zone its times of day are in."""

    practice: str
    entry: Entry
    zone: ZoneInfo


def jobs_of(practice: str, schedule: Schedule, *, time_zone: str) -> list[ScheduledJob]:
    """The jobs of one practice; ``time_zone`` is the practice's own, for a schedule that names none."""
    zone = ZoneInfo(schedule.time_zone or time_zone)
    return [ScheduledJob(practice=practice, entry=entry, zone=zone) for entry in schedule.entries]
