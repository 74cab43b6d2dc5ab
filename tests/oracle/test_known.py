"""Short histories in which the product once disagreed with the rules: they raise Disagreement if it does again."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from tests.oracle.ehr import Trouble
from tests.oracle.history import History
from tests.oracle.judge import Judge
from tests.oracle.known import KNOWN
from tests.oracle.moves import Family
from tests.oracle.site import Site, make_template

JUST_UNDER_18 = "2008-05-05"
"""On the first day of every history: 4 May 2026."""
A_DAY = timedelta(days=1)


@pytest.fixture
def history(tmp_path: Path) -> Iterator[History]:
    """A practice with one child, whose mother has Joint Authority."""
    site = Site(tmp_path / "site", make_template(tmp_path), "hold_first_welcome = false")
    family = Family(site.ehr, 0)
    family.add_chart()
    family.add_contact("f0-1", email="anna@mail.example.org")
    yield History(site, Judge(site), [family])
    site.close()


def review_after_half_a_read(history: History) -> None:
    history.site.ehr.charts["f0-1"]["active"] = False
    history.sync()
    (family,) = history.families
    family.change(history.site.ehr.charts["f0-1"], active=True)
    history.sync(trouble=Trouble(stop_after=1))
    history.review()


def delivery_after_the_clock_was_put_back(history: History) -> None:
    history.sync()
    history.passes(-A_DAY)
    history.deliver()


def sync_after_the_clock_was_put_back(history: History) -> None:
    (family,) = history.families
    family.change(history.site.ehr.charts["f0-1"], born=JUST_UNDER_18)
    history.passes(A_DAY)
    history.sync()
    history.passes(-A_DAY)
    family.change(history.site.ehr.contacts["f0-2"], role="guardian")
    history.sync()


def delivery_after_a_birthday(history: History) -> None:
    (family,) = history.families
    family.change(history.site.ehr.charts["f0-1"], born=JUST_UNDER_18)
    history.sync()
    history.passes(A_DAY)
    history.deliver()


def namesakes_under_one_address(history: History) -> None:
    (family,) = history.families
    family.change(history.site.ehr.contacts["f0-2"], authority="exclusive")
    family.add_contact("f0-1", role="father", email="anna@mail.example.org")
    history.sync()


def a_no_in_a_conflict(history: History) -> None:
    (family,) = history.families
    family.add_contact("f0-1", role="father", email="ben@mail.example.org", names=[("Benjamin", "Rivera")])
    history.sync()
    for parent in family.contacts:
        family.change(parent, authority="exclusive")
    family.add_contact("f0-1", authority="none", email="anna@mail.example.org")
    history.sync()


def a_contact_moves_before_a_run_about_the_old_chart(history: History) -> None:
    (family,) = history.families
    family.add_chart()
    family.change(history.site.ehr.contacts["f0-2"], chart="f0-3", authority="exclusive")
    family.add_contact("f0-1", role="father", email="ben@mail.example.org", names=[("Benjamin", "Rivera")])
    history.sync()
    family.change(history.site.ehr.contacts["f0-4"], chart="f0-3")
    history.person("Patient/f0-1")


def an_end_learned_in_half_a_read(history: History) -> None:
    history.sync()
    (family,) = history.families
    tomorrow = (history.site.local.date() + A_DAY).isoformat()
    family.change(history.site.ehr.contacts["f0-2"], end=tomorrow)
    history.sync(trouble=Trouble(stop_after=1))
    history.passes(3 * A_DAY)
    history.review()


SHOWS: dict[str, Callable[[History], None]] = {
    "review-opens-half-a-read": review_after_half_a_read,
    "an-end-learned-in-half-a-read": an_end_learned_in_half_a_read,
    "portal-waits-for-the-clock": delivery_after_the_clock_was_put_back,
    "clock-back-opens": sync_after_the_clock_was_put_back,
    "mail-after-time-passed": delivery_after_a_birthday,
    "a-no-in-a-conflict": a_no_in_a_conflict,
    "a-person-run-opens-elsewhere": a_contact_moves_before_a_run_about_the_old_chart,
    "namesakes": namesakes_under_one_address,
}


@pytest.mark.parametrize("kind", SHOWS)
def test_what_once_went_wrong_goes_right(kind: str, history: History) -> None:
    SHOWS[kind](history)


def test_nothing_is_excused() -> None:
    assert not KNOWN
