"""The embedded portal, asked as a foreign system is: it knows what was put into it, and nothing else."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from adapter.core.widget import BillingWarning, Level, Widget
from adapter.errors import RetriableError
from adapter.portal import HomePage, Portal, PortalAccount, PortalDependent
from adapter.portal.embedded import EmbeddedPortal

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
CHART = PortalDependent("Patient/p1", "mother", "joint", "full", "eligible", NOW)
SECOND = PortalDependent("Patient/p2", "mother", "joint", "limited", "eligible", NOW - timedelta(days=3))
OWN = PortalDependent("Patient/p9", "other_relative", "joint", "full", "eligible", NOW, is_self=True)
ANA = PortalAccount("a1", "ana@mail.example", "Ana Rivera", True, "invited", (CHART, SECOND))
LUIS = PortalAccount("a2", "luis@mail.example", "Luis Rivera", True, "pending", (CHART,))
OLD = Widget("instamed", "Pay your bill", "Pague su factura")
NEW = Widget(
    "url", "Pay", "Pague", "https://bank.example/", BillingWarning(Level.ALERT, "Closed today.", "Cerrado hoy.")
)


@dataclass
class Clock:
    at: datetime = NOW

    def __call__(self) -> datetime:
        return self.at


@dataclass
class Place:
    """A portal in a database, and its clock."""

    engine: sa.Engine
    clock: Clock = field(default_factory=Clock)

    def portal(self, practice: str = "main-street", minutes: int = 15) -> EmbeddedPortal:
        return EmbeddedPortal(self.engine, practice=practice, now=self.clock, show_after_minutes=minutes)


@pytest.fixture
def place(engine: sa.Engine) -> Place:
    return Place(engine)


def test_what_was_put_is_what_parents_can_open(place: Place) -> None:
    portal: Portal = place.portal()
    assert portal.put_accounts([ANA, LUIS]) == {}
    assert portal.get_accounts(["a1"]).get("a1") == ANA
    assert list(portal.accounts()) == [ANA, LUIS]
    assert portal.get_accounts(["nobody"]).get("nobody") is None
    assert "2 accounts" in portal.check()


def test_a_grant_that_ended_is_gone_at_once(place: Place) -> None:
    portal = place.portal()
    portal.put_accounts([ANA])
    portal.put_accounts([ANA._replace(dependents=(SECOND,))])
    found = portal.get_accounts(["a1"]).get("a1")
    assert found is not None
    assert found.dependents == (SECOND,)


def test_an_account_that_is_not_active_opens_nothing_whatever_was_put(place: Place) -> None:
    portal = place.portal()
    portal.put_accounts([ANA])
    portal.put_accounts([ANA._replace(active=False, status="suspended")])
    found = portal.get_accounts(["a1"]).get("a1")
    assert found is not None
    assert (found.active, found.dependents) == (False, ())


def test_putting_the_same_twice_changes_nothing(place: Place) -> None:
    portal = place.portal()
    portal.put_accounts([ANA, LUIS])
    portal.put_accounts([LUIS, ANA, ANA])
    assert list(portal.accounts()) == [ANA, LUIS]


def test_an_account_can_move_to_another_address_and_show_its_owner_as_a_dependent(place: Place) -> None:
    portal = place.portal()
    portal.put_accounts([ANA])
    moved = ANA._replace(email="ana.new@mail.example", dependents=(CHART, OWN))
    portal.put_accounts([moved])
    assert list(portal.accounts()) == [moved]


def test_registering_is_the_portals_own_and_survives_updates(place: Place) -> None:
    portal = place.portal()
    portal.put_accounts([ANA, LUIS._replace(active=False)])
    assert portal.mark_registered("a1", NOW)
    assert not portal.mark_registered("a1", NOW + timedelta(hours=1))
    assert not portal.mark_registered("a2", NOW)
    assert not portal.mark_registered("nobody", NOW)
    portal.put_accounts([ANA._replace(name="Ana M. Rivera", registered_at=None)])
    found = portal.get_accounts(["a1"]).get("a1")
    assert found is not None
    assert (found.name, found.registered_at) == ("Ana M. Rivera", NOW)


def test_practices_share_a_database_and_see_nothing_of_each_other(place: Place) -> None:
    here, there = place.portal("main-street"), place.portal("elm-street")
    here.put_accounts([ANA])
    here.put_home(HomePage(practice="main-street", revision=1, widget=OLD))
    place.clock.at += timedelta(hours=1)
    assert list(there.accounts()) == []
    assert there.get_accounts(["a1"]).get("a1") is None
    assert there.get_home() is None
    assert not there.mark_registered("a1", NOW)


def test_a_large_directory_is_read_page_by_page_and_completely(place: Place) -> None:
    portal = place.portal()
    people = [PortalAccount(f"k{n}", f"p{n % 700:04}@mail.example", "", True, "invited") for n in range(1300)]
    portal.put_accounts(people)
    assert sorted(one.key for one in portal.accounts()) == sorted(one.key for one in people)


def test_a_published_home_page_shows_after_fifteen_minutes_and_the_old_one_until_then(place: Place) -> None:
    portal = place.portal()
    first, second = (HomePage(practice="main-street", revision=n, widget=w) for n, w in ((1, OLD), (2, NEW)))
    portal.put_home(first)
    assert portal.get_home() is None
    place.clock.at = NOW + timedelta(minutes=15)
    assert portal.get_home() == first
    portal.put_home(second)
    place.clock.at = NOW + timedelta(minutes=29)
    assert portal.get_home() == first
    place.clock.at = NOW + timedelta(minutes=30)
    assert portal.get_home() == second


def test_a_home_page_can_be_taken_off_again(place: Place) -> None:
    portal = place.portal(minutes=0)
    portal.put_home(HomePage(practice="main-street", revision=1, widget=OLD))
    portal.put_home(HomePage(practice="main-street", revision=2, widget=None))
    assert portal.get_home() == HomePage(practice="main-street", revision=2, widget=None)


def test_a_database_that_is_no_database_is_a_portal_that_is_not_well(tmp_path: Path) -> None:
    (tmp_path / "portal.db").write_bytes(b"not a database, but long enough to be looked at" * 100)
    portal = EmbeddedPortal(sa.create_engine(f"sqlite:///{tmp_path}/portal.db"), practice="p", now=Clock())
    with pytest.raises(RetriableError, match="store_url") as error:
        portal.put_accounts([ANA])
    assert "ana@mail.example" not in str(error.value)
