"""Periods, times and text of FHIR records: what is accepted as recorded, and what is put aside."""

from datetime import UTC, datetime
from typing import Any

import pytest

from adapter.core.intake import Damaged, clean, period_of, updated_at


@pytest.mark.parametrize(
    "period",
    [
        {"start": "2020"},
        {"start": "2020-02", "end": "2020-02-29"},
        {"start": "2020-05-05", "end": "2020-05-05"},
        {"start": "2020-05", "end": "2020"},
        {"start": "2020-05-05T10:00:00+02:00", "end": "2020-05-05T09:00:00Z"},
        {"start": "2020-05-05T23:00:00.123456789-05:00", "end": "2020-05-05"},
        {"start": "0001-01-01T00:00:00Z"},
    ],
)
def test_a_period_is_kept_as_recorded(period: dict[str, str]) -> None:
    assert period_of(period, "p") == (period.get("start", ""), period.get("end", ""))


def test_an_end_in_the_year_9999_is_no_end() -> None:
    assert period_of({"start": "2020", "end": "9999-12-31"}, "p") == ("2020", "")


def test_a_period_that_is_only_an_extension_is_open() -> None:
    assert period_of({"extension": [{"url": "urn:x"}]}, "p") == ("", "")


@pytest.mark.parametrize(
    ("period", "path"),
    [
        ({}, "p"),
        ({"start": "2020-13"}, "p.start"),
        ({"start": "2020-02-30"}, "p.start"),
        ({"start": "20200101"}, "p.start"),
        ({"start": "2020-1-1"}, "p.start"),
        ({"start": "0000"}, "p.start"),
        ({"start": "2020-01-01T10:00:00"}, "p.start"),
        ({"start": "2020-01-01T24:00:00Z"}, "p.start"),
        ({"start": "\u0662\u0660\u0662\u0660"}, "p.start"),
        ({"end": "soon"}, "p.end"),
        ({"end": "2020\n"}, "p.end"),
        ({"_end": {"id": "x"}}, "p.end"),
        ({"start": "2021", "end": "2020-12-31"}, "p"),
        ({"start": "2020-05-06", "end": "2020-05-05T23:59:59Z"}, "p"),
        ({"start": "2020-05-05T10:00:00Z", "end": "2020-05-05T11:00:00+02:00"}, "p"),
    ],
)
def test_an_absurd_period_is_damage(period: dict[str, Any], path: str) -> None:
    with pytest.raises(Damaged) as caught:
        period_of(period, "p")
    assert caught.value.path == path


@pytest.mark.parametrize(
    ("meta", "expected"),
    [
        ({"lastUpdated": "2026-02-01T09:30:00Z"}, datetime(2026, 2, 1, 9, 30, tzinfo=UTC)),
        ({"lastUpdated": "2026-02-01T09:30:00.123+02:00"}, datetime(2026, 2, 1, 7, 30, 0, 123000, tzinfo=UTC)),
        ({"lastUpdated": "2026-02-01T09:30:00"}, None),
        ({"lastUpdated": "2026-02-01"}, None),
        ({"lastUpdated": "2026-02-31T09:30:00Z"}, None),
        ({"lastUpdated": 5}, None),
        ({}, None),
        ([], None),
    ],
)
def test_when_a_record_was_updated(meta: Any, expected: datetime | None) -> None:
    assert updated_at({"meta": meta}) == expected


@pytest.mark.parametrize("resource", [None, [], "x", {}])
def test_what_is_no_record_was_never_updated(resource: object) -> None:
    assert updated_at(resource) is None


def test_layout_characters_become_spaces_and_others_are_damage() -> None:
    assert clean(" Ana\tMaría\r\n de la Cruz\u00a0", "p") == "Ana María de la Cruz"
    assert clean("Zoë 李 \u200dX", "p") == "Zoë 李 \u200dX"
    for bad in ("\x00", "\x1b[31m", "\x7f", "\x85", "\udfff"):
        with pytest.raises(Damaged):
            clean(f"Ana{bad}", "p")
