"""What the practice itself has taken away, until somebody lifts it: one chart from an account, or all of them.

It is stronger than everything the chart says: the rules can only agree with it.
"""

from collections.abc import Collection, Iterator

import msgspec

from adapter.core.accounts import AccountDecision
from adapter.core.plan import Action, ActionKind
from adapter.core.policy import Access
from adapter.core.reasons import REASONS, REVOKED, SUSPENDED
from adapter.core.state import Account, AccountStatus, EffectState, Grant, GrantState, Standing

EVERY = "*"
"""In the place of a chart: all that the account may open, and those it may open one day."""


def withdraw(decision: AccountDecision, charts: Collection[str]) -> AccountDecision:
    """The decision without the charts (references, or ``EVERY``) that were taken away from this address."""
    dependents = {}
    for chart, one in decision.dependents.items():
        code = REVOKED if chart in charts else SUSPENDED if EVERY in charts else ""
        if code and GrantState.ACTIVE in (one.fresh, one.standing):
            reason = REASONS[code]
            one = msgspec.structs.replace(one, reason=code, fresh=reason.fresh, standing=reason.standing)
        dependents[chart] = one
    return msgspec.structs.replace(decision, dependents=dependents)


def revoke_actions(account: Account, patient: str, reason: str = REVOKED) -> list[Action]:
    """What takes this chart away from the account at once, and nothing else: no brake holds it."""
    before = account.grants.get(patient)
    if before is None or before.state not in _OPEN:
        return []
    actions = [_suspended(account, before, reason)]
    others = [grant for chart, grant in account.grants.items() if chart != patient]
    if any(grant.state is GrantState.ACTIVE for grant in others):
        return actions
    return [*actions, *_shut(account, reason, before.source)]


def suspend_actions(account: Account) -> list[Action]:
    """What closes every chart of the account at once, and takes back the mail that has not left."""
    grants = [grant for _, grant in sorted(account.grants.items()) if grant.state in _OPEN]
    source = grants[0].source if grants else ""
    return [*(_suspended(account, grant, SUSPENDED) for grant in grants), *_shut(account, SUSPENDED, source)]


_OPEN = (GrantState.ACTIVE, GrantState.HELD)
_WITH_LINKS = (AccountStatus.INVITED, AccountStatus.REGISTERED)


def _suspended(account: Account, before: Grant, reason: str) -> Action:
    after = msgspec.structs.replace(before, state=GrantState.SUSPENDED, reason=reason, access=Access.NONE, until=None)
    return Action(
        ActionKind.SUSPEND_GRANT,
        account.email_key,
        before.patient,
        reason,
        before.source,
        grant=after,
        before=before,
        account_id=account.id,
    )


def _shut(account: Account, reason: str, source: str) -> Iterator[Action]:
    """The account itself, and its Welcome email. One that has had none yet stays pending, unless all of it is shut."""
    was = Standing.of(account)
    if account.status in _WITH_LINKS or (reason == SUSPENDED and account.status is AccountStatus.PENDING):
        yield Action(
            ActionKind.SUSPEND_ACCOUNT,
            account.email_key,
            None,
            reason,
            source,
            status=AccountStatus.SUSPENDED,
            account_id=account.id,
            was=was,
        )
    if account.welcome in (EffectState.QUEUED, EffectState.HELD):
        yield Action(ActionKind.CANCEL_WELCOME, account.email_key, None, reason, source, account_id=account.id, was=was)
