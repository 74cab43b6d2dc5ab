"""The practice's own people: finding them, their roles, their sessions, and how often somebody has tried a name."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from adapter.core.staff import StaffRole
from adapter.store import tables as t
from adapter.store.sql import upsert


@dataclass(frozen=True, slots=True)
class Person:
    """One of the practice's own people."""

    id: str
    name: str
    password_hash: str | None
    generation: int
    subject: str | None
    roles: Mapping[str, StaffRole]
    """By practice."""


@dataclass(frozen=True, slots=True)
class Session:
    """Somebody who is signed in."""

    id_hash: str
    person: Person
    created_at: datetime
    seen_at: datetime
    raised_practice: str | None
    raised_until: datetime | None


def by_name(connection: sa.Connection, name: str) -> Person | None:
    """The person who signs in with this name."""
    return _one(connection, t.person.c.name == name)


def by_subject(connection: sa.Connection, subject: str) -> Person | None:
    """The person the OIDC provider calls so."""
    return _one(connection, t.person.c.subject == subject)


def everybody(connection: sa.Connection) -> list[Person]:
    """All of them, by name."""
    rows = connection.execute(sa.select(t.person).order_by(t.person.c.name)).all()
    return [_person(connection, row) for row in rows]


def create(connection: sa.Connection, id_: str, values: Mapping[str, Any]) -> None:
    """Makes a person with these columns."""
    connection.execute(sa.insert(t.person).values(id=id_, **values))


def renew(connection: sa.Connection, person_id: str, password_hash: str) -> None:
    """A new password, and a new generation of one-time codes."""
    values = {"password_hash": password_hash, "generation": t.person.c.generation + 1, "code_step": None}
    connection.execute(sa.update(t.person).where(t.person.c.id == person_id).values(values))


def set_role(connection: sa.Connection, person_id: str, practice: str, role: StaffRole) -> None:
    """Gives a person a role at a practice, in place of any other there."""
    upsert(connection, t.person_role, [{"person_id": person_id, "practice": practice, "role": str(role)}])


def take_role(connection: sa.Connection, person_id: str, practice: str) -> bool:
    """Takes a person's role at a practice away; False when there was none."""
    mine = sa.and_(t.person_role.c.person_id == person_id, t.person_role.c.practice == practice)
    return connection.execute(sa.delete(t.person_role).where(mine)).rowcount > 0


def forget(connection: sa.Connection, person_id: str) -> None:
    """Removes a person with their roles and sessions."""
    sign_out_everywhere(connection, person_id)
    connection.execute(sa.delete(t.person_role).where(t.person_role.c.person_id == person_id))
    connection.execute(sa.delete(t.person).where(t.person.c.id == person_id))


def use_code(connection: sa.Connection, person_id: str, step: int) -> bool:
    """Uses up the code of this half minute, and those before it; False when that has happened already."""
    unused = sa.or_(t.person.c.code_step.is_(None), t.person.c.code_step < step)
    mine = sa.update(t.person).where(t.person.c.id == person_id, unused).values(code_step=step)
    return connection.execute(mine).rowcount == 1


def count_attempt(connection: sa.Connection, name_hash: str, now: datetime, *, most: int, pause: timedelta) -> int:
    """Counts one more attempt with this name and returns how many there were.

    Beyond ``most`` nothing more is written, so that ``pause`` after the last one that counted they start anew.
    """
    attempt = t.sign_in_attempt
    connection.execute(sa.delete(attempt).where(attempt.c.last_at < now - pause))
    before = connection.scalar(sa.select(attempt.c.attempts).where(attempt.c.name_hash == name_hash)) or 0
    if before < most:
        upsert(connection, attempt, [{"name_hash": name_hash, "attempts": before + 1, "last_at": now}])
    return before + 1


def forget_attempts(connection: sa.Connection, name_hash: str) -> None:
    """They got in: what they mistyped before no longer counts."""
    connection.execute(sa.delete(t.sign_in_attempt).where(t.sign_in_attempt.c.name_hash == name_hash))


def open_session(connection: sa.Connection, id_hash: str, person_id: str, now: datetime) -> None:
    """Signs a person in."""
    values = {"id_hash": id_hash, "person_id": person_id, "created_at": now, "seen_at": now}
    connection.execute(sa.insert(t.session).values(values))


def session(connection: sa.Connection, id_hash: str) -> Session | None:
    """The session of this token, however old; None when there is none."""
    row = connection.execute(sa.select(t.session).where(t.session.c.id_hash == id_hash)).first()
    person = _one(connection, t.person.c.id == row.person_id) if row else None
    if row is None or person is None:
        return None
    return Session(id_hash, person, row.created_at, row.seen_at, row.raised_practice, row.raised_until)


def touch(connection: sa.Connection, id_hash: str, now: datetime) -> None:
    """They are still there."""
    connection.execute(sa.update(t.session).where(t.session.c.id_hash == id_hash).values(seen_at=now))


def raise_session(connection: sa.Connection, id_hash: str, practice: str | None, until: datetime | None) -> None:
    """Lets somebody do more at a practice until this time; None ends it."""
    values = {"raised_practice": practice, "raised_until": until}
    connection.execute(sa.update(t.session).where(t.session.c.id_hash == id_hash).values(values))


def close_session(connection: sa.Connection, id_hash: str) -> None:
    """Signs out."""
    connection.execute(sa.delete(t.session).where(t.session.c.id_hash == id_hash))


def close_old_sessions(connection: sa.Connection, *, seen_before: datetime, made_before: datetime) -> None:
    """Removes sessions that have ended by themselves."""
    old = sa.or_(t.session.c.seen_at < seen_before, t.session.c.created_at < made_before)
    connection.execute(sa.delete(t.session).where(old))


def sign_out_everywhere(connection: sa.Connection, person_id: str) -> None:
    """Ends all of a person's sessions."""
    connection.execute(sa.delete(t.session).where(t.session.c.person_id == person_id))


def _one(connection: sa.Connection, here: sa.ColumnElement[bool]) -> Person | None:
    row = connection.execute(sa.select(t.person).where(here)).first()
    return _person(connection, row) if row else None


def _person(connection: sa.Connection, row: Any) -> Person:
    mine = sa.select(t.person_role.c.practice, t.person_role.c.role).where(t.person_role.c.person_id == row.id)
    roles = {
        practice: StaffRole(role) for practice, role in connection.execute(mine.order_by(t.person_role.c.practice))
    }
    return Person(row.id, row.name, row.password_hash, row.generation, row.subject, roles)
