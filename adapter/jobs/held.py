"""What the brakes hold, for people to look at: every plan that waits, family by family."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
import sqlalchemy as sa

from adapter.core.families import Family, families
from adapter.core.plan import Action
from adapter.store import facts, held
from adapter.store import tables as t
from adapter.store.engine import read
from adapter.store.held import HeldPlan
from adapter.store.sql import batches


def held_plans(engine: sa.Engine, practices: Sequence[str], run: int | None = None) -> list[dict[str, Any]]:
    """Every plan of these practices that waits, the oldest first, or that of one run.

    Each has run, practice, hash, cause, since, until, counts, approved_by and families: ``core.families.Family`` as
    plain values. Its ``hash`` is what a release is bound to.
    """
    with read(engine) as connection:
        plans = [plan for plan in held.waiting(connection, practices) if run in (None, plan.run)]
        return [_shape(connection, plan) for plan in plans]


def _shape(connection: sa.Connection, plan: HeldPlan) -> dict[str, Any]:
    actions = [action for one in plan.accounts for action in one.actions]
    return {
        "run": plan.run,
        "practice": plan.practice,
        "hash": plan.hash,
        "brakes": [str(brake) for brake in plan.brakes],
        "cause": plan.cause,
        "since": plan.created_at.isoformat(),
        "until": plan.expires_at.isoformat(),
        "approved_by": plan.approved_by if plan.approved_hash == plan.hash else None,
        "counts": plan.counts(),
        "families": [msgspec.to_builtins(one) for one in families_of(connection, plan.practice, actions)],
    }


def families_of(connection: sa.Connection, practice: str, actions: Sequence[Action]) -> list[Family]:
    """These actions family by family, with the names of everybody concerned."""
    return families(actions, names(connection, practice, actions))


def names(connection: sa.Connection, practice: str, actions: Iterable[Action]) -> Mapping[str, str]:
    """The names of the patients and account holders that these actions are about, by reference and by address."""
    listed = list(actions)
    known: dict[str, str] = {}
    charts = sorted({action.patient for action in listed if action.patient})
    for chart in facts.load_charts(connection, practice, charts):
        known[chart.ref] = chart.patient.name if chart.patient else ""
    for batch in batches(sorted({action.account for action in listed})):
        here = sa.and_(t.account.c.practice == practice, t.account.c.email_key.in_(batch))
        for key, name in connection.execute(sa.select(t.account.c.email_key, t.account.c.name).where(here)):
            known[key] = name
    return known
