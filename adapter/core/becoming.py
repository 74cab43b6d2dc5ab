"""What becomes of one grant or account: the state it should have, and whether that is anything new."""

from collections.abc import Mapping

import msgspec

from adapter.core.accounts import Dependent
from adapter.core.chart_merges import MERGED
from adapter.core.state import Account, AccountStatus, Grant, GrantState
from adapter.core.until import WIDTH, earlier


def wanted(dependent: Dependent, before: Grant | None) -> Grant | None:
    """The grant as it should be now; None where nothing should be, or nothing changes."""
    fresh = before is None or before.state is GrantState.ENDED
    state = dependent.fresh if fresh else dependent.standing
    if state is not None:
        return dependent.grant(state)
    if before is None or before.state is not GrantState.ACTIVE:
        return None
    outcome = dependent.member.outcome
    access = outcome.access if WIDTH[outcome.access] < WIDTH[before.access] else before.access
    return msgspec.structs.replace(before, access=access, until=earlier(before.until, outcome.until))


def same(a: Grant, b: Grant) -> bool:
    """Whether two grants differ in nothing but the version of the record they were last read from."""
    return msgspec.structs.replace(a, source="") == msgspec.structs.replace(b, source="")


def narrows(before: Grant, after: Grant) -> bool:
    """Whether a change of an open grant only takes away."""
    if before.state is not GrantState.ACTIVE:
        return False
    if after.state is not GrantState.ACTIVE or WIDTH[after.access] < WIDTH[before.access]:
        return True
    return (
        after.access is before.access
        and after.until != before.until
        and earlier(after.until, before.until) == after.until
    )


def status_of(current: Account, grants: Mapping[str, Grant], active: list[Grant]) -> AccountStatus:
    """The account's status when these are its grants."""
    if active:
        if current.status not in (AccountStatus.SUSPENDED, AccountStatus.CLOSED):
            return current.status
        return AccountStatus.REGISTERED if current.registered else AccountStatus.PENDING
    if all(grant.state is GrantState.ENDED for grant in grants.values()):
        return AccountStatus.CLOSED
    held = any(grant.state is GrantState.HELD or _awaits_its_merge(grant) for grant in grants.values())
    if current.status is AccountStatus.PENDING or (held and current.status is not AccountStatus.CLOSED):
        return current.status  # a hold opens nothing, but is no evidence against anybody: links and registration stay
    return AccountStatus.SUSPENDED


def _awaits_its_merge(grant: Grant) -> bool:
    """A chart that was merged is no evidence against anybody either: a human decides where the access goes."""
    return grant.state is GrantState.SUSPENDED and grant.reason == MERGED
