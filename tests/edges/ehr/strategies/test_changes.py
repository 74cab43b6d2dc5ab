"""Reading only what changed: the mark comes from the server's clock, and ``_lastUpdated`` is believed when proven."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from adapter.ehr import Broken, ReadResult, Record
from adapter.ehr.fhir import FhirReader
from tests.edges.ehr import scripted
from tests.edges.ehr.families import Json, contact, families, patient, quiet, refs, refs_of
from tests.edges.ehr.strategies.odd_ehr import OddEhr

MARK = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
MARKS = {"Patient": MARK, "RelatedPerson": MARK}
LATE = "2026-06-01T11:52:00Z"
"""Before the mark and within the overlap: such a row may have appeared after the last read."""
NOW = datetime(2026, 6, 1, 13, 0, tzinfo=UTC)


def read(ehr: OddEhr, *, full: bool = False, **more: Any) -> tuple[list[Record | Broken], ReadResult]:
    result = ReadResult(full=full)
    reader = FhirReader(ehr.base_url, page_size=5, sleep=lambda seconds: None, **more)
    return list(reader.read(result, marks=MARKS, progress=quiet)), result


def dated(reply: scripted.Reply) -> None:
    reply.headers["Date"] = "Mon, 01 Jun 2026 12:59:30 GMT"


def test_a_row_that_appeared_late_is_found_within_the_overlap() -> None:
    with OddEhr([patient("p1", LATE), contact("c2", "p2", LATE), patient("p2")]) as ehr:
        rows, result = read(ehr)
        assert refs(rows) == {"Patient/p1", "RelatedPerson/c2"} and result.complete


def test_a_row_from_the_future_does_not_move_the_mark() -> None:
    with OddEhr([patient("p1", "2099-01-01T00:00:00Z"), contact("c1", "p1", "2099-01-01T00:00:00Z")]) as ehr:
        for kind in ("Patient", "RelatedPerson"):
            ehr.fault(kind, dated)
        for full in (False, True):
            _, result = read(ehr, full=full, clock=lambda: NOW)
            at = datetime(2026, 6, 1, 12, 59, 30, tzinfo=UTC)
            assert result.marks == {"Patient": at, "RelatedPerson": at}


def test_a_server_whose_clock_is_ahead_does_not_move_the_mark_past_our_own() -> None:
    with OddEhr(families(3)) as ehr:
        for kind in ("Patient", "RelatedPerson"):
            ehr.fault(kind, dated)
        _, result = read(ehr, full=True, clock=lambda: NOW - timedelta(hours=2))
        assert set(result.marks.values()) == {NOW - timedelta(hours=2)}


def test_rows_older_than_asked_for_mean_that_the_parameter_was_ignored() -> None:
    with OddEhr(families(7), obeys=OddEhr.ALL - {"since"}, self_links=False) as ehr:
        rows, result = read(ehr)
        assert (refs(rows), result.full, result.complete) == (refs_of(families(7)), True, True)
        assert "does not obey it" in result.strategy


@pytest.mark.parametrize("blind", ["Patient", "RelatedPerson"])
def test_a_server_that_finds_nothing_by_last_updated_is_read_whole(blind: str) -> None:
    def nothing(reply: scripted.Reply) -> None:
        if "_lastUpdated" in reply.json["link"][0]["url"]:
            reply.json["entry"] = []

    with OddEhr(families(4)) as ehr:
        ehr.fault(blind, nothing)
        rows, result = read(ehr)
        assert (refs(rows), result.full, result.complete) == (refs_of(families(4)), True, True)


def test_nothing_new_is_believed_where_older_rows_can_be_found() -> None:
    with OddEhr(families(4)) as ehr:
        rows, result = read(ehr)
        assert (rows, result.full, result.complete) == ([], False, True)
        assert result.marks.keys() == {"Patient", "RelatedPerson"}


def test_an_ehr_without_contacts_is_still_asked_for_changes_only() -> None:
    with OddEhr([patient("p1")]) as ehr:
        rows, result = read(ehr)
        assert (rows, result.full, result.complete) == ([], False, True)


def test_a_changed_chart_that_came_with_its_contacts_was_read_whole() -> None:
    rows_there: list[Json] = [patient("p1", LATE), contact("c1", "p1"), patient("p2"), contact("c2", "p2", LATE)]
    with OddEhr(rows_there) as ehr:
        rows, result = read(ehr)
        assert refs(rows) == {"Patient/p1", "RelatedPerson/c1", "RelatedPerson/c2"}
        assert result.whole_charts == {"Patient/p1"}
    with OddEhr(rows_there, declares=OddEhr.ALL - {"revinclude"}) as ehr:
        _, result = read(ehr)
        assert result.whole_charts == set()


@pytest.mark.parametrize("kind", ["Patient", "RelatedPerson"])
def test_a_change_search_that_breaks_off_moves_no_mark_of_its_type(kind: str) -> None:
    many = [patient(f"p{n}", LATE) for n in range(9)] + [contact(f"c{n}", f"p{n}", LATE) for n in range(9)]
    with OddEhr(many) as ehr:
        ehr.fault(kind, scripted.half_json, page=2)
        _, result = read(ehr)
        assert not result.complete and kind not in result.marks
