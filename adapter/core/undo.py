"""Taking a run back: the exact inverse of what it did to one account, as far as nothing has moved since.

``docs/adr/0029-undo.md`` says what is taken back, and what is not.
"""

from collections.abc import Mapping, Sequence

import msgspec

from adapter.core.facts import Authority, Role
from adapter.core.plan import BY_STATE, Action, ActionKind
from adapter.core.policy import Access
from adapter.core.reasons import UNDONE
from adapter.core.state import Account, AccountStatus, EffectState, Grant, GrantState, Standing

_WAITING = (EffectState.QUEUED, EffectState.HELD)
_LEFT = (EffectState.SENT, EffectState.SENDING, EffectState.UNKNOWN)
_NEW = (ActionKind.OPEN_ACCOUNT, ActionKind.QUEUE_WELCOME, ActionKind.HOLD_WELCOME)
"""What a run does to an account that it opens."""
_SHUT = (AccountStatus.SUSPENDED, AccountStatus.CLOSED)


class Terms(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """What the audit trail keeps of a grant beside its entry's own account, chart, reason and source."""

    contact: str
    role: Role
    authority: Authority
    access: Access
    state: GrantState
    is_self: bool = False

    @classmethod
    def of(cls, grant: Grant) -> "Terms":
        return cls(grant.contact, grant.role, grant.authority, grant.access, grant.state, grant.is_self)


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One thing the run did to the account, as the audit trail has it."""

    action: ActionKind
    patient: str | None = None
    before: Grant | None = None
    after: Terms | None = None
    was: Standing | None = None
    became: Standing | None = None
    email_key: str = ""
    new_key: str = ""


class Undoing(msgspec.Struct, kw_only=True):
    """What taking the run back means for one account."""

    actions: list[Action] = []
    moved: list[str] = []
    """Charts that are not as the run left them, ``account`` for the account itself: then nothing is taken back."""
    stays: dict[str, str] = {}
    """Charts that stay closed, with the reason code that now speaks against them."""
    left: bool = False
    """A Welcome email or notice has left; it cannot be called back."""
    dead_link: bool = False
    """The account had a Welcome email whose link the run has ended; it stays dead."""


def undo_account(
    changes: Sequence[Change], current: Account, allowed: Mapping[str, Grant | str], *, notice_left: bool = False
) -> Undoing:
    """The inverse of ``changes`` (in order) on ``current``.

    ``allowed`` has, for every chart that would open again, the grant as it may be now, or why it may not.
    """
    undoing = Undoing(actions=[], moved=[], stays={}, left=notice_left)
    first: dict[str, Change] = {}
    for change in changes:
        if change.patient is not None:
            first.setdefault(change.patient, change)
    last = {change.patient: change for change in changes if change.patient is not None}
    for patient, change in sorted(last.items()):
        now = current.grants.get(patient)
        if now is None or Terms.of(now) != change.after:
            undoing.moved.append(patient)
    if not _stands(changes, current):
        undoing.moved.append("account")
    if undoing.moved:
        return undoing
    move = next((change for change in changes if change.action is ActionKind.MOVE_ACCOUNT), None)
    key = move.email_key if move else current.email_key
    if move is not None:
        undoing.actions.append(_action(ActionKind.MOVE_BACK, current, current.email_key, new_key=key, back=move.was))
    after = dict(current.grants)
    for patient, change in sorted(first.items()):
        grant = _grant_before(change.before, current.grants[patient], allowed.get(patient), undoing)
        if grant == current.grants[patient]:
            continue
        now = current.grants[patient]
        kind = ActionKind.CHANGE_GRANT if now.state is grant.state else BY_STATE[grant.state]
        undoing.actions.append(_action(kind, current, key, patient=patient, grant=grant, before=now))
        after[patient] = grant
    opens = any(grant.state is GrantState.ACTIVE for grant in after.values())
    _standing_before(changes, current, key, undoing, opens=opens, moved=move is not None)
    return undoing


def _stands(changes: Sequence[Change], current: Account) -> bool:
    """Whether the account itself is as the run left it. A Welcome email that left, or a registration, is no matter."""
    for change in changes:
        if change.was is None and change.patient is None and change.action not in _NEW:
            return False  # written before the trail had before and after
    status = [change.became.status for change in changes if change.became and change.became.status]
    moves = [change for change in changes if change.action is ActionKind.MOVE_ACCOUNT]
    if moves and (moves[-1].new_key != current.email_key or current.registered_at is not None):
        return False
    grown = (AccountStatus.INVITED, AccountStatus.REGISTERED)
    return not status or status[-1] is current.status or (status[-1] not in _SHUT and current.status in grown)


def _grant_before(before: Grant | None, now: Grant, may: Grant | str | None, undoing: Undoing) -> Grant:
    if before is None:
        if now.state is GrantState.ENDED:
            return now
        return msgspec.structs.replace(now, state=GrantState.ENDED, reason=UNDONE, access=Access.NONE, until=None)
    if isinstance(may, str):
        undoing.stays[before.patient] = may
        return now
    return may or before


def _standing_before(
    changes: Sequence[Change], current: Account, key: str, undoing: Undoing, *, opens: bool, moved: bool
) -> None:
    """The account's status, names and Welcome email as they were."""
    was = next((change.was for change in changes if change.patient is None and change.was), None)
    opened = any(change.action is ActionKind.OPEN_ACCOUNT for change in changes)
    status = AccountStatus.CLOSED if opened else was.status if was and _touches_status(changes) else None
    if status is not None and status is not current.status and not moved and (opens or status in _SHUT):
        kind = {
            AccountStatus.SUSPENDED: ActionKind.SUSPEND_ACCOUNT,
            AccountStatus.CLOSED: ActionKind.CLOSE_ACCOUNT,
        }.get(status, ActionKind.REOPEN_ACCOUNT)
        undoing.actions.append(_action(kind, current, key, status=status))
    undoing.dead_link = was is not None and was.status is AccountStatus.INVITED and current.status in _SHUT
    update = next((change for change in changes if change.action is ActionKind.UPDATE_ACCOUNT), None)
    if update is not None and update.was is not None and not moved:
        undoing.actions.append(_action(ActionKind.UPDATE_ACCOUNT, current, key, back=update.was))
    queued = any(change.action in (ActionKind.QUEUE_WELCOME, ActionKind.HOLD_WELCOME) for change in changes)
    if queued and current.welcome in _WAITING:
        undoing.actions.append(_action(ActionKind.CANCEL_WELCOME, current, key))
    undoing.left = undoing.left or (queued and current.welcome in _LEFT)
    cancelled = next((change.was for change in changes if change.action is ActionKind.CANCEL_WELCOME), None)
    if cancelled is not None and opens and current.welcome is EffectState.CANCELLED and not current.registered:
        held = cancelled.welcome is EffectState.HELD
        kind = ActionKind.HOLD_WELCOME if held else ActionKind.QUEUE_WELCOME
        undoing.actions.append(_action(kind, current, key))


def _touches_status(changes: Sequence[Change]) -> bool:
    kinds = (ActionKind.SUSPEND_ACCOUNT, ActionKind.CLOSE_ACCOUNT, ActionKind.REOPEN_ACCOUNT)
    return any(change.action in kinds for change in changes)


def _action(
    kind: ActionKind,
    current: Account,
    key: str,
    *,
    patient: str | None = None,
    grant: Grant | None = None,
    before: Grant | None = None,
    new_key: str = "",
    status: AccountStatus | None = None,
    back: Standing | None = None,
) -> Action:
    named = back or Standing.of(current)
    return Action(
        kind,
        key,
        patient,
        UNDONE,
        grant.source if grant else "",
        grant=grant,
        before=before,
        email=named.email,
        name=named.name,
        language=named.language,
        status=status or named.status,
        new_key=new_key,
        account_id=current.id,
        was=Standing.of(current) if grant is None else None,
        registered_at=named.registered_at,
    )
