"""After an incomplete read nothing is opened or widened; what was seen against somebody still acts."""

import pytest

from adapter.core.facts import Authority, Fact, Role
from tests.core.personas import ANNAS, anna, ben, leo, mia
from tests.core.practice import Practice, invited

NONE = Authority.NONE


def practice_with(*facts: Fact) -> Practice:
    """A practice that has synced these facts; Anna has had her Welcome email."""
    practice = Practice()
    practice.sync(*facts)
    practice.accounts[ANNAS] = invited(practice.accounts[ANNAS])
    return practice


@pytest.mark.parametrize(
    "facts",
    [
        [mia(), leo(), anna(), anna("leo")],
        [mia(), anna(role=Role.GUARDIAN)],
        [mia(), anna(names=("Anna Lopez",))],
        [mia(), anna(), ben()],
    ],
)
def test_an_incomplete_read_opens_and_widens_nothing(facts: list[Fact]) -> None:
    practice = practice_with(mia(), anna())
    assert practice.sync(*facts, only_restrict=True) == []


@pytest.mark.parametrize("facts", [[mia(), anna(authority=NONE)], [mia(deceased=True), anna()]])
def test_an_incomplete_read_still_acts_on_what_it_saw(facts: list[Fact]) -> None:
    practice = practice_with(mia(), anna())
    assert practice.sync(*facts, only_restrict=True) != []
    assert practice.opens(ANNAS) == []
    assert practice.sync(*facts, only_restrict=True) == []


def test_an_incomplete_read_reopens_nothing() -> None:
    practice = practice_with(mia(), anna())
    practice.sync(mia(), anna(authority=NONE))
    assert practice.sync(mia(), anna(), only_restrict=True) == []
    assert practice.opens(ANNAS) == []
