"""After an incomplete read nothing is opened or widened; what was seen against somebody still acts."""

import msgspec
import pytest

from adapter.core.facts import Authority, Fact, Role
from adapter.core.policy import Access, Band
from adapter.core.state import Account
from tests.core.personas import ANNAS, MIA, anna, ben, leo, mia
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


def as_it_was(account: Account, access: Access) -> Account:
    """The account whose access to Mia's chart is this, with no end."""
    grant = msgspec.structs.replace(account.grants[MIA], access=access, until=None)
    return msgspec.structs.replace(account, grants={MIA: grant})


def test_an_incomplete_read_widens_nothing_although_it_has_an_end_that_was_not_there() -> None:
    practice = practice_with(mia(), anna())
    practice.accounts[ANNAS] = as_it_was(practice.accounts[ANNAS], Access.LIMITED)
    assert practice.sync(mia(), anna(end="2027-01-01"), only_restrict=True) == []


def test_an_incomplete_read_narrows_what_stays_open() -> None:
    practice = practice_with(mia(), anna())
    practice.policy = msgspec.structs.replace(practice.policy, bands=(Band(0, Access.LIMITED), Band(18, Access.NONE)))
    practice.sync(mia(), anna(), only_restrict=True)
    assert practice.accounts[ANNAS].grants[MIA].access is Access.LIMITED


def test_an_incomplete_read_ends_sooner_what_stays_open() -> None:
    practice = practice_with(mia(), anna())
    practice.sync(mia(), anna(end="2027-01-01"), only_restrict=True)
    until = practice.accounts[ANNAS].grants[MIA].until
    assert until is not None and until.year == 2027
    assert practice.sync(mia(), anna(end="2028-01-01"), only_restrict=True) == []


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
