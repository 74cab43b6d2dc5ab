"""The difference between what an account should be and what it is, as a list of actions with reasons."""

from collections.abc import Collection, Iterator, Mapping
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType

import msgspec

from adapter.core.accounts import AccountDecision, Dependent, Member, lost_grant, reasons_against
from adapter.core.becoming import narrows, same, status_of, wanted
from adapter.core.brakes import Brake, grant_brake, restrained
from adapter.core.chart_merges import MERGED
from adapter.core.policy import Access
from adapter.core.reasons import ELIGIBLE, FIRST_RUN
from adapter.core.state import Account, AccountStatus, EffectState, Grant, GrantState, Standing


class ActionKind(StrEnum):
    """What a plan can do."""

    OPEN_ACCOUNT = "open-account"
    MOVE_ACCOUNT = "move-account"
    MOVE_BACK = "move-account-back"
    UPDATE_ACCOUNT = "update-account"
    REOPEN_ACCOUNT = "reopen-account"
    SUSPEND_ACCOUNT = "suspend-account"
    CLOSE_ACCOUNT = "close-account"
    GRANT = "grant"
    CHANGE_GRANT = "change-grant"
    HOLD_GRANT = "hold-grant"
    SUSPEND_GRANT = "suspend-grant"
    END_GRANT = "end-grant"
    QUEUE_WELCOME = "queue-welcome"
    HOLD_WELCOME = "hold-welcome"
    CANCEL_WELCOME = "cancel-welcome"


BY_STATE = {
    GrantState.ACTIVE: ActionKind.GRANT,
    GrantState.HELD: ActionKind.HOLD_GRANT,
    GrantState.SUSPENDED: ActionKind.SUSPEND_GRANT,
    GrantState.ENDED: ActionKind.END_GRANT,
}
_BRAKES = {ActionKind.QUEUE_WELCOME: Brake.WELCOME, ActionKind.MOVE_ACCOUNT: Brake.ADDRESS_CHANGE}
NOT_MERGED: Mapping[str, GrantState] = MappingProxyType({})
NOT_SHUT: Mapping[str, str] = MappingProxyType({})
_WAITING = frozenset({EffectState.QUEUED, EffectState.HELD})


class Action(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """One thing a run would do. ``account`` is the e-mail key; ``source`` the version of the record that caused it."""

    action: ActionKind
    account: str
    patient: str | None
    reason: str
    source: str
    grant: Grant | None = None
    """The grant as it will be, for the grant actions."""
    before: Grant | None = None
    email: str = ""
    name: str = ""
    language: str = ""
    status: AccountStatus | None = None
    """The account's status afterwards, for the account actions."""
    new_key: str = ""
    """The e-mail key an account moves to."""
    account_id: str = ""
    """Empty for an account that the plan itself opens."""
    was: Standing | None = None
    """The account as it was before, for every action but those on a grant."""
    registered_at: datetime | None = None
    """For an account that moves back: when its parent had registered at the old address."""

    @property
    def brake(self) -> Brake | None:
        """Which brake counts this action."""
        return grant_brake(self.before, self.grant) if self.grant else _BRAKES.get(self.action)


def plan_account(
    decision: AccountDecision,
    current: Account | None,
    contacts_now: Mapping[str, Member],
    *,
    hold_welcome: bool,
    only_restrict: bool = False,
    brakes: Collection[Brake] = (),
    merged: Mapping[str, GrantState] = NOT_MERGED,
    shut: Mapping[str, str] = NOT_SHUT,
) -> list[Action]:
    """What makes ``current`` equal to ``decision``; empty when it already is.

    ``contacts_now`` has, by reference, the contacts that the account's existing grants rest on, wherever they are now.
    ``hold_welcome`` holds Welcome emails for a human's release. With ``only_restrict`` (an incomplete read) nothing is
    opened or widened; explicit evidence against access still acts. What a brake in ``brakes`` holds is left out,
    but not what a chart's own record states: ``shut`` has the reason for which it closes the chart. ``merged``
    has the charts that were merged into others, with the state to which a grant on them goes.
    """
    planner = _Planner(decision, current, only_restrict, brakes, merged, shut)
    grants = dict(current.grants) if current else {}
    for action in planner.grants(contacts_now):
        planner.actions.append(action)
        if action.grant:
            grants[action.grant.patient] = action.grant
    if current is None and (not grants or planner.held):
        return []
    active = [grant for _, grant in sorted(grants.items()) if grant.state is GrantState.ACTIVE]
    planner.account(grants, active)
    if not only_restrict or not active:
        planner.welcome(active, hold=hold_welcome)
    return planner.actions


def plan_move(decision: AccountDecision, account: Account, contacts_now: Mapping[str, Member]) -> Action | None:
    """Moves ``account`` to the decision's address when every contact its grants rest on has that address now.

    ``contacts_now`` is as in ``plan_account``; a contact that is gone keeps nobody from moving. None when somebody
    stayed at the old address (then the two addresses are two accounts), or when the new one opens nothing.
    """
    here = {member.contact.ref: member for person in decision.people for member in person}
    live = [grant.contact for grant in account.grants.values() if grant.state is not GrantState.ENDED]
    moved = [contact for contact in live if contact in here]
    stayed = any(contact in contacts_now and contact not in here for contact in live)
    opens = any(dependent.fresh is GrantState.ACTIVE for dependent in decision.dependents.values())
    if not moved or stayed or not opens:
        return None
    first = here[min(moved)].contact
    return Action(
        ActionKind.MOVE_ACCOUNT,
        account.email_key,
        None,
        "email-changed",
        first.source,
        email=first.email,
        name=decision.name,
        language=decision.language,
        new_key=decision.email_key,
        account_id=account.id,
        status=AccountStatus.PENDING,
        was=Standing.of(account),
    )


class _Planner:
    """Collects one account's actions."""

    def __init__(
        self,
        decision: AccountDecision,
        current: Account | None,
        only_restrict: bool,
        brakes: Collection[Brake],
        merged: Mapping[str, GrantState],
        shut: Mapping[str, str],
    ) -> None:
        self.decision = decision
        self.current = current
        self.only_restrict = only_restrict
        self.brakes = brakes
        self.merged = merged
        self.shut = shut
        self.held = False
        """Whether a brake has held a change of a grant."""
        self.actions: list[Action] = []

    def grants(self, contacts_now: Mapping[str, Member]) -> Iterator[Action]:
        """The changes to grants, by chart."""
        existing = self.current.grants if self.current else {}
        dependents = self.decision.dependents
        for patient in sorted(dependents.keys() | existing.keys()):
            before = existing.get(patient)
            dependent = dependents.get(patient)
            after = self._of_merged(before, dependent is not None, contacts_now)
            after = after or self._decided(before, dependent, contacts_now)
            if after is None or (before is not None and same(before, after)):
                continue
            if self.only_restrict and (before is None or not narrows(before, after)):
                continue
            if self.brakes:
                reasons = reasons_against(dependent, before, contacts_now, self.shut)
                unbraked, after = after, restrained(before, after, self.brakes, reasons)
                self.held = self.held or unbraked is not after
                if after is None or (before is not None and same(before, after)):
                    continue
            kind = (
                ActionKind.CHANGE_GRANT if before is not None and before.state is after.state else BY_STATE[after.state]
            )
            yield self._action(kind, after.patient, after.reason, after.source, grant=after, before=before)

    def _decided(
        self, before: Grant | None, dependent: Dependent | None, contacts_now: Mapping[str, Member]
    ) -> Grant | None:
        """The grant as the rules have it; None where there should be none, or nothing changes."""
        if dependent is not None:
            return wanted(dependent, before)
        if before is None or before.state is GrantState.ENDED:
            return None
        state, reason = lost_grant(before, contacts_now)
        return msgspec.structs.replace(before, state=state, reason=reason, access=Access.NONE, until=None)

    def _of_merged(self, before: Grant | None, supported: bool, contacts_now: Mapping[str, Member]) -> Grant | None:
        """The grant on a chart that was merged, where its contact is on another chart by now, or a human moved it."""
        state = self.merged.get(before.patient) if before is not None else None
        if before is None or state is None or before.state is GrantState.ENDED:
            return None
        if state is not GrantState.ENDED and (supported or before.contact not in contacts_now):
            return None
        return msgspec.structs.replace(before, state=state, reason=MERGED, access=Access.NONE, until=None)

    def account(self, grants: Mapping[str, Grant], active: list[Grant]) -> None:
        """Opens, updates, suspends, closes or reopens the account as its grants now say."""
        decision, current = self.decision, self.current
        if current is None:
            first = active[0] if active else grants[min(grants)]
            opening = self._action(
                ActionKind.OPEN_ACCOUNT, None, first.reason, first.source, status=AccountStatus.PENDING
            )
            self.actions.insert(0, opening)
            return
        status = status_of(current, grants, active)
        cause = next((action for action in self.actions if action.grant), None)
        reason, source = (cause.reason, cause.source) if cause else ("no-open-chart", "")
        if status is not current.status and not (self.only_restrict and active):
            kind = {
                AccountStatus.SUSPENDED: ActionKind.SUSPEND_ACCOUNT,
                AccountStatus.CLOSED: ActionKind.CLOSE_ACCOUNT,
            }.get(status, ActionKind.REOPEN_ACCOUNT)
            self.actions.append(self._action(kind, None, reason, source, status=status))
        named = bool(decision.dependents) and (decision.email, decision.name, decision.language)
        if named and named != (current.email, current.name, current.language) and not self.only_restrict:
            self.actions.append(
                self._action(ActionKind.UPDATE_ACCOUNT, None, reason if cause else ELIGIBLE, source, status=status)
            )

    def welcome(self, active: list[Grant], *, hold: bool) -> None:
        """Queues the one Welcome email of an account that may open a chart; cancels one that must not leave."""
        current = self.current
        state = current.welcome if current else None
        if not active:
            if state in _WAITING:
                cause = next((action for action in self.actions if action.grant), None)
                reason, source = (cause.reason, cause.source) if cause else ("no-open-chart", "")
                self.actions.append(self._action(ActionKind.CANCEL_WELCOME, None, reason, source))
            return
        reopened = any(action.action is ActionKind.REOPEN_ACCOUNT for action in self.actions)
        registered = current is not None and current.registered
        if not registered and (state is None or state is EffectState.CANCELLED or (reopened and state not in _WAITING)):
            # One for an account that moved or opens again is counted as that: held, nothing would bring it up later.
            first = state is EffectState.CANCELLED or current is None or not current.generation
            if Brake.WELCOME in self.brakes and first and not hold:
                return
            kind = ActionKind.HOLD_WELCOME if hold else ActionKind.QUEUE_WELCOME
            reason = FIRST_RUN if hold else active[0].reason
            self.actions.append(self._action(kind, None, reason, active[0].source))

    def _action(
        self,
        kind: ActionKind,
        patient: str | None,
        reason: str,
        source: str,
        *,
        grant: Grant | None = None,
        before: Grant | None = None,
        status: AccountStatus | None = None,
    ) -> Action:
        decision, current = self.decision, self.current
        named = status is not None
        return Action(
            kind,
            decision.email_key,
            patient,
            reason,
            source,
            grant=grant,
            before=before,
            email=decision.email if named else "",
            name=decision.name if named else "",
            language=decision.language if named else "",
            status=status,
            account_id=current.id if current else "",
            was=Standing.of(current) if current and grant is None else None,
        )
