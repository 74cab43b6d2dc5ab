"""Merges of charts as a run meets them: noted, followed to their end, and put in front of a human as findings."""

from collections.abc import Iterable, Sequence
from datetime import datetime

import sqlalchemy as sa

from adapter.core.chart_merges import (
    MERGE_HELD,
    MERGE_WAITING,
    UNMERGE_WAITING,
    ChartMerge,
    MergeState,
)
from adapter.core.findings import Finding
from adapter.core.reasons import REASONS
from adapter.store import chart_merges, facts, findings


def look_at_merges(
    connection: sa.Connection, practice: str, before: Sequence[ChartMerge], merged: Iterable[str], now: datetime
) -> list[ChartMerge]:
    """Every merge as it is now that these charts were found merged; its finding is opened or closed."""
    sources = list(merged)
    if not before and not sources:
        return []
    chart_merges.note(connection, practice, sources, now)
    merges = chart_merges.load(connection, practice)
    chart_merges.settle(connection, practice, merges)
    tell(connection, practice, merges, [one.source for one in before], now)
    return merges


def tell(
    connection: sa.Connection, practice: str, merges: Sequence[ChartMerge], known: Iterable[str], now: datetime
) -> None:
    """Makes a finding of every merge that waits for a human or ends nowhere; closes those of the others."""
    scopes = sorted({scope(source) for source in (*known, *(one.source for one in merges))})
    names = names_of(connection, practice, merges)
    found = [finding for one in merges if (finding := _finding(one, names)) is not None]
    if scopes:
        findings.settle(connection, practice, scopes, found, now)


def names_of(connection: sa.Connection, practice: str, merges: Iterable[ChartMerge]) -> dict[str, str]:
    """The names on every chart of these merges, with the reference, by reference."""
    refs = sorted({ref for one in merges for ref in (*one.trail.path, one.done_into) if ref.startswith("Patient/")})
    named = {
        chart.ref: f"{chart.patient.name} ({chart.ref})"
        for chart in facts.load_charts(connection, practice, refs)
        if chart.patient and chart.patient.name
    }
    return {ref: named.get(ref, ref) for ref in refs}


def say(merge: ChartMerge, names: dict[str, str]) -> str:
    """The merge in one sentence for people: over every chart to the end."""
    source = names.get(merge.source, merge.source)
    if merge.state is MergeState.TAKEN_BACK:
        into = names.get(merge.done_into, merge.done_into)
        return f"The chart of {source} was merged into that of {into}, and the EHR has taken that back."
    way = [names.get(ref, "a chart outside this EHR" if "/" not in ref else ref) for ref in merge.trail.path[1:]]
    return f"The chart of {source} was merged into that of {', and that one into that of '.join(way)}."


def scope(source: str) -> str:
    """The scope of a merge's finding."""
    return f"merge:{source}"


def _finding(merge: ChartMerge, names: dict[str, str]) -> Finding | None:
    said = say(merge, names)
    if merge.state is MergeState.HELD:
        message = f"{said} Nothing moves, because {merge.trail.problem}."
        return _of(MERGE_HELD, message, merge, merge.end or merge.source, REASONS[MERGE_HELD].remedy)
    if merge.state is MergeState.PENDING:
        message = f"{said} Whoever could open the first chart opens nothing new until somebody has looked."
        remedy = f"Look at what would move, then let it go: adapter merge {merge.source} {merge.end}"
        return _of(MERGE_WAITING, message, merge, merge.end, remedy)
    if merge.state is MergeState.TAKEN_BACK:
        remedy = f"Look at what would come back, then let it go: adapter unmerge {merge.source}"
        return _of(UNMERGE_WAITING, f"{said} It opens to nobody again by itself.", merge, merge.source, remedy)
    return None


def _of(code: str, message: str, merge: ChartMerge, patient: str, remedy: str) -> Finding:
    return Finding(
        code=code,
        message=message,
        scope=scope(merge.source),
        patient=patient,
        severity=REASONS[code].finding,
        remedy=remedy,
    )
