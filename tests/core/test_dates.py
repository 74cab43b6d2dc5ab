"""FHIR dates: nobody is taken for younger than they may be, and a period lasts to the end of its last day."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter.core.dates import age_on, birthday, earliest_birth, ends_at, starts_at

TODAY = date(2026, 3, 2)
NEW_YORK = ZoneInfo("America/New_York")
NOW = datetime(2026, 3, 2, 9, 0, tzinfo=NEW_YORK)


@pytest.mark.parametrize(
    ("text", "born"),
    [
        ("2019-05-04", date(2019, 5, 4)),
        ("2019-05", date(2019, 5, 1)),
        ("2019", date(2019, 1, 1)),
        ("2026-03-02", TODAY),
        ("2024-02-29", date(2024, 2, 29)),
        ("1896-01-01", date(1896, 1, 1)),
    ],
)
def test_a_birth_date_counts_from_the_earliest_day_it_can_mean(text: str, born: date) -> None:
    assert earliest_birth(text, TODAY) == born


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-03-03",
        "2027",
        "1895-12-31",
        "0001-01-01",
        "2023-02-29",
        "2019-13",
        "2019-00-01",
        "2019-5-4",
        "19",
        "04.05.2019",
        "2019-05-04T00:00:00Z",
        "2019-05-04\n",
        " 2019",
        "unknown",
    ],
)
def test_a_missing_or_absurd_birth_date_is_no_birth_date(text: str) -> None:
    assert earliest_birth(text, TODAY) is None


@pytest.mark.parametrize(
    ("born", "day", "age"),
    [
        (date(2008, 3, 3), date(2026, 3, 2), 17),
        (date(2008, 3, 2), date(2026, 3, 2), 18),
        (date(2026, 3, 2), date(2026, 3, 2), 0),
        (date(2008, 2, 29), date(2026, 2, 27), 17),
        (date(2008, 2, 29), date(2026, 2, 28), 18),
        (date(2008, 2, 29), date(2028, 2, 28), 19),
        (date(2008, 2, 29), date(2028, 2, 29), 20),
    ],
)
def test_age_is_whole_years(born: date, day: date, age: int) -> None:
    assert age_on(born, day) == age


@given(st.dates(date(1900, 1, 1), date(2026, 1, 1)), st.integers(0, 130))
def test_the_birthday_is_the_first_day_of_an_age(born: date, age: int) -> None:
    day = birthday(born, age)
    assert age_on(born, day) == age
    assert age == 0 or age_on(born, date.fromordinal(day.toordinal() - 1)) == age - 1


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026", datetime(2026, 1, 1, tzinfo=NEW_YORK)),
        ("2026-03", datetime(2026, 3, 1, tzinfo=NEW_YORK)),
        ("2026-03-02", datetime(2026, 3, 2, tzinfo=NEW_YORK)),
        ("2026-03-02T10:30:00Z", datetime(2026, 3, 2, 10, 30, tzinfo=UTC)),
        ("2026-03-02T10:30:00.123-05:00", datetime(2026, 3, 2, 15, 30, 0, 123000, tzinfo=UTC)),
        ("2026-03-02T10:30:00", datetime(2026, 3, 2, 10, 30, tzinfo=NEW_YORK)),
    ],
)
def test_a_period_begins_with_the_first_moment_of_its_start(text: str, moment: datetime) -> None:
    assert starts_at(text, NOW) == moment


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026", datetime(2027, 1, 1, tzinfo=NEW_YORK)),
        ("2026-02", datetime(2026, 3, 1, tzinfo=NEW_YORK)),
        ("2024-02", datetime(2024, 3, 1, tzinfo=NEW_YORK)),
        ("2026-12", datetime(2027, 1, 1, tzinfo=NEW_YORK)),
        ("2026-03-02", datetime(2026, 3, 3, tzinfo=NEW_YORK)),
        ("2026-03-02T10:30:00Z", datetime(2026, 3, 2, 10, 30, 0, 1, tzinfo=UTC)),
        ("9999-12-31", datetime.max.replace(tzinfo=NEW_YORK)),
        ("9999", datetime.max.replace(tzinfo=NEW_YORK)),
    ],
)
def test_a_period_ends_after_the_last_moment_of_its_end(text: str, moment: datetime) -> None:
    assert ends_at(text, NOW) == moment


@pytest.mark.parametrize("text", ["", "soon", "2026-02-30", "2026-13", "20.03.2026", "2026-03-02T25:00:00Z"])
def test_what_is_no_date_is_an_error_and_not_a_guess(text: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        starts_at(text, NOW)
    with pytest.raises(ValueError, match=r".*"):
        ends_at(text, NOW)
