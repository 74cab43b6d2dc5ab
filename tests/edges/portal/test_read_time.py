"""Access is decided again when somebody asks: a portal that nobody updates for weeks opens nothing too long."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa
import time_machine

from adapter.core.decide import decide_chart
from adapter.core.policy import Access, Policy
from adapter.core.portal import PortalAccount, PortalDependent
from adapter.portal.embedded import EmbeddedPortal
from tests.core.personas import anna, mia

DELIVERED = datetime(2026, 3, 2, 14, 0, tzinfo=UTC)
ENDS = datetime(2026, 3, 6, 5, 0, tzinfo=UTC)
CHART = PortalDependent("Patient/p1", "mother", "joint", "full", "eligible", DELIVERED, until=ENDS)
SIBLING = PortalDependent("Patient/p2", "mother", "joint", "limited", "eligible", DELIVERED)
ANA = PortalAccount("a1", "ana@mail.example", "Ana Rivera", True, "registered", (CHART, SIBLING))


def now() -> datetime:
    return datetime.now(UTC)


@dataclass
class Asked:
    """A portal that was told of Ana once, and is asked at other times."""

    portal: EmbeddedPortal

    def at(self, moment: datetime, patient: str = "Patient/p1") -> Access:
        with time_machine.travel(moment, tick=False):
            return self.portal.may_open("a1", patient, now())


@pytest.fixture
def asked(engine: sa.Engine) -> Asked:
    portal = EmbeddedPortal(engine, practice="main-street", now=now)
    with time_machine.travel(DELIVERED, tick=False):
        portal.put_accounts([ANA])
    return Asked(portal)


def test_a_chart_closes_at_its_moment_though_nobody_says_so(asked: Asked) -> None:
    assert asked.at(ENDS - timedelta(microseconds=1)) is Access.FULL
    assert asked.at(ENDS) is Access.NONE
    assert asked.at(ENDS + timedelta(weeks=52)) is Access.NONE
    assert asked.at(ENDS, "Patient/p2") is Access.LIMITED


def test_a_clock_that_goes_back_opens_nothing_again(asked: Asked) -> None:
    assert asked.at(ENDS + timedelta(days=1)) is Access.NONE
    assert asked.at(DELIVERED) is Access.NONE
    assert asked.at(DELIVERED, "Patient/p2") is Access.LIMITED


def test_a_delivery_on_a_clock_that_went_back_opens_nothing_again(asked: Asked) -> None:
    assert asked.at(ENDS) is Access.NONE
    with time_machine.travel(DELIVERED, tick=False):
        asked.portal.put_accounts([ANA])
    assert asked.at(DELIVERED) is Access.NONE


def test_a_human_can_say_that_the_clock_is_right_now(asked: Asked) -> None:
    assert asked.at(datetime(2099, 1, 1, tzinfo=UTC)) is Access.NONE
    asked.portal.trust_clock(DELIVERED)
    assert asked.at(DELIVERED) is Access.FULL
    assert asked.at(ENDS) is Access.NONE


def test_what_was_never_put_opens_nothing(asked: Asked) -> None:
    assert asked.at(DELIVERED, "Patient/p3") is Access.NONE
    assert asked.portal.may_open("nobody", "Patient/p1", DELIVERED) is Access.NONE
    asked.portal.put_accounts([ANA._replace(active=False)])
    assert asked.at(DELIVERED, "Patient/p2") is Access.NONE


def test_an_access_that_nobody_knows_opens_nothing(asked: Asked) -> None:
    asked.portal.put_accounts([ANA._replace(dependents=(SIBLING._replace(access="everything"),))])
    assert asked.at(DELIVERED, "Patient/p2") is Access.NONE


@pytest.mark.parametrize("zone", ["America/New_York", "Pacific/Auckland", "UTC"])
@pytest.mark.parametrize("born", ["2012-02-29", "2012-02", "2012-07-15"])
def test_from_decision_to_portal_the_eighteenth_birthday_is_the_same_moment(
    engine: sa.Engine, zone: str, born: str
) -> None:
    here = ZoneInfo(zone)
    decided = decide_chart(mia(birth_date=born), (anna(),), Policy(), DELIVERED.astimezone(here))
    until = decided.outcomes["RelatedPerson/anna-mia"].until
    assert until is not None
    portal = EmbeddedPortal(engine, practice="main-street", now=lambda: DELIVERED)
    chart = PortalDependent("Patient/mia", "mother", "joint", "full", "eligible", DELIVERED, until=until)
    portal.put_accounts([ANA._replace(dependents=(chart,))])
    day = {"2012-02-29": (2030, 2, 28), "2012-02": (2030, 2, 1), "2012-07-15": (2030, 7, 15)}[born]
    midnight = datetime(*day, tzinfo=here)
    assert portal.may_open("a1", "Patient/mia", midnight - timedelta(microseconds=1)) is Access.FULL
    assert portal.may_open("a1", "Patient/mia", midnight) is Access.NONE
    reopened = decide_chart(mia(birth_date=born), (anna(),), Policy(), midnight)
    assert reopened.outcomes["RelatedPerson/anna-mia"].headline == "dependent-is-adult"
