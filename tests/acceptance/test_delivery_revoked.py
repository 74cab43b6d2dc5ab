"""A revocation on its way to the portal: it overtakes, it is read back, and nothing is called done before it shows."""

from collections.abc import Collection, Sequence
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
import sqlalchemy as sa

from adapter.core.plan import Action, ActionKind
from adapter.core.portal import PortalAccount
from adapter.core.state import EffectKind, EffectState, GrantState
from adapter.errors import DeliveryError, RetriableError
from adapter.mail.folder import FolderMailer
from adapter.portal.embedded import EmbeddedPortal
from adapter.store import accounts
from adapter.store import tables as t
from adapter.store.apply import Applier
from adapter.store.engine import begin
from tests.acceptance.delivery import Outbound, PickyPortal
from tests.edges.effects import NOW, PRACTICE, add_account, add_effect, row_of, states


class SlowToForget(EmbeddedPortal):
    """Says yes to everything; while ``deaf`` it changes nothing, while ``trouble`` it is not well at all."""

    deaf = False
    trouble: RetriableError | None = None
    asked = 0

    def put_accounts(
        self, batch: Sequence[PortalAccount], *, new: Collection[str] = frozenset()
    ) -> dict[str, DeliveryError]:
        self.asked += len(batch)
        if self.trouble:
            raise self.trouble
        return {} if self.deaf else super().put_accounts(batch, new=new)


@pytest.fixture
def portal(engine: sa.Engine) -> SlowToForget:
    return SlowToForget(engine, practice=PRACTICE, now=lambda: NOW)


@pytest.fixture
def outbound(engine: sa.Engine, portal: SlowToForget, tmp_path: Path) -> Outbound:
    made = Outbound(engine, FolderMailer(tmp_path / "mail"))
    made.portal = portal
    return made


def opens(portal: EmbeddedPortal, key: str = "a1") -> list[str]:
    return [chart.patient for chart in portal.get_accounts([key])[key].dependents]


def revoke(outbound: Outbound) -> None:
    """Ends the account's one grant, as a sync does."""
    with begin(outbound.engine) as connection:
        (account,) = accounts.by_email(connection, PRACTICE, ["a1@mail.example"]).values()
        (before,) = account.grants.values()
        after = msgspec.structs.replace(before, state=GrantState.ENDED)
        action = Action(
            ActionKind.END_GRANT, account.email_key, before.patient, "contact-ended", "", after, before, account_id="a1"
        )
        Applier(connection, PRACTICE, run=2, actor="schedule", now=outbound.at).apply([action])


def test_a_revocation_is_called_done_only_once_the_portal_shows_it(outbound: Outbound, portal: SlowToForget) -> None:
    add_account(outbound.engine, "a1")
    add_effect(outbound.engine, "e1", EffectKind.ACCOUNT, "a1")
    outbound.deliver()
    revoke(outbound)
    portal.deaf = True
    report = outbound.report()
    assert report.counts["account"] == {"queued": 1}
    assert report.problems == ["The portal took the change, but still opens more than it should. It is asked again."]
    portal.deaf = False
    outbound.later(minutes=1)
    assert outbound.deliver() == {"account": {"sent": 1}}
    assert opens(portal) == []


def test_a_revocation_overtakes_what_waits_of_its_account(outbound: Outbound, portal: SlowToForget) -> None:
    add_account(outbound.engine, "a1")
    add_effect(outbound.engine, "e1", EffectKind.ACCOUNT, "a1")
    portal.trouble = RetriableError("The portal is away.", retry_after=1800)
    outbound.deliver()
    assert row_of(outbound.engine, t.effect, "e1")["next_at"] == NOW + timedelta(minutes=30)
    revoke(outbound)
    portal.trouble = None
    outbound.later(seconds=1)
    assert outbound.deliver() == {"account": {"sent": 1}}
    assert opens(portal) == []
    assert states(outbound.engine)["e1"] == EffectState.CANCELLED


def test_a_portal_that_was_away_for_a_day_is_knocked_at_once_and_loses_nothing(
    outbound: Outbound, portal: SlowToForget
) -> None:
    for number in range(40):
        add_account(outbound.engine, f"a{number}")
        add_effect(outbound.engine, f"e{number}", EffectKind.ACCOUNT, f"a{number}")
    portal.batch, portal.trouble = 10, RetriableError("The portal is away.")
    outbound.deliver()
    assert portal.asked == 10
    for _ in range(24 * 4):
        outbound.later(minutes=15)
        outbound.deliver()
    assert portal.asked <= 10 + 24 * 4  # one account in each round, not a batch
    portal.trouble, portal.asked = None, 0
    for _ in range(3):
        outbound.later(minutes=15)
        outbound.deliver()
    assert set(states(outbound.engine).values()) == {EffectState.SENT}
    assert portal.asked == 40


def test_what_has_ended_by_itself_is_not_delivered(outbound: Outbound, portal: SlowToForget) -> None:
    add_account(outbound.engine, "a1", charts=2)
    with begin(outbound.engine) as connection:
        here = t.grant.c.patient == "Patient/a1-0"
        connection.execute(sa.update(t.grant).where(here).values(until=NOW))
        here = t.grant.c.patient == "Patient/a1-1"
        connection.execute(sa.update(t.grant).where(here).values(until=NOW + timedelta(hours=1)))
    add_effect(outbound.engine, "e1", EffectKind.ACCOUNT, "a1")
    outbound.deliver()
    assert opens(portal) == ["Patient/a1-1"]


def test_a_refused_account_is_a_finding_until_the_portal_takes_it(outbound: Outbound) -> None:
    picky = PickyPortal(outbound.engine, practice=PRACTICE, now=outbound.now)
    picky.refuses = {"a1": DeliveryError("The name is too long.", permanent=True)}
    outbound.portal = picky
    add_account(outbound.engine, "a1")
    add_effect(outbound.engine, "e1", EffectKind.ACCOUNT, "a1")
    assert outbound.deliver() == {"account": {"failed": 1}}
    assert outbound.findings() == ["portal-refused"]
    assert outbound.audit() == [("account-refused", "a1", "portal-refused")]
    picky.refuses = {}
    add_effect(outbound.engine, "e2", EffectKind.ACCOUNT, "a1")
    outbound.deliver()
    assert outbound.findings() == []
