"""The rows that a plan's actions become, as the database's driver takes them.

Light to import: the process that plans a practice's first accounts makes their rows too, so that only writing is left.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import msgspec

from adapter.core.audit import AuditEntry
from adapter.core.plan import Action, ActionKind
from adapter.core.state import AccountStatus, EffectKind, EffectState, Grant, GrantState, Standing
from adapter.core.undo import Terms
from adapter.store.ids import new_id

GRANT_KINDS = frozenset(
    {ActionKind.GRANT, ActionKind.HOLD_GRANT, ActionKind.SUSPEND_GRANT, ActionKind.END_GRANT, ActionKind.CHANGE_GRANT}
)
STATUS_KINDS = frozenset({ActionKind.SUSPEND_ACCOUNT, ActionKind.CLOSE_ACCOUNT, ActionKind.REOPEN_ACCOUNT})
WELCOME_STATES = {ActionKind.QUEUE_WELCOME: EffectState.QUEUED, ActionKind.HOLD_WELCOME: EffectState.HELD}
_WELCOME_AFTER = WELCOME_STATES | {ActionKind.CANCEL_WELCOME: EffectState.CANCELLED}
_OPENING = GRANT_KINDS | WELCOME_STATES.keys() | {ActionKind.OPEN_ACCOUNT}
_to_json = msgspec.json.Encoder().encode

ACCOUNT = ("id", "practice", "email_key", "email", "name", "language", "status", "reason", "since")
GRANT = (
    "account_id",
    "patient",
    "contact",
    "role",
    "authority",
    "access",
    "state",
    "reason",
    "source",
    "is_self",
    "until",
    "organization",
    "changed_at",
    "since",
)
EFFECT = ("id", "practice", "kind", "subject", "to", "state", "attempts", "next_at", "run", "created_at")
WELCOME = ("id", "practice", "account_id", "generation", "effect_id", "email", "reason", "created_at")
Row = tuple[Any, ...]


class Opened(msgspec.Struct, array_like=True, gc=False):
    """What opening some accounts writes, table by table."""

    accounts: list[Row]
    grants: list[Row]
    effects: list[Row]
    welcomes: list[Row]
    entries: list[AuditEntry]


class Writer(msgspec.Struct, frozen=True, kw_only=True):
    """What the rows of one run share, and how each of them is made."""

    practice: str
    run: int | None
    actor: str
    moment: str
    """When, as ``stamp`` writes it."""

    def account(self, account_id: str, action: Action) -> Row:
        """The values of ``ACCOUNT``."""
        status = str(AccountStatus.PENDING)
        names = (action.account, action.email, action.name, action.language)
        return (account_id, self.practice, *names, status, action.reason, self.moment)

    def grant(self, account_id: str, grant: Grant) -> Row:
        """The values of ``GRANT`` without the last."""
        return (
            account_id,
            grant.patient,
            grant.contact,
            str(grant.role),
            str(grant.authority),
            str(grant.access),
            str(grant.state),
            grant.reason,
            grant.source,
            grant.is_self,
            None if grant.until is None else stamp(grant.until),
            grant.organization,
            self.moment,
        )

    def effect(self, kind: EffectKind, subject: str, to: str, state: EffectState) -> Row:
        """The values of ``EFFECT``."""
        return (new_id(), self.practice, str(kind), subject, to, str(state), 0, self.moment, self.run, self.moment)

    def welcome(self, account_id: str, email: str, action: Action, generation: int) -> tuple[Row, Row]:
        """The values of ``EFFECT`` and of ``WELCOME``."""
        welcome_id = new_id()
        effect = self.effect(EffectKind.WELCOME, welcome_id, email, WELCOME_STATES[action.action])
        shared = (welcome_id, self.practice, account_id, generation, effect[0], email)
        return effect, (*shared, action.reason, self.moment)

    def entry(self, account_id: str, action: Action) -> AuditEntry:
        """What the audit trail keeps of an action."""
        detail: dict[str, Any]
        if action.grant:
            detail = {"before": action.before} if action.before else {}
            detail["after"] = Terms.of(action.grant)
        else:
            detail = {"email": action.account}
            if action.new_key:
                detail["new_email"] = action.new_key
            if action.was:
                detail["before"] = action.was
            detail["after"] = _after(action)
        return AuditEntry(
            action=str(action.action),
            account=account_id,
            patient=action.patient,
            reason=action.reason,
            source=action.source,
            detail=_to_json(detail).decode(),
            actor=self.actor,
            run=self.run,
        )


def opened(actions: Sequence[Action], writer: Writer) -> Opened | None:
    """What these actions write where they do nothing but open accounts, each of them whole; else None."""
    if any(action.account_id or action.action not in _OPENING for action in actions):
        return None
    rows = Opened([], [], [], [], [])
    account_id = email = ""
    visible: dict[str, str] = {}
    for action in actions:
        if action.action is ActionKind.OPEN_ACCOUNT:
            account_id, email = new_id(), action.email
            rows.accounts.append(writer.account(account_id, action))
        elif action.grant:
            rows.grants.append((*writer.grant(account_id, action.grant), writer.moment))
            if action.grant.state is GrantState.ACTIVE:
                visible[account_id] = action.account
        else:
            effect, welcome = writer.welcome(account_id, email, action, generation=1)
            rows.effects.append(effect)
            rows.welcomes.append(welcome)
        rows.entries.append(writer.entry(account_id, action))
    rows.effects += [writer.effect(EffectKind.ACCOUNT, *one, EffectState.QUEUED) for one in visible.items()]
    return rows


def stamp(at: datetime) -> str:
    """A moment as SQLite keeps it; PostgreSQL understands it too. Raises ValueError for one without a time zone."""
    if at.tzinfo is None:
        raise ValueError("a naive datetime cannot be stored")
    return _stamp(at.astimezone(UTC))


@lru_cache(maxsize=16384)  # the birthdays of a practice's children at which access ends
def _stamp(at: datetime) -> str:
    return f"{at.replace(tzinfo=None).isoformat(timespec='microseconds')}Z"


def _after(action: Action) -> Standing:
    """What the audit trail keeps of an account that was changed: only what the action sets."""
    if (welcome := _WELCOME_AFTER.get(action.action)) is not None:
        return Standing(welcome=welcome)
    if action.action in STATUS_KINDS:
        return Standing(action.status)
    return Standing(action.status, action.email, action.name, action.language)
