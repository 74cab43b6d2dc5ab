"""Charts that were merged into others: where each merge ends, and what waits until a human has looked at it.

Source: docs/merges.md; https://hl7.org/fhir/patient-definitions.html#Patient.link
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from enum import StrEnum

import msgspec

from adapter.core.accounts import AccountDecision
from adapter.core.facts import Patient
from adapter.core.state import Account, GrantState

MERGED = "patient-merged"
MERGE_WAITING = "merge-waiting"
"""Why a chart is not opened yet: it took over another one on which the account was, and nobody has looked yet."""
UNMERGE_WAITING = "unmerge-waiting"
"""Why a chart is not opened again yet: the EHR has taken back a merge that was carried out."""
MERGE_HELD = "merge-held"
"""Why a merge cannot be carried out: it ends nowhere."""
LONGEST = 20
"""Charts in a row; no EHR means more."""


class MergeState(StrEnum):
    """How far a merge is."""

    PENDING = "pending"
    HELD = "held"
    DONE = "done"
    TAKEN_BACK = "taken-back"
    """Carried out, and the EHR says no longer that the chart was merged."""


class Trail(msgspec.Struct, frozen=True):
    """The charts from the one that was merged to the one that is left; ``problem`` says why it ends nowhere."""

    path: tuple[str, ...]
    ends: tuple[str, ...]
    """Where nothing opens by itself for who was on the merged chart: the last one, or all that it may be."""
    problem: str = ""


class ChartMerge(msgspec.Struct, frozen=True, kw_only=True):
    """One chart that was merged, and what became of it."""

    source: str
    trail: Trail
    since: datetime
    done_at: datetime | None = None
    done_by: str = ""
    done_into: str = ""
    reason: str = ""
    run: int | None = None
    back_run: int | None = None

    @property
    def end(self) -> str:
        """The chart that is left."""
        return self.trail.ends[0] if self.trail.ends else ""

    @property
    def state(self) -> MergeState | None:
        """None for one that is over: it was taken back, and nothing of it is left."""
        if len(self.trail.path) < 2:
            return MergeState.TAKEN_BACK if self.done_at and self.back_run is None else None
        if self.done_at and self.back_run is None and self.done_into in self.trail.path:
            return MergeState.DONE
        return MergeState.HELD if self.trail.problem else MergeState.PENDING


def follow(source: str, charts: Mapping[str, Patient | None]) -> Trail:
    """Follows ``replaced-by`` from one chart to the one that is left. Every doubt is a problem, never a guess.

    ``charts`` has every chart on the way; None, or none, for one that is not known.
    """
    path = [source]
    while (patient := charts.get(path[-1])) is not None and patient.replaced_by:
        targets = tuple(dict.fromkeys(patient.replaced_by))
        if len(targets) > 1:
            known = tuple(ref for ref in targets if charts.get(ref))
            return Trail(tuple(path + list(targets[:1])), known, "it names several charts that took its place")
        path.append(targets[0])
        if path[-1] in path[:-1] or len(path) > LONGEST:
            return Trail(tuple(path), (), "the charts name each other in a circle")
    if len(path) == 1:
        return Trail(tuple(path), ())
    if patient is None:
        return Trail(tuple(path), (), "the chart that took its place is not in the EHR")
    if patient.deceased:
        return Trail(tuple(path), (path[-1],), "the chart that took its place says that the patient has died")
    if not patient.active:
        return Trail(tuple(path), (path[-1],), "the chart that took its place is inactive")
    if patient.unusable:
        return Trail(tuple(path), (path[-1],), "the chart that took its place is damaged")
    return Trail(tuple(path), (path[-1],))


def waits(account: Account | None, merges: Iterable[ChartMerge]) -> dict[str, str]:
    """The charts that do not open for this account until a human has looked, with the reason code."""
    found: dict[str, str] = {}
    for merge in merges:
        if account is None or merge.source not in account.grants:
            continue
        if merge.state is MergeState.TAKEN_BACK:
            found[merge.source] = UNMERGE_WAITING
        elif merge.state in (MergeState.PENDING, MergeState.HELD):
            for end in merge.trail.ends:
                found.setdefault(end, MERGE_WAITING)
    return found


def replaced(
    account: Account | None, merges: Iterable[ChartMerge], ending: Iterable[str] = ()
) -> dict[str, GrantState]:
    """What becomes of the account's grants on charts that were merged: those in ``ending`` have just been carried."""
    state = {
        merge.source: GrantState.SUSPENDED for merge in merges if merge.state not in (None, MergeState.TAKEN_BACK)
    } | dict.fromkeys(ending, GrantState.ENDED)
    return {chart: state[chart] for chart in account.grants if chart in state} if account else {}


def withhold(decision: AccountDecision, account: Account | None, waiting: Mapping[str, str]) -> AccountDecision:
    """The decision without what would open new on charts that wait (chart to reason code). What is open stays."""
    grants = account.grants if account else {}
    dependents = {
        chart: msgspec.structs.replace(
            one, reason=waiting[chart], fresh=GrantState.HELD, standing=GrantState.HELD, until=None
        )
        if chart in waiting and GrantState.ACTIVE in (one.fresh, one.standing) and not _open(grants, chart)
        else one
        for chart, one in decision.dependents.items()
    }
    return msgspec.structs.replace(decision, dependents=dependents)


def _open(grants: Mapping[str, object], chart: str) -> bool:
    return getattr(grants.get(chart), "state", None) is GrantState.ACTIVE
