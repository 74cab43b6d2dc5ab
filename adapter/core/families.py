"""A plan for people to read: its actions family by family, each with whom it concerns, which chart, and why."""

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from adapter.core.plan import Action
from adapter.core.reasons import BRAKE_ON, FIRST_RUN, REASONS

_WHY = {
    FIRST_RUN: "the practice's first Welcome emails wait for a release",
    BRAKE_ON: "more than is ordinary",
}


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One action: ``account`` is the address, ``patient`` the chart's reference or None, ``because`` a phrase."""

    action: str
    account: str
    name: str
    patient: str | None
    chart: str
    """The patient's name, as far as it is known."""
    reason: str
    because: str
    new_account: str = ""


class Family(msgspec.Struct, frozen=True, kw_only=True):
    """Accounts that share a chart, and the charts they share."""

    charts: tuple[str, ...]
    """The patients' names, or the references of charts without one."""
    lines: tuple[Line, ...]


def families(actions: Iterable[Action], names: Mapping[str, str]) -> list[Family]:
    """Groups a plan's actions; ``names`` has, by reference or address, what is known of names. In order of the plan."""
    listed = list(actions)
    leader: dict[str, str] = {}

    def find(node: str) -> str:
        while leader.setdefault(node, node) != node:
            leader[node] = node = leader[leader[node]]
        return node

    for action in listed:
        for other in (action.patient, action.new_key):
            if other:
                leader[find(other)] = find(action.account)
    groups: dict[str, list[Action]] = {}
    for action in listed:
        groups.setdefault(find(action.account), []).append(action)
    return [_family(group, names) for group in groups.values()]


def _family(actions: Sequence[Action], names: Mapping[str, str]) -> Family:
    charts = sorted({action.patient for action in actions if action.patient})
    own = {action.account: action.name for action in actions if action.name}
    lines = [
        Line(
            action=str(action.action),
            account=action.account,
            name=own.get(action.account) or names.get(action.account, ""),
            patient=action.patient,
            chart=names.get(action.patient or "", ""),
            reason=action.reason,
            because=because(action.reason),
            new_account=action.new_key,
        )
        for action in sorted(actions, key=lambda action: action.account)
    ]
    return Family(charts=tuple(names.get(chart) or chart for chart in charts), lines=tuple(lines))


def because(reason: str) -> str:
    """A reason code as a phrase."""
    return REASONS[reason].summary if reason in REASONS else _WHY.get(reason, reason.replace("-", " "))
