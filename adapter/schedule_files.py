"""schedules/<name>.toml as one typed value: which job, when, in which time zone. Every fault is reported at once."""

import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import time, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from adapter.errors import ConfigError, Fault

_PACKAGE = Path(__file__).parent
_EVERY = re.compile(r"(\d{1,5}) (second|minute|hour)s?")
_AT = re.compile(r"([01]\d|2[0-3]):([0-5]\d)")
_LONGEST = timedelta(hours=24)


class JobName(StrEnum):
    """What can be scheduled."""

    SYNC = "sync"
    """Read what changed in the EHR and bring the accounts up to date."""
    RECONCILE = "reconcile"
    """Read everything and compare: finds what no change notice told of, and what was removed."""
    DELIVER = "deliver"
    """Send what is due: accounts to the portal, Welcome emails, the home page."""
    WIDGETS = "widgets"
    """Look whether the published payment widget is live and unchanged."""
    REVIEW = "review"
    """Decide again whose birthday or period makes a difference today."""
    COMPARE = "compare"
    """Read back what the portal has, and compare it with what was decided."""
    PUSH = "push"
    """Read again what the EHR's notifications named; the service does it by itself as soon as something waits."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One job and its time: either ``every`` so long, or ``at`` a time of day."""

    job: JobName
    every: timedelta | None = None
    at: time | None = None


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """One schedule file. ``time_zone`` is None when the practice's own counts."""

    name: str
    entries: tuple[Entry, ...]
    time_zone: str | None = None


def schedule_folders(config_folder: Path) -> list[Path]:
    """Where schedules are looked for: beside config.toml first, then those that come with the adapter."""
    packaged = _PACKAGE / "_data" / "schedules"
    return [config_folder / "schedules", packaged if packaged.is_dir() else _PACKAGE.parent / "schedules"]


def load_schedule(name: str, folders: Iterable[Path]) -> Schedule:
    """Reads ``<name>.toml`` from the first folder that has it.

    Raises ConfigError listing every fault with its key and what was expected.
    """
    looked_in = list(folders)
    path = next((folder / f"{name}.toml" for folder in looked_in if (folder / f"{name}.toml").is_file()), None)
    if path is None:
        known = sorted({file.stem for folder in looked_in for file in folder.glob("*.toml")})
        remedy = f"Known schedules: {', '.join(known)}." if known else f"Put one into {looked_in[0]}."
        raise ConfigError([Fault(file=f"{name}.toml", key="schedule", problem="does not exist.", remedy=remedy)])
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError):
        fault = Fault(
            file=str(path), key="file", problem="cannot be read as UTF-8 text.", remedy="Check its permissions."
        )
        raise ConfigError([fault]) from None
    except tomllib.TOMLDecodeError as error:
        fault = Fault(file=str(path), key="syntax", problem=f"{error}.", remedy="Correct the TOML at that place.")
        raise ConfigError([fault]) from None
    return _Reading(str(path)).schedule(name, data)


class _Reading:
    """One pass over one file, collecting faults."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.faults: list[Fault] = []

    def schedule(self, name: str, data: dict[str, Any]) -> Schedule:
        self._unknown_keys("", data, {"time_zone", "job"})
        zone = self._zone(data.get("time_zone"))
        tables = data.get("job")
        entries: list[Entry] = []
        if isinstance(tables, list) and tables and all(isinstance(table, dict) for table in tables):
            entries = [entry for number, table in enumerate(tables) if (entry := self._entry(f"job.{number}", table))]
        else:
            self._fault("job", "is missing.", "Write one [[job]] table for each job.")
        for entry in {entry.job: entry for entry in entries if [e.job for e in entries].count(entry.job) > 1}.values():
            self._fault("job", f'lists "{entry.job}" more than once.', "Keep one [[job]] table for it.")
        if self.faults:
            raise ConfigError(self.faults)
        return Schedule(name=name, entries=tuple(entries), time_zone=zone)

    def _entry(self, key: str, table: dict[str, Any]) -> Entry | None:
        before = len(self.faults)
        self._unknown_keys(f"{key}.", table, {"name", "every", "at"})
        job = next((known for known in JobName if known == table.get("name")), None)
        if job is None:
            self._fault(f"{key}.name", "is not a known job.", f"Expected one of: {', '.join(JobName)}.")
        if ("every" in table) == ("at" in table):
            self._fault(key, 'needs either "every" or "at".', 'For example every = "10 minutes" or at = "02:30".')
        every = self._every(f"{key}.every", table["every"]) if "every" in table else None
        at = self._at(f"{key}.at", table["at"]) if "at" in table else None
        return Entry(job=job, every=every, at=at) if job and len(self.faults) == before else None

    def _every(self, key: str, value: Any) -> timedelta | None:
        found = _EVERY.fullmatch(value) if isinstance(value, str) else None
        length = timedelta(**{found[2] + "s": int(found[1])}) if found else timedelta()
        if timedelta() < length <= _LONGEST:
            return length
        self._fault(key, "is not a length of time.", 'Expected for example "10 minutes", at most 24 hours.')
        return None

    def _at(self, key: str, value: Any) -> time | None:
        found = _AT.fullmatch(value) if isinstance(value, str) else None
        if found:
            return time(int(found[1]), int(found[2]))
        self._fault(key, "is not a time of day.", 'Expected hours and minutes in quotes, for example "02:30".')
        return None

    def _zone(self, value: Any) -> str | None:
        if value is None:
            return None
        try:
            return ZoneInfo(value).key
        except (ZoneInfoNotFoundError, ValueError, OSError, TypeError, AttributeError):
            self._fault("time_zone", "is not a time zone.", 'Expected a name such as "America/New_York".')
            return None

    def _unknown_keys(self, prefix: str, table: dict[str, Any], known: set[str]) -> None:
        for key in sorted(set(table) - known):
            self._fault(f"{prefix}{key}", "is not a known key.", f"Expected one of: {', '.join(sorted(known))}.")

    def _fault(self, key: str, problem: str, remedy: str) -> None:
        self.faults.append(Fault(file=self.file, key=key, problem=problem, remedy=remedy))
