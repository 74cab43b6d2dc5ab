"""What the store and the mapping profile know of the chain behind an answer, for explain."""

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa

from adapter.core.chain import Chain, Expressions, Link, Said, Sent, Waits
from adapter.core.findings import address_scope
from adapter.core.sentences import Row
from adapter.core.state import Account, EffectKind, EffectState
from adapter.jobs.practice import Practice
from adapter.store import accounts, decisions, held
from adapter.store import tables as t


def expressions(practice: Practice) -> Expressions:
    """Where the practice's mapping profile finds Role, Authority and e-mail address."""
    profile = practice.mapper.profile
    authority = profile.contact.authority or "Nothing in the record"
    if profile.consents is not None:
        authority = f"{authority}, with the EHR's Consents,"
    if practice.authority_file is not None:
        authority = f"{authority}, with the authority file,"
    return Expressions(profile.contact.role, authority, profile.contact.telecom)


def chain_of(connection: sa.Connection, practice: str, key: str, rows: Sequence[Row], account: Account | None) -> Chain:
    """Everything that is known of one address beyond its facts and grants."""
    said = _said(connection, practice, key, rows)
    waits = _waits(connection, practice, key)
    if account is None:
        return Chain(said=said, waits=waits)
    return Chain(_since(connection, account), _portal(connection, account), _link(connection, account), said, waits)


def _since(connection: sa.Connection, account: Account) -> dict[str, datetime]:
    query = sa.select(t.grant.c.patient, t.grant.c.since).where(t.grant.c.account_id == account.id)
    return {patient: since for patient, since in connection.execute(query)}


def _portal(connection: sa.Connection, account: Account) -> Sent | None:
    effect = t.effect
    columns = (effect.c.id, effect.c.state, effect.c.done_at, effect.c.last_error)
    here = sa.and_(effect.c.kind == EffectKind.ACCOUNT, effect.c.subject == account.id)
    row = connection.execute(sa.select(*columns).where(here).order_by(effect.c.id.desc()).limit(1)).first()
    return Sent(row.id, EffectState(row.state), row.done_at, row.last_error) if row else None


def _link(connection: sa.Connection, account: Account) -> Link | None:
    row = accounts.latest_welcomes(connection, [account.id]).get(account.id)
    return Link(row["id"], row["link_expires_at"], row["link_closed_at"]) if row else None


def _said(connection: sa.Connection, practice: str, key: str, rows: Sequence[Row]) -> list[Said]:
    contacts = [row.member.contact.ref for row in rows]
    return [
        Said(row.finding, row.code, row.answer, row.actor, row.decided_at, row.reason, row.ended_because or "")
        for row in decisions.about(connection, practice, contacts, address_scope(key))
    ]


def _waits(connection: sa.Connection, practice: str, key: str) -> list[Waits]:
    if not held.any_waiting(connection, practice):
        return []
    return [
        Waits(plan.run, sum(len(one.actions) for one in plan.accounts if key in one.keys))
        for plan in held.waiting(connection, [practice])
        if any(key in one.keys for one in plan.accounts)
    ]
