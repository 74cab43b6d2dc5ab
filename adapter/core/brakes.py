"""Brakes: how many changes of one kind are ordinary, and what of a change may happen when there are more.

Source: docs/rules.md, "What a run may conclude".
"""

import math
from collections import Counter
from collections.abc import Collection, Mapping
from enum import StrEnum

import msgspec

from adapter.core.policy import Brakes, Limit
from adapter.core.reasons import REASONS
from adapter.core.state import Grant, GrantState
from adapter.core.until import WIDTH


class Brake(StrEnum):
    """The kinds of change that are counted."""

    REVOCATION = "revocation"
    GRANT = "grant"
    WELCOME = "welcome"
    ADDRESS_CHANGE = "address_change"


EXPLICIT = frozenset(
    {
        "patient-inactive",
        "patient-merged",
        "patient-deceased",
        "contact-inactive",
        "contact-not-yet",
        "contact-ended",
        "authority-none",
        "role-self",
        "authority-conflict",
        "dependent-is-adult",
        "shared-email",
    }
)
"""Reasons that the chart itself states against access. They act whatever the number: as a suspension, which a human can
take back. Every other reason is something that is missing, damaged or unknown, and that may be the EHR's mistake."""


class Seen(msgspec.Struct, frozen=True):
    """How many changes of one kind there are: ``run`` in this run, ``day`` and ``week`` in the time before it."""

    run: int
    day: int = 0
    week: int = 0


class Trip(msgspec.Struct, frozen=True):
    """A brake that is on: ``number`` changes ``within`` (run, day, week), where ``allowed`` of ``base`` is ordinary."""

    brake: Brake
    number: int
    allowed: int
    base: int
    within: str


def grant_brake(before: Grant | None, after: Grant) -> Brake | None:
    """Which brake counts this change of a grant. To narrow one that stays open is no revocation."""
    was = before.state if before is not None else None
    if after.state is GrantState.ACTIVE:
        widens = before is None or was is not GrantState.ACTIVE or WIDTH[after.access] > WIDTH[before.access]
        return Brake.GRANT if widens else None
    if was is GrantState.ACTIVE or (was is GrantState.SUSPENDED and after.state is GrantState.ENDED):
        return Brake.REVOCATION
    return None


def restrained(
    before: Grant | None, after: Grant, on: Collection[Brake], reasons: Collection[str] = ()
) -> Grant | None:
    """What of a grant's change may happen while these brakes are on; None when all of it waits.

    What the chart states against an open grant suspends it, also where it is not the headline among the ``reasons``:
    a damaged record keeps no chart of somebody who has died open. Nothing else that a brake counts happens.
    """
    brake = grant_brake(before, after)
    if brake is None or brake not in on:
        return after
    if brake is Brake.GRANT or before is None or before.state is not GrantState.ACTIVE:
        return None
    if EXPLICIT.isdisjoint([after.reason, *reasons]):
        return None
    return msgspec.structs.replace(after, state=GrantState.SUSPENDED) if after.state is GrantState.ENDED else after


def least(limits: Brakes, brake: Brake) -> int:
    """So many changes in a week are ordinary in the smallest practice: below it, nobody has to count what there is."""
    limit: Limit = getattr(limits, brake)
    return min(limit.count, limit.week_count)


def enough(limits: Brakes, brake: Brake, seen: Seen) -> int | None:
    """So much there must be for so many changes to be ordinary; None where that is never enough.

    Nobody has to count further: the answer stays the same, and a large practice has as little to count as a small one.
    """
    needed = 0
    for _, number, count, percent in _windows(limits, brake, seen):
        if number > count:
            if not percent:
                return None
            needed = max(needed, math.ceil((number + 1) * 100 / percent))
    return needed


def trip(limits: Brakes, brake: Brake, seen: Seen, base: int) -> Trip | None:
    """Whether the brake goes on: more in this run, in 24 hours or in 7 days than ``base`` makes ordinary."""
    for within, number, count, percent in _windows(limits, brake, seen):
        allowed = max(count, int(base * percent / 100))
        if number > allowed:
            return Trip(brake, number, allowed, base, within)
    return None


def _windows(limits: Brakes, brake: Brake, seen: Seen) -> tuple[tuple[str, int, int, float], ...]:
    """What is compared: for a run, a day and a week how many there were, and the number and share that are ordinary."""
    limit: Limit = getattr(limits, brake)
    return (
        ("run", seen.run, limit.count, limit.percent),
        ("day", seen.run + seen.day, limit.count, limit.percent),
        ("week", seen.run + seen.week, limit.week_count, limit.week_percent),
    )


def _any_stated(tripped: Trip, reasons: Mapping[str, int]) -> bool:
    return tripped.brake is Brake.REVOCATION and not EXPLICIT.isdisjoint(reasons)


_WHAT = {
    Brake.REVOCATION: ("of {base:,} open charts", "would be closed"),
    Brake.GRANT: ("charts, with {base:,} open now,", "would be opened"),
    Brake.WELCOME: ("Welcome emails, with {base:,} accounts now,", "would be sent"),
    Brake.ADDRESS_CHANGE: ("of {base:,} accounts", "would move to another address"),
}
_WITHIN = {"run": "", "day": " within 24 hours", "week": " within 7 days"}


def cause(tripped: Trip, reasons: Mapping[str, int], *, rules_changed: bool) -> str:
    """One sentence for people: how many, of what, and why. ``reasons`` counts reason codes; no names."""
    of, would = _WHAT[tripped.brake]
    said = f"{tripped.number:,} {of.format(base=tripped.base)} {would}{_WITHIN[tripped.within]}"
    why = []
    if rules_changed:
        why.append("the mapping or the policy changed")
    if tripped.brake is Brake.REVOCATION:
        common = Counter(reasons).most_common(2)
        why += [f"{REASONS[code].summary} ({number:,})" for code, number in common if code in REASONS]
    because = f" because {'; '.join(why)}" if why else ""
    waits = f"More than {tripped.allowed:,} is not ordinary, so they wait for a human"
    stated = "; what the charts themselves state acts meanwhile, as a suspension"
    return f"{said}{because}. {waits}{stated if _any_stated(tripped, reasons) else ''}."
