"""What the audit trail keeps of every change, and the hash that chains each row to the one before it."""

import hashlib
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from functools import lru_cache

import msgspec

GENESIS = "0" * 64


class AuditEntry(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One change: who did what to which account and chart, why, and on which version of which record."""

    action: str
    account: str | None = None
    patient: str | None = None
    reason: str
    source: str = ""
    detail: str = "{}"
    """JSON: what it was before and after."""
    actor: str = "schedule"
    run: int | None = None


_encode = msgspec.json.Encoder().encode


def chain_hash(previous: str, *, practice: str, seq: int, at: datetime, entry: AuditEntry) -> str:
    """SHA-256 (hex) over the previous row's hash and this row, so that an edit, a gap or a swap shows."""
    return next(chain(previous, practice=practice, seq=seq, at=at, entries=(entry,)))[1]


def chain(
    previous: str, *, practice: str, seq: int, at: datetime, entries: Iterable[AuditEntry]
) -> Iterator[tuple[AuditEntry, str]]:
    """Each entry of one moment with its ``chain_hash``; the first one has the number ``seq``."""
    stamp = _stamp(at.astimezone(UTC))
    for number, entry in enumerate(entries, seq):
        previous = hashlib.sha256(_encode((previous, practice, number, stamp, entry))).hexdigest()
        yield entry, previous


@lru_cache(maxsize=64)
def _stamp(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
