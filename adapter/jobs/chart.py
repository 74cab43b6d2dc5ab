"""One chart as the desk shows it: the child, everybody on it, and who may open it."""

from dataclasses import dataclass

import sqlalchemy as sa

from adapter.core.explain import Explanation
from adapter.core.facts import Patient
from adapter.core.reasons import REASONS
from adapter.core.state import GrantState
from adapter.jobs.explain import explain
from adapter.jobs.practice import Clock, Practice
from adapter.store import accounts, facts
from adapter.store.engine import read


@dataclass(frozen=True, slots=True)
class OnChart:
    """One Family Contact of the chart."""

    ref: str
    name: str
    email: str
    role: str
    authority: str
    account_id: str
    state: str
    """Of the grant; ``none`` where there never was one."""
    why: str


@dataclass(frozen=True, slots=True)
class ChartView:
    """Everything the page of one chart shows."""

    ref: str
    patient: Patient | None
    answer: Explanation
    contacts: list[OnChart]


def chart_view(engine: sa.Engine, practice: Practice, ref: str, *, clock: Clock) -> ChartView | None:
    """The chart; None when the practice does not know it."""
    with read(engine) as connection:
        loaded = next(iter(facts.load_charts(connection, practice.id, [ref])))
        if loaded.patient is None and not loaded.contacts:
            return None
        keys = sorted({contact.email_key for contact in loaded.contacts if contact.email_key})
        owners = accounts.by_email(connection, practice.id, keys)
    shown = []
    for contact in sorted(loaded.contacts, key=lambda contact: contact.ref):
        account = owners.get(contact.email_key)
        grant = account.grants.get(ref) if account else None
        mine = grant is not None and (grant.contact == contact.ref or grant.state is GrantState.ACTIVE)
        outcome = loaded.outcomes.get(contact.ref)
        code = grant.reason if grant and mine else outcome.headline if outcome else ""
        shown.append(
            OnChart(
                contact.ref,
                contact.name or contact.ref,
                contact.email,
                contact.role_text or str(contact.role),
                str(contact.authority),
                account.id if account else "",
                str(grant.state) if grant and mine else "none",
                REASONS[code].summary if code in REASONS else "",
            )
        )
    return ChartView(ref, loaded.patient, explain(engine, practice, ref, clock=clock), shown)
