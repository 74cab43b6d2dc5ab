"""Applies a plan's actions: accounts, grants, Welcome emails, effects, audit rows, all in the caller's transaction."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from adapter.core.audit import AuditEntry
from adapter.core.plan import Action, ActionKind
from adapter.core.state import AccountStatus, EffectKind, EffectState, GrantState
from adapter.store import audit
from adapter.store import tables as t
from adapter.store.accounts import latest_welcomes
from adapter.store.ids import new_id
from adapter.store.rows import (
    ACCOUNT,
    EFFECT,
    GRANT,
    GRANT_KINDS,
    STATUS_KINDS,
    WELCOME,
    WELCOME_STATES,
    Opened,
    Row,
    Writer,
    stamp,
)
from adapter.store.sql import batches, insert_rows, update_rows


@dataclass(slots=True)
class _Changes:
    """What one batch of actions writes, table by table."""

    accounts: list[Row] = field(default_factory=list)
    grants: list[Row] = field(default_factory=list)
    changed_grants: list[Row] = field(default_factory=list)
    welcomes: list[Action] = field(default_factory=list)
    touched: dict[str, str] = field(default_factory=dict)
    """Account id to e-mail address, for accounts that the portal must be told about."""
    opened: set[str] = field(default_factory=set)
    entries: list[AuditEntry] = field(default_factory=list)


class Applier:
    """Applies batches of one run's actions. Knows the ids of the accounts that the run itself opened."""

    def __init__(self, connection: sa.Connection, practice: str, *, run: int | None, actor: str, now: datetime) -> None:
        self.connection = connection
        self.practice = practice
        self.run = run
        self.actor = actor
        self.now = now
        self.writer = Writer(practice=practice, run=run, actor=actor, moment=stamp(now))
        self._ids: dict[str, str] = {}
        self._emails: dict[str, str] = {}

    def apply(self, actions: Sequence[Action]) -> None:
        """Writes one batch; an account's actions may be spread over batches, but stay in order."""
        changes = _Changes()
        for action in actions:
            self._collect(action, changes)
        insert_rows(self.connection, t.account, ACCOUNT, changes.accounts, ready=True)
        insert_rows(self.connection, t.grant, GRANT, changes.grants, replace=True, ready=True)
        # Changes inside one state: the day on which the state began stays.
        update_rows(self.connection, t.grant, GRANT[:2], GRANT[:-1], changes.changed_grants, ready=True)
        self._queue_welcomes(changes.welcomes)
        self._tell_portal(changes)
        audit.append(self.connection, self.practice, changes.entries, self.now)
        self._forget_closed(actions)

    def write(self, opened: Opened) -> None:
        """Writes what accounts of a practice that had none need, each of them whole."""
        insert_rows(self.connection, t.account, ACCOUNT, opened.accounts, ready=True)
        insert_rows(self.connection, t.grant, GRANT, opened.grants, ready=True)
        insert_rows(self.connection, t.effect, EFFECT, opened.effects, ready=True)
        insert_rows(self.connection, t.welcome, WELCOME, opened.welcomes, ready=True)
        audit.append(self.connection, self.practice, opened.entries, self.now)

    def _collect(self, action: Action, changes: _Changes) -> None:
        kind = action.action
        account_id = action.account_id or self._ids.get(action.account, "")
        if kind is ActionKind.OPEN_ACCOUNT:
            account_id = new_id()
            self._ids[action.account], self._emails[action.account] = account_id, action.email
            changes.accounts.append(self.writer.account(account_id, action))
        elif kind in GRANT_KINDS and action.grant:
            row = self.writer.grant(account_id, action.grant)
            if kind is ActionKind.CHANGE_GRANT:
                changes.changed_grants.append(row)
            else:
                changes.grants.append((*row, self.writer.moment))
            if GrantState.ACTIVE in (action.grant.state, action.before.state if action.before else None):
                changes.touched[account_id] = action.account
                if action.grant.state is GrantState.ACTIVE:
                    changes.opened.add(account_id)
        elif kind in STATUS_KINDS or kind is ActionKind.UPDATE_ACCOUNT:
            self._update_account(account_id, action)
            changes.touched.setdefault(account_id, action.account)
        elif kind is ActionKind.MOVE_ACCOUNT:
            self._move(account_id, action)
            changes.touched[account_id] = action.new_key
        elif kind is ActionKind.MOVE_BACK:
            self._move_back(account_id, action)
            changes.touched[account_id] = action.new_key
        elif kind is ActionKind.CANCEL_WELCOME:
            self._cancel_waiting(account_id)
        elif kind in WELCOME_STATES:
            changes.welcomes.append(action)
        changes.entries.append(self.writer.entry(account_id, action))

    def _update_account(self, account_id: str, action: Action) -> None:
        here = t.account.c.id == account_id
        if action.action is ActionKind.UPDATE_ACCOUNT:
            values: dict[str, Any] = {"email": action.email, "name": action.name, "language": action.language}
        else:
            values = {"status": action.status, "reason": action.reason, "since": self.now}
        self.connection.execute(sa.update(t.account).where(here).values(values))
        if action.status in (AccountStatus.SUSPENDED, AccountStatus.CLOSED):
            self._kill_links(account_id)

    def _move(self, account_id: str, action: Action) -> None:
        """To the new address: old links die, whoever was registered registers again, the old address is told."""
        here = t.account.c.id == account_id
        row = self.connection.execute(sa.select(t.account.c.email, t.account.c.registered_at).where(here)).one()
        values = {
            "email_key": action.new_key,
            "email": action.email,
            "status": AccountStatus.PENDING,
            "reason": action.reason,
        }
        self.connection.execute(sa.update(t.account).where(here).values(**values, since=self.now, registered_at=None))
        self._cancel_waiting(account_id)
        if row.registered_at is not None:
            notice = self.writer.effect(EffectKind.NOTICE, account_id, row.email, EffectState.QUEUED)
            insert_rows(self.connection, t.effect, EFFECT, [notice], ready=True)

    def _move_back(self, account_id: str, action: Action) -> None:
        """To the old address, as it was; nobody has to register there again."""
        values = {
            "email_key": action.new_key,
            "email": action.email,
            "name": action.name,
            "language": action.language,
            "status": action.status,
            "reason": action.reason,
            "registered_at": action.registered_at,
        }
        here = t.account.c.id == account_id
        self.connection.execute(sa.update(t.account).where(here).values(**values, since=self.now))
        self._cancel_waiting(account_id)

    def _cancel_waiting(self, account_id: str) -> None:
        self._kill_links(account_id)
        of_account = sa.select(t.welcome.c.effect_id).where(t.welcome.c.account_id == account_id)
        # The ids first: given a subquery, or no ids, SQLite walks through everything that waits, of every account.
        mine = self.connection.scalars(of_account).all()
        if mine:
            waiting = sa.and_(t.effect.c.id.in_(mine), t.effect.c.state.in_([EffectState.QUEUED, EffectState.HELD]))
            cancelled = {"state": EffectState.CANCELLED, "done_at": self.now}
            self.connection.execute(sa.update(t.effect).where(waiting).values(cancelled))

    def _kill_links(self, account_id: str) -> None:
        unused = sa.and_(t.welcome.c.account_id == account_id, t.welcome.c.link_closed_at.is_(None))
        self.connection.execute(sa.update(t.welcome).where(unused).values(link_closed_at=self.now))

    def _queue_welcomes(self, actions: Sequence[Action]) -> None:
        generations = latest_welcomes(self.connection, [action.account_id for action in actions if action.account_id])
        effects: list[Row] = []
        welcomes: list[Row] = []
        for action in actions:
            account_id = action.account_id or self._ids[action.account]
            email = action.email or self._emails.get(action.account) or self._email(account_id)
            generation = generations[account_id]["generation"] + 1 if account_id in generations else 1
            effect, welcome = self.writer.welcome(account_id, email, action, generation)
            effects.append(effect)
            welcomes.append(welcome)
        insert_rows(self.connection, t.effect, EFFECT, effects, ready=True)
        insert_rows(self.connection, t.welcome, WELCOME, welcomes, ready=True)

    def _tell_portal(self, changes: _Changes) -> None:
        """One effect for each account the portal knows or must know; one that is due at once already covers it."""
        queued: set[str] = set()
        known: set[str] = set()
        for batch in batches(sorted(set(changes.touched) - set(self._ids.values()))):
            mine = sa.and_(t.effect.c.kind == EffectKind.ACCOUNT, t.effect.c.subject.in_(batch))
            columns = (t.effect.c.subject, t.effect.c.state, t.effect.c.attempts)
            for subject, state, attempts in self.connection.execute(sa.select(*columns).where(mine)):
                known.add(subject)
                if state == EffectState.QUEUED and attempts == 0:  # one that backs off would keep a revocation waiting
                    queued.add(subject)
        wanted = [
            account
            for account in changes.touched
            if account not in queued and (account in changes.opened or account in known)
        ]
        effects = [
            self.writer.effect(EffectKind.ACCOUNT, account, changes.touched[account], EffectState.QUEUED)
            for account in wanted
        ]
        insert_rows(self.connection, t.effect, EFFECT, effects, ready=True)

    def _email(self, account_id: str) -> str:
        query = sa.select(t.account.c.email).where(t.account.c.id == account_id)
        return str(self.connection.execute(query).scalar_one())

    def _forget_closed(self, actions: Sequence[Action]) -> None:
        """Keeps only the ids of the account that the next batch may continue, so that memory stays flat."""
        last = actions[-1].account if actions else ""
        self._ids = {key: value for key, value in self._ids.items() if key == last}
        self._emails = {key: value for key, value in self._emails.items() if key == last}
