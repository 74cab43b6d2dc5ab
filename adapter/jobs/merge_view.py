"""Merges of charts as people see them: which there are, and what each means for whom."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from adapter.core.chart_merges import MERGED, ChartMerge, MergeState
from adapter.core.families import Family
from adapter.core.state import Account, AccountStatus, EffectState, Grant, GrantState
from adapter.jobs.chart_merges import names_of, say
from adapter.store import chart_merges, undone
from adapter.store.engine import read

KEEPS, GETS, LOSES, NOTHING = "keeps", "gets", "loses", "has nothing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """What letting a merge go means for one account."""

    account: str
    name: str
    what: str
    """``keeps`` what it could open before the merge, ``gets`` what it could not, ``loses`` it, or ``has nothing``."""
    why: str
    """The reason code of its grant on the chart that is left; empty where it has none."""
    own: bool = False
    """It is the patient's own account."""
    mail: str = ""
    """What becomes of its Welcome email and link."""


@dataclass(slots=True, kw_only=True)
class Merging:
    """What a merge, or taking one back, does or did."""

    practice: str
    source: str
    target: str
    unmerge: bool
    said: str
    path: list[str]
    hash: str = ""
    seen: dict[str, str] = field(default_factory=dict)
    """What it rests on: a hash of each chart, contact and account, by reference and address."""
    moves: list[Moved] = field(default_factory=list)
    changes: dict[str, int] = field(default_factory=dict)
    families: list[Family] = field(default_factory=list)
    done_by: int | None = None
    needs_second: bool = False
    """Noted as the first of two people; somebody else has to let it go too."""


def listing(engine: sa.Engine, practices: Sequence[str]) -> list[dict[str, Any]]:
    """Every merge that somebody had access to: what waits for a human first, then what is done."""
    found: list[dict[str, Any]] = []
    with read(engine) as connection:
        for practice in practices:
            merges = [one for one in chart_merges.load(connection, practice) if one.state is not None]
            names = names_of(connection, practice, merges)
            found += [_listed(practice, one, say(one, names)) for one in sorted(merges, key=_waits_first)]
    return found


def _waits_first(merge: ChartMerge) -> tuple[bool, datetime]:
    return merge.state is MergeState.DONE, merge.since


def _listed(practice: str, merge: ChartMerge, said: str) -> dict[str, Any]:
    return {
        "practice": practice,
        "source": merge.source,
        "target": merge.done_into if merge.state is MergeState.TAKEN_BACK else merge.end,
        "path": list(merge.trail.path),
        "state": str(merge.state),
        "said": said,
        "problem": merge.trail.problem if merge.state is MergeState.HELD else "",
        "since": merge.since.isoformat(),
        "done_at": merge.done_at.isoformat() if merge.done_at else None,
        "done_by": merge.done_by,
        "reason": merge.reason,
        "run": merge.run,
    }


def moved(connection: sa.Connection, shown: Merging, before: Account, after: Account) -> Moved:
    """What it means for one account: as it was, and as it is when the merge has been carried out."""
    left = shown.source if shown.unmerge else shown.target
    had = _is_open(before.grants.get(left)) or (
        not shown.unmerge and undone.was_open(connection, shown.practice, before.id, shown.source, MERGED)
    )
    grant = after.grants.get(left)
    has = _is_open(grant)
    return Moved(
        account=before.email_key,
        name=before.name,
        what=(KEEPS if had else GETS) if has else LOSES if had else NOTHING,
        why=grant.reason if grant else "",
        own=any(one is not None and one.is_self for one in (grant, before.grants.get(shown.source))),
        mail=_mail(before, after, has=has),
    )


def _is_open(grant: Grant | None) -> bool:
    return grant is not None and grant.state is GrantState.ACTIVE


def _mail(before: Account, after: Account, *, has: bool) -> str:
    if after.registered and has:
        return "registered: nothing to send"
    if after.status in (AccountStatus.CLOSED, AccountStatus.SUSPENDED):
        return "the link in its Welcome email works no more" if before.status is AccountStatus.INVITED else ""
    if after.welcome in (EffectState.SENT, EffectState.SENDING, EffectState.UNKNOWN) and has:
        return "the Welcome email has left and is not sent again; its link goes on working"
    if after.welcome is EffectState.HELD:
        return "the Welcome email waits for the first release"
    return "the Welcome email goes out" if after.welcome is EffectState.QUEUED else ""
