"""The audit trail's chain: an edit, a deletion, an insertion or a swap shows."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest

from adapter.core.audit import GENESIS, AuditEntry, chain_hash

NOW = datetime(2026, 3, 2, 14, 0, tzinfo=UTC)
ENTRIES = [
    AuditEntry(action="open-account", account="a1", reason="eligible", source="RelatedPerson/1/_history/1", run=1),
    AuditEntry(action="grant", account="a1", patient="Patient/mia", reason="eligible", run=1),
    AuditEntry(action="end-grant", account="a1", patient="Patient/mia", reason="authority-none", run=2),
]


def chain(entries: list[AuditEntry], *, practice: str = "main-street", at: datetime = NOW) -> list[str]:
    """The hashes of these rows, one after the other."""
    hashes = [GENESIS]
    for number, entry in enumerate(entries, start=1):
        hashes.append(chain_hash(hashes[-1], practice=practice, seq=number, at=at, entry=entry))
    return hashes[1:]


CHAIN = chain(ENTRIES)


def test_the_same_rows_give_the_same_chain() -> None:
    assert chain(list(ENTRIES)) == CHAIN
    assert all(len(link) == 64 and int(link, 16) for link in CHAIN)


@pytest.mark.parametrize(
    "edit",
    [
        {"action": "hold-grant"},
        {"account": "a2"},
        {"account": None},
        {"patient": "Patient/leo"},
        {"reason": "contact-gone"},
        {"source": "RelatedPerson/1/_history/2"},
        {"detail": '{"before":null}'},
        {"actor": "somebody"},
        {"run": 9},
    ],
)
def test_an_edit_of_any_column_breaks_the_chain_from_there_on(edit: dict[str, Any]) -> None:
    edited = chain([ENTRIES[0], msgspec.structs.replace(ENTRIES[1], **edit), ENTRIES[2]])
    assert edited[0] == CHAIN[0]
    assert edited[1] != CHAIN[1]
    assert edited[2] != CHAIN[2]


@pytest.mark.parametrize("gap", [0, 1])
def test_a_deleted_row_breaks_the_chain(gap: int) -> None:
    left = ENTRIES[:gap] + ENTRIES[gap + 1 :]
    assert chain(left)[-1] != CHAIN[-1]
    numbered = chain_hash(
        CHAIN[gap - 1] if gap else GENESIS, practice="main-street", seq=gap + 2, at=NOW, entry=ENTRIES[gap + 1]
    )
    assert numbered != CHAIN[gap + 1]


def test_two_rows_that_change_places_break_the_chain() -> None:
    assert chain([ENTRIES[0], ENTRIES[2], ENTRIES[1]])[1:] != CHAIN[1:]


def test_an_inserted_row_breaks_the_chain() -> None:
    assert chain([*ENTRIES[:1], ENTRIES[0], *ENTRIES[1:]])[1:3] != CHAIN[1:]


def test_another_practice_number_or_time_is_another_link() -> None:
    assert chain(ENTRIES, practice="elm-street")[0] != CHAIN[0]
    assert chain(ENTRIES, at=NOW + timedelta(microseconds=1))[0] != CHAIN[0]
    assert chain_hash(GENESIS, practice="main-street", seq=2, at=NOW, entry=ENTRIES[0]) != CHAIN[0]


def test_the_clocks_time_zone_does_not_matter() -> None:
    assert chain(ENTRIES, at=NOW.astimezone(timezone(timedelta(hours=-5)))) == CHAIN


def test_the_hour_that_autumn_repeats_is_two_hours() -> None:
    first = datetime(2026, 11, 1, 1, 30, tzinfo=ZoneInfo("America/New_York"))
    assert chain(ENTRIES, at=first) != chain(ENTRIES, at=first.replace(fold=1))


def test_fields_cannot_run_into_one_another() -> None:
    one = AuditEntry(action="grant", account="a", patient="bc", reason="eligible")
    other = AuditEntry(action="grant", account="ab", patient="c", reason="eligible")
    assert chain([one]) != chain([other])
