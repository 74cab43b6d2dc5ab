"""Reading the portal back: drift is repaired or told, registrations arrive, and nothing rests on half a list."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from adapter.core.portal import PortalAccount, PortalDependent
from adapter.core.state import AccountStatus, EffectKind
from adapter.errors import RetriableError
from adapter.jobs.accounts import deliver_accounts
from adapter.jobs.compare import Comparison, compare_portal
from adapter.jobs.register import look
from adapter.jobs.round import Round
from adapter.mail.folder import FolderMailer
from adapter.portal.embedded import EmbeddedPortal, records
from adapter.store import tables as t
from adapter.store.engine import begin
from tests.acceptance.delivery import Outbound
from tests.edges.effects import NOW, PRACTICE, add_account, add_effect, row_of

STRANGE = PortalDependent("Patient/stranger", "mother", "joint", "full", "eligible", NOW)


class Place(Outbound):
    """A practice with delivered accounts a0, a1, …, and a portal somebody meddles with."""

    def filled(self, number: int) -> "Place":
        for index in range(number):
            add_account(self.engine, f"a{index}")
            add_effect(self.engine, f"e{index}", EffectKind.ACCOUNT, f"a{index}")
        deliver_accounts(Round(self.engine, self.now), PRACTICE, self.portal)
        self.later(hours=1)
        return self

    def compare(self, **changes: Any) -> Comparison:
        found = compare_portal(
            self.engine,
            practice=PRACTICE,
            portal=self.portal,
            repair=changes.pop("repair", False),
            now=self.now,
            **changes,
        )
        deliver_accounts(Round(self.engine, self.now), PRACTICE, self.portal)
        self.later(hours=1)
        return found

    def meddle(self, key: str, **changes: Any) -> None:
        """Somebody changes an account in the portal by hand."""
        self.portal.put_accounts([self.seen(key)._replace(**changes)])

    def seen(self, key: str) -> PortalAccount:
        return self.portal.get_accounts([key])[key]

    def opens(self, key: str) -> list[str]:
        return [chart.patient for chart in self.seen(key).dependents]

    def remove(self, *keys: str) -> None:
        people = records.account
        with self.engine.begin() as connection:
            connection.execute(sa.delete(people).where(people.c.key.in_(keys)))


@pytest.fixture
def place(engine: sa.Engine, tmp_path: Path) -> Place:
    return Place(engine, FolderMailer(tmp_path / "mail"))


def test_a_portal_that_has_what_was_decided_is_equal(place: Place) -> None:
    found = place.filled(3).compare()
    assert (found.counts["accounts"], found.counts["equal"], found.differences) == (3, 3, [])
    assert place.findings() == []


def test_a_chart_that_somebody_opened_by_hand_is_closed_at_once(place: Place) -> None:
    place.filled(2).meddle("a0", dependents=(*place.seen("a0").dependents, STRANGE))
    found = place.compare()
    row = {"account": "a0@mail.example", "code": "portal-extra", "where": ["Patient/stranger"], "repaired": True}
    assert found.differences == [row]
    assert place.opens("a0") == ["Patient/a0-0"]
    assert place.audit() == [("repair-portal", "a0", "portal-drift")]
    assert place.compare().counts["equal"] == 2


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"until": None, "access": "full"}, id="longer"),
        pytest.param({"access": "everything"}, id="a-word-nobody-knows"),
    ],
)
def test_wider_or_longer_is_more_than_was_decided(place: Place, changes: dict[str, Any]) -> None:
    place.filled(1)
    with begin(place.engine) as connection:
        connection.execute(sa.update(t.grant).values(access="limited", until=NOW + timedelta(days=9)))
    add_effect(place.engine, "again", EffectKind.ACCOUNT, "a0")
    place.compare()
    chart = place.seen("a0").dependents[0]
    assert (chart.access, chart.until) == ("limited", NOW + timedelta(days=9))
    place.meddle("a0", dependents=(chart._replace(**changes),))
    assert place.compare().counts["portal-extra"] == 1
    assert place.seen("a0").dependents == (chart,)


def test_a_suspended_account_that_was_switched_on_again_is_closed(place: Place) -> None:
    place.filled(1)
    with begin(place.engine) as connection:
        connection.execute(sa.update(t.account).values(status=AccountStatus.SUSPENDED))
    add_effect(place.engine, "again", EffectKind.ACCOUNT, "a0")
    place.compare()
    place.meddle("a0", active=True, dependents=(STRANGE,))
    assert place.compare().counts["portal-extra"] == 1
    assert (place.seen("a0").active, place.opens("a0")) == (False, [])


def test_what_somebody_took_away_is_a_finding_until_it_is_put_back(place: Place) -> None:
    place.filled(2).meddle("a0", dependents=())
    assert place.compare().counts["repaired"] == 0
    assert place.findings() == ["portal-missing"]
    place.meddle("a1", name="Anna Maria")
    place.compare()
    assert place.findings() == ["portal-changed", "portal-missing"]
    assert place.compare(repair=True).counts["repaired"] == 2
    assert place.opens("a0") == ["Patient/a0-0"]
    place.compare()
    assert place.findings() == []


def test_an_account_nobody_decided_about_is_shut_and_keeps_its_owner(place: Place) -> None:
    orphan = PortalAccount("gone", "old@mail.example", "Old Friend", True, "invited", (STRANGE,))
    place.filled(2).portal.put_accounts([orphan])
    assert place.compare().counts["portal-orphan"] == 1
    assert place.seen("gone") == orphan._replace(active=False, status="closed", dependents=())
    assert place.compare().counts["portal-orphan"] == 0


def test_a_portal_full_of_strangers_is_left_alone_for_a_human(place: Place) -> None:
    place.filled(2)
    strangers = [PortalAccount(f"x{n}", f"x{n}@mail.example", "", True, "invited", (STRANGE,)) for n in range(6)]
    place.portal.put_accounts(strangers)
    assert place.compare().held == 6
    assert (place.findings(), place.opens("x0")) == (["portal-orphan"], ["Patient/stranger"])
    place.compare(insist=True)
    assert (place.findings(), place.opens("x0")) == ([], [])


def test_an_empty_database_closes_nothing_in_a_portal_that_others_filled(place: Place) -> None:
    place.portal.put_accounts([PortalAccount("x1", "x1@mail.example", "", True, "invited", (STRANGE,))])
    assert place.compare().held == 1
    assert (place.findings(), place.opens("x1")) == (["portal-orphan"], ["Patient/stranger"])


def test_an_empty_portal_is_told_once_and_not_filled_by_itself(place: Place) -> None:
    place.filled(8).remove(*(f"a{n}" for n in range(8)))
    found = place.compare(repair=True)
    assert (found.held, found.counts["portal-missing"], place.findings()) == (8, 8, ["portal-missing"])
    assert place.compare(insist=True).counts["repaired"] == 8
    assert place.compare().counts["equal"] == 8
    assert place.findings() == []


def test_an_account_that_was_deleted_in_the_portal_can_be_invited_again(place: Place) -> None:
    place.filled(1).portal.mark_registered("a0", place.at)
    place.compare()
    assert row_of(place.engine, t.account, "a0")["status"] == AccountStatus.REGISTERED
    place.remove("a0")
    place.compare(repair=True)
    row = row_of(place.engine, t.account, "a0")
    assert (row["status"], row["registered_at"]) == (AccountStatus.INVITED, None)
    assert place.opens("a0") == ["Patient/a0-0"]
    assert look(place.engine, PRACTICE, "a0@mail.example", place.at).problem == ""


def test_a_registration_comes_back_and_makes_a_new_welcome_pointless(place: Place) -> None:
    place.filled(2).portal.mark_registered("a0", NOW + timedelta(minutes=5))
    assert place.compare().counts["registered"] == 1
    assert place.compare().counts["registered"] == 0
    row = row_of(place.engine, t.account, "a0")
    assert (row["status"], row["registered_at"]) == (AccountStatus.REGISTERED, NOW + timedelta(minutes=5))
    assert place.audit() == [("account-registered", "a0", "registered")]
    assert look(place.engine, PRACTICE, "a0@mail.example", place.at).problem == (
        "Ana Rivera registered in the portal on 2 March 2026. "
        "A new Welcome email is not needed; a forgotten password is reset in the portal."
    )


def test_an_account_that_moved_registers_again(place: Place) -> None:
    place.filled(1).portal.mark_registered("a0", NOW)
    with begin(place.engine) as connection:
        moved = {"reason": "email-changed", "since": place.at, "registered_at": None}
        connection.execute(sa.update(t.account).values(moved))
    assert place.compare().counts["registered"] == 0


def test_what_is_on_its_way_is_not_drift(place: Place) -> None:
    place.filled(1)
    with begin(place.engine) as connection:
        connection.execute(sa.update(t.grant).values(state="ended"))
    add_effect(place.engine, "ending", EffectKind.ACCOUNT, "a0")
    assert place.compare().counts["moving"] == 1
    assert place.opens("a0") == []


def test_a_listing_that_breaks_off_concludes_nothing_from_what_it_did_not_show(place: Place) -> None:
    place.filled(3)

    class Cut(EmbeddedPortal):
        def accounts(self) -> Iterator[PortalAccount]:
            yield next(super().accounts())
            raise RetriableError("The portal's answer was cut off.")

    place.portal = Cut(place.engine, practice=PRACTICE, now=place.now)
    with pytest.raises(RetriableError):
        place.compare()
    assert place.findings() == []
