"""The audit trail's proof: checking every entry of every practice, and the heads that prove its end."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import sqlalchemy as sa

from adapter.core.audit_check import Break, Checker, Head
from adapter.ehr import Progress
from adapter.errors import ConfigError, Fault
from adapter.store import audit_trail
from adapter.store.engine import read

_TOLD_EVERY = 5_000
_HASH = re.compile(r"[0-9a-f]{64}")


class Heads(msgspec.Struct, frozen=True):
    """What ``adapter audit head`` exports: the end of each practice's trail at one moment."""

    at: str
    heads: list[Head]


@dataclass(slots=True)
class Verdict:
    """What a check of the trails found."""

    entries: dict[str, int] = field(default_factory=dict)
    """By practice."""
    heads: list[Head] = field(default_factory=list)
    breaks: list[Break] = field(default_factory=list)
    more: int = 0
    """Further entries that do not fit and are not in ``breaks``."""
    lost_hash: bool = False
    """No entry has the hash that was given."""

    @property
    def whole(self) -> bool:
        return not (self.breaks or self.more or self.lost_hash)

    def to_json(self) -> dict[str, Any]:
        """``{"whole","practices":[{"practice","entries","hash","breaks":[{"seq","last","what"}]}],"more","lost_hash"}``"""
        return {
            "whole": self.whole,
            "practices": [
                {
                    "practice": head.practice,
                    "entries": self.entries[head.practice],
                    "hash": head.hash,
                    "breaks": [
                        {"seq": one.seq, "last": one.last, "what": str(one.what)}
                        for one in self.breaks
                        if one.practice == head.practice
                    ],
                }
                for head in self.heads
            ],
            "more": self.more,
            "lost_hash": self.lost_hash,
        }


def read_head(given: str) -> Heads | str:
    """What ``--head`` names: an exported file, or one hash as it is. Raises ConfigError when it is neither."""
    if _HASH.fullmatch(given.lower()):
        return given.lower()
    path = Path(given)
    try:
        return msgspec.json.decode(path.read_bytes(), type=Heads)
    except OSError as error:
        problem = f"cannot be read ({error.strerror}) and is no hash of 64 hex digits."
    except (msgspec.ValidationError, msgspec.DecodeError, UnicodeError):
        problem = "is not a file that `adapter audit head --out` wrote."
    remedy = "Name the exported file, or give the hash it has for the practice."
    raise ConfigError([Fault(file=given, key="--head", problem=problem, remedy=remedy)])


def heads(engine: sa.Engine, practices: Sequence[str]) -> list[Head]:
    """The end of each practice's trail, all of one moment."""
    with read(engine) as connection:
        return [audit_trail.head(connection, practice) for practice in practices]


def verify(
    engine: sa.Engine, practices: Sequence[str] | None, *, against: Heads | str | None, progress: Progress
) -> Verdict:
    """Checks every entry of these practices, in one snapshot and a page at a time.

    None: every practice that has a trail or an exported head, whether the configuration still names it or not.
    ``against`` is what was exported earlier: only with it does an end that was cut off show.
    """
    verdict = Verdict()
    with read(engine) as connection:
        written = {one.practice: one for one in against.heads} if isinstance(against, Heads) else {}
        names = sorted(practices or {*audit_trail.practices(connection), *written})
        if isinstance(against, str):
            found = audit_trail.find_hash(connection, against, names)
            verdict.lost_hash = found is None
            written = {found.practice: found} if found else {}
        total = audit_trail.count(connection, names)
        for name in names:
            _verify_one(connection, Checker(name, written.get(name)), verdict, total, progress)
    return verdict


def _verify_one(connection: sa.Connection, checker: Checker, verdict: Verdict, total: int, progress: Progress) -> None:
    before, count = sum(verdict.entries.values()), 0
    for count, row in enumerate(audit_trail.rows(connection, checker.practice), start=1):
        checker.take(row)
        if count % _TOLD_EVERY == 0:
            progress("audit entries", before + count, total)
    progress("audit entries", before + count, total)
    verdict.breaks += checker.end()
    verdict.more += checker.more
    verdict.entries[checker.practice] = count
    verdict.heads.append(Head(checker.practice, checker.seq, checker.hash))


def describe(verdict: Verdict) -> Iterator[str]:
    """What was found, a line each, for people."""
    for head in verdict.heads:
        mine = [one for one in verdict.breaks if one.practice == head.practice]
        entries = f"{head.practice}: {verdict.entries[head.practice]:,} entries"
        yield f"{entries}, unbroken; the last one's hash is {head.hash}." if not mine else f"{entries}, broken:"
        for one in mine:
            yield f"  {one}"
    if verdict.more:
        yield f"{verdict.more:,} further entries do not fit."
    if verdict.lost_hash:
        yield "No entry has the hash that was given: the end was cut off, or the trail was written anew."
