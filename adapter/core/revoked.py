"""What the practice itself has taken away: one account's access to one chart, until somebody lifts it.

It is stronger than everything the chart says: the rules can only agree with it.
"""

from collections.abc import Collection

import msgspec

from adapter.core.accounts import AccountDecision
from adapter.core.plan import Action, ActionKind
from adapter.core.policy import Access
from adapter.core.reasons import REASONS, REVOKED
from adapter.core.state import Account, AccountStatus, EffectState, GrantState, Standing


def withdraw(decision: AccountDecision, charts: Collection[str]) -> AccountDecision:
    """The decision without the charts (references) that were taken away from this address."""
    reason = REASONS[REVOKED]
    dependents = {
        chart: msgspec.structs.replace(one, reason=REVOKED, fresh=reason.fresh, standing=reason.standing)
        if chart in charts and GrantState.ACTIVE in (one.fresh, one.standing)
        else one
        for chart, one in decision.dependents.items()
    }
    return msgspec.structs.replace(decision, dependents=dependents)


def revoke_actions(account: Account, patient: str, reason: str = REVOKED) -> list[Action]:
    """What takes this chart away from the account at once, and nothing else: no brake holds it."""
    before = account.grants.get(patient)
    if before is None or before.state not in (GrantState.ACTIVE, GrantState.HELD):
        return []
    after = msgspec.structs.replace(before, state=GrantState.SUSPENDED, reason=reason, access=Access.NONE, until=None)
    actions = [
        Action(
            ActionKind.SUSPEND_GRANT,
            account.email_key,
            patient,
            reason,
            before.source,
            grant=after,
            before=before,
            account_id=account.id,
        )
    ]
    others = [grant for chart, grant in account.grants.items() if chart != patient]
    if any(grant.state is GrantState.ACTIVE for grant in others):
        return actions
    was = Standing.of(account)
    if account.status in (AccountStatus.INVITED, AccountStatus.REGISTERED):
        actions.append(
            Action(
                ActionKind.SUSPEND_ACCOUNT,
                account.email_key,
                None,
                reason,
                before.source,
                status=AccountStatus.SUSPENDED,
                account_id=account.id,
                was=was,
            )
        )
    if account.welcome in (EffectState.QUEUED, EffectState.HELD):
        actions.append(
            Action(
                ActionKind.CANCEL_WELCOME,
                account.email_key,
                None,
                reason,
                before.source,
                account_id=account.id,
                was=was,
            )
        )
    return actions
