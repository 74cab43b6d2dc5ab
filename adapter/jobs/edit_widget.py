"""Publishing what somebody has written on the desk: a plan by its hash, like every other revision."""

from datetime import datetime

import sqlalchemy as sa

from adapter.core.merchant import Merchant
from adapter.core.publication import PublishPlan, Revision
from adapter.core.widget import Widget
from adapter.core.widget_edit import plan_edit
from adapter.jobs.publish import carry_out
from adapter.store import widgets
from adapter.store.engine import read
from adapter.store.turns import turn


def shown_now(engine: sa.Engine, merchant: Merchant, organization: str) -> Widget | None:
    """What the page was published with last; before the first time what the settings ask for."""
    with read(engine) as connection:
        latest = widgets.latest(connection, merchant.practice, organization)
    return latest.widget if latest else merchant.pages.get(organization)


def look_at_edit(engine: sa.Engine, merchant: Merchant, organization: str, widget: Widget | None) -> PublishPlan:
    """What publishing this would change; changes nothing."""
    with read(engine) as connection:
        return _plan(connection, merchant, organization, widget)


def publish_edit(
    engine: sa.Engine,
    merchant: Merchant,
    organization: str,
    widget: Widget | None,
    *,
    now: datetime,
    actor: str,
    expected: str,
) -> list[Revision]:
    """Makes a revision of what was written. Empty when that is what is published.

    Raises FatalError, with nothing done, when ``expected`` is not the hash of the plan any more.
    """
    with turn(engine, merchant.practice) as connection:
        plan = _plan(connection, merchant, organization, widget)
        return carry_out(connection, plan, now, actor, expected)


def _plan(connection: sa.Connection, merchant: Merchant, organization: str, widget: Widget | None) -> PublishPlan:
    latest = widgets.latest(connection, merchant.practice, organization)
    return plan_edit(merchant.practice, organization, latest, widget, merchant.pages)
