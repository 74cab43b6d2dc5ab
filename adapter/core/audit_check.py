"""Checking the audit trail's chain row by row: what was edited, deleted, inserted, moved or cut off, and where."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum

import msgspec

from adapter.core.audit import GENESIS, AuditEntry, chain_hash

SUSPECTS = 64
"""So many rows that do not fit are looked at closely; further ones are counted."""


class Tampering(StrEnum):
    """What a break in the chain looks like."""

    EDITED = "edited"
    DELETED = "deleted"
    INSERTED = "inserted"
    MOVED = "moved"
    TRUNCATED = "truncated"
    REWRITTEN = "rewritten"


class Break(msgspec.Struct, frozen=True):
    """One place where a practice's trail is not what was written; ``seq`` to ``last`` are the entries concerned."""

    practice: str
    seq: int
    last: int
    what: Tampering

    def __str__(self) -> str:
        several = self.last > self.seq
        entries = f"entries {self.seq:,} to {self.last:,}" if several else f"entry {self.seq:,}"
        verb = "are" if several else "is"
        return {
            Tampering.EDITED: f"{entries} {verb} not what was written, or the one before is not",
            Tampering.DELETED: f"{entries} {verb} missing",
            Tampering.INSERTED: f"{entries} was put in later, and those behind it were renumbered",
            Tampering.MOVED: f"{entries} {verb} not where it was written",
            Tampering.TRUNCATED: f"{entries} {verb} missing at the end",
            Tampering.REWRITTEN: f"{entries} {verb} not the one whose hash was exported",
        }[self.what]


class Row(msgspec.Struct, frozen=True, gc=False):
    """One row as it is stored. ``at`` is None when what is stored is no time."""

    practice: str
    seq: int
    at: datetime | None
    entry: AuditEntry
    hash: str

    def fits(self, previous: str, seq: int) -> bool:
        """Whether this row's hash is the one that the adapter writes for it as number ``seq`` behind ``previous``."""
        if self.at is None:
            return False
        try:
            at = self.at.astimezone(UTC)
            return chain_hash(previous, practice=self.practice, seq=seq, at=at, entry=self.entry) == self.hash
        except (TypeError, ValueError, OverflowError):
            return False  # a value that the adapter could not have written


class Head(msgspec.Struct, frozen=True):
    """The end of one practice's trail, to be kept where whoever could change the database cannot write."""

    practice: str
    seq: int
    hash: str


@dataclass(slots=True)
class Checker:
    """Takes one practice's rows in the order of their numbers; ``end`` gives what is wrong with them.

    Each row is checked against the hash *stored* with the one before it, so that an edit shows in one place and not in
    everything behind it. ``head`` is one that was exported earlier: without it, a trail that was cut off at its end, or
    computed anew from some entry on, cannot be told from a whole one.
    """

    practice: str
    head: Head | None = None
    seq: int = 0
    """The last row's number."""
    hash: str = GENESIS
    """The last row's hash."""
    more: int = 0
    """Rows that do not fit, beyond those that were looked at closely."""
    _breaks: list[Break] = field(default_factory=list)
    _suspects: dict[int, Row] = field(default_factory=dict)
    _around: dict[str, int] = field(default_factory=dict)
    """The hashes at and before each suspect, and where they stand: a row that was moved followed one of them."""
    _shift: int = 0
    """Entries put in, less entries taken out, where those behind them were renumbered."""

    def take(self, row: Row) -> None:
        """The next row; its number is higher than the last one's."""
        number = row.seq - self._shift
        if row.seq > self.seq + 1:
            # What stood before this row is lost, and with it what this row could be checked against.
            self._add(self.seq + 1, row.seq - 1, Tampering.DELETED)
        elif row.fits(self.hash, number):
            pass
        elif row.fits(self.hash, number + 1):
            # This row and the one before it have each lost one number: an entry before the two was taken out.
            self._shift -= 1
            self._suspects.pop(row.seq - 1, None)
            self._add(row.seq - 1, row.seq - 1, Tampering.DELETED)
        elif row.fits(self.hash, number - 1):
            self._shift += 1
            for seq in (row.seq - 2, row.seq - 1):
                self._suspects.pop(seq, None)
            self._add(row.seq - 2, row.seq - 2, Tampering.INSERTED)
        else:
            self._suspect(row)
        self.seq, self.hash = row.seq, row.hash
        if self.head is not None and row.seq == self.head.seq and row.hash != self.head.hash:
            self._add(row.seq, row.seq, Tampering.REWRITTEN)

    def end(self) -> list[Break]:
        """Everything that is wrong, by number."""
        if self.head is not None and self.head.seq > self.seq:
            self._add(self.seq + 1, self.head.seq, Tampering.TRUNCATED)
        found = {row.seq: self._explain(row) for row in self._suspects.values()}
        moved = Tampering.MOVED in found.values()
        for seq, what in found.items():
            if what is not None or not moved:
                self._add(seq, seq, what or Tampering.EDITED)
        self._suspects.clear()
        return sorted(self._breaks, key=lambda one: (one.seq, one.what))

    def _add(self, seq: int, last: int, what: Tampering) -> None:
        self._breaks.append(Break(self.practice, seq, last, what))

    def _suspect(self, row: Row) -> None:
        if len(self._suspects) >= SUSPECTS:
            self.more += 1
            return
        self._suspects[row.seq] = row
        self._around[self.hash] = row.seq - 1
        self._around[row.hash] = row.seq

    def _explain(self, row: Row) -> Tampering | None:
        """MOVED when the row, whole as it is, was written in another place; None when its predecessor was."""
        if any(row.fits(previous, row.seq) for previous in self._around):
            return None
        for previous, place in self._around.items():
            if any(row.fits(previous, seq) for seq in (place + 1, row.seq + 1, row.seq - 1)):
                return Tampering.MOVED
        return Tampering.EDITED
