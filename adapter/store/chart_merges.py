"""Merges of charts as they are kept, and the charts on the way of each, read from what the EHR last said."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa

from adapter.core.chart_merges import LONGEST, ChartMerge, follow
from adapter.core.facts import Patient
from adapter.core.state import GrantState
from adapter.store import facts
from adapter.store import tables as t
from adapter.store.sql import among, batches, insert_all


def load(connection: sa.Connection, practice: str) -> list[ChartMerge]:
    """Every merge that anybody had access to, with the charts it leads over now."""
    query = sa.select(t.chart_merge).where(t.chart_merge.c.practice == practice).order_by(t.chart_merge.c.source)
    rows = connection.execute(query).all()
    charts = charts_on_the_way(connection, practice, [row.source for row in rows]) if rows else {}
    return [
        ChartMerge(
            source=row.source,
            trail=follow(row.source, charts),
            since=row.since,
            done_at=row.done_at,
            done_by=row.done_by,
            done_into=row.done_into,
            reason=row.reason,
            run=row.run,
            back_run=row.back_run,
        )
        for row in rows
    ]


def charts_on_the_way(connection: sa.Connection, practice: str, sources: Sequence[str]) -> dict[str, Patient | None]:
    """These charts and all that took their place, by reference."""
    known: dict[str, Patient | None] = {}
    wanted = set(sources)
    for _ in range(LONGEST + 1):
        if not wanted:
            break
        found = {chart.ref: chart.patient for chart in facts.load_charts(connection, practice, sorted(wanted))}
        known |= found
        wanted = {ref for one in found.values() if one for ref in one.replaced_by} - known.keys()
    return known


def note(connection: sa.Connection, practice: str, merged: Iterable[str], now: datetime) -> None:
    """Begins a merge for each of these charts on which somebody has access, or from whom it was taken away."""
    sources = sorted(set(merged))
    concerned: set[str] = set()
    for batch in batches(sources):
        live = sa.and_(among(connection, t.grant.c.patient, batch), t.grant.c.state != GrantState.ENDED)
        query = sa.select(t.grant.c.patient).join(t.account, t.account.c.id == t.grant.c.account_id)
        concerned |= set(connection.scalars(query.where(live, t.account.c.practice == practice)))
        taken = sa.and_(t.revocation.c.practice == practice, among(connection, t.revocation.c.patient, batch))
        query = sa.select(t.revocation.c.patient).where(taken, t.revocation.c.lifted_at.is_(None))
        concerned |= set(connection.scalars(query))
    known = {row["source"]: row for row in _rows(connection, practice)}
    new = [
        {"practice": practice, "source": source, "ends": "[]", "since": now}
        for source in sorted(concerned - known.keys())
    ]
    insert_all(connection, t.chart_merge, new)
    for source in sources:
        if source in known and known[source]["back_run"] is not None:  # merged once more, after it was taken back
            save(connection, practice, source, **_ANEW, since=now)


_ANEW = {
    "done_at": None,
    "done_by": "",
    "done_into": "",
    "reason": "",
    "run": None,
    "back_run": None,
    "approved_by": "",
    "approved_hash": "",
}


def settle(connection: sa.Connection, practice: str, merges: Iterable[ChartMerge]) -> None:
    """Keeps where each merge ends now; forgets those that were taken back before anybody let them go."""
    known = {row["source"]: row["ends"] for row in _rows(connection, practice)}
    for merge in merges:
        ends = msgspec.json.encode(merge.trail.ends if merge.state else ()).decode()
        if merge.state is None and merge.back_run is None:
            here = sa.and_(t.chart_merge.c.practice == practice, t.chart_merge.c.source == merge.source)
            connection.execute(sa.delete(t.chart_merge).where(here))
        elif known.get(merge.source) != ends:
            save(connection, practice, merge.source, ends=ends)


def save(connection: sa.Connection, practice: str, source: str, **values: Any) -> None:
    """Sets columns of one merge."""
    here = sa.and_(t.chart_merge.c.practice == practice, t.chart_merge.c.source == source)
    connection.execute(sa.update(t.chart_merge).where(here).values(**values))


def approval(connection: sa.Connection, practice: str, source: str) -> tuple[str, str]:
    """Who has let it go as the first of two people, and the hash of what they saw; both empty when nobody has."""
    here = sa.and_(t.chart_merge.c.practice == practice, t.chart_merge.c.source == source)
    row = connection.execute(sa.select(t.chart_merge.c.approved_by, t.chart_merge.c.approved_hash).where(here)).one()
    return row.approved_by, row.approved_hash


def take_back(connection: sa.Connection, practice: str, run: int) -> None:
    """The run that let a merge go, or took one back, was itself taken back: the merge waits again."""
    done = sa.and_(t.chart_merge.c.practice == practice, t.chart_merge.c.run == run)
    connection.execute(sa.update(t.chart_merge).where(done).values(**_ANEW))
    back = sa.and_(t.chart_merge.c.practice == practice, t.chart_merge.c.back_run == run)
    connection.execute(sa.update(t.chart_merge).where(back).values(back_run=None))


def ends_of(connection: sa.Connection, practice: str) -> dict[str, list[str]]:
    """By merged chart: the charts that are left. What was taken away on the first stays away on those."""
    return {row["source"]: msgspec.json.decode(row["ends"], type=list[str]) for row in _rows(connection, practice)}


def _rows(connection: sa.Connection, practice: str) -> list[Any]:
    return list(connection.execute(sa.select(t.chart_merge).where(t.chart_merge.c.practice == practice)).mappings())
