"""The practice's own people: adding, removing and resetting them, each with its entry in the staff trail."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa

from adapter.core.audit import AuditEntry
from adapter.core.staff import STAFF_TRAIL, StaffRole
from adapter.errors import FatalError
from adapter.jobs.passwords import code_secret, code_uri, hash_password, make_password
from adapter.store import audit, people
from adapter.store.engine import begin, read
from adapter.store.ids import new_id
from adapter.store.turns import take_turn

_NAME = re.compile(r"[a-z0-9][a-z0-9._@-]{0,63}")
BY_PRACTICE = "staff-decision"
"""Why it was done: somebody who may run the command wanted it."""


@dataclass(frozen=True, slots=True)
class Enrolment:
    """What a person needs to sign in, told once. Empty when they sign in elsewhere, or could before."""

    name: str
    password: str = ""
    secret: str = ""
    uri: str = ""


def name_hash(name: str) -> str:
    """Under which attempts with a tidy name are counted: people type passwords into the wrong box."""
    return hashlib.sha256(name.encode()).hexdigest()


def tidy_name(name: str) -> str:
    """The name as it is compared: trimmed, in small letters."""
    return name.strip().lower()


def add(
    engine: sa.Engine,
    key: bytes,
    name: str,
    roles: Mapping[str, StaffRole],
    *,
    subject: str | None = None,
    actor: str,
    now: datetime,
) -> Enrolment:
    """Adds a person with these roles by practice; gives one who is there already these roles too.

    A new person gets a password and a secret for one-time codes; with ``subject`` they sign in by OIDC alone.
    Raises FatalError for a name or subject that cannot be used.
    """
    name = tidy_name(name)
    if not _NAME.fullmatch(name):
        raise FatalError("A name has up to 64 letters, digits, or any of . _ - @ and begins with a letter or digit.")
    password = "" if subject else make_password()
    hashed = hash_password(password) if password else None
    enrolment = Enrolment(name)
    with begin(engine) as connection:
        person = people.by_name(connection, name)
        if person is None:
            if subject is not None and people.by_subject(connection, subject):
                raise FatalError("Another person has this subject already. `adapter people list` shows who.")
            id_ = new_id()
            values = {"name": name, "password_hash": hashed, "generation": 1, "subject": subject, "created_at": now}
            people.create(connection, id_, values)
            if password:
                enrolment = _enrolment(key, id_, name, password, 1)
        else:
            id_ = person.id
            if subject is not None and subject != person.subject:
                raise FatalError(f"{name} is there already and signs in another way. Remove them first.")
        for practice, role in roles.items():
            people.set_role(connection, id_, practice, role)
        detail = {"name": name, "roles": {practice: str(role) for practice, role in roles.items()}}
        note(connection, "person-added" if person is None else "person-changed", detail, actor=actor, now=now)
    return enrolment


def remove(engine: sa.Engine, name: str, practices: Sequence[str] = (), *, actor: str, now: datetime) -> None:
    """Takes a person's roles at these practices away; without any, and with their last one, removes them altogether.

    They are signed out everywhere. Raises FatalError when there is no such person or role.
    """
    name = tidy_name(name)
    with begin(engine) as connection:
        person = people.by_name(connection, name)
        if person is None:
            raise FatalError(f"There is nobody called {name}. `adapter people list` shows everybody.")
        missing = [practice for practice in practices if not people.take_role(connection, person.id, practice)]
        if missing:
            raise FatalError(f"{name} has no role at {', '.join(missing)}.")
        people.sign_out_everywhere(connection, person.id)
        gone = not practices or not set(person.roles) - set(practices)
        if gone:
            people.forget(connection, person.id)
        detail = {"name": name, "practices": list(practices) or sorted(person.roles)}
        note(connection, "person-removed" if gone else "person-changed", detail, actor=actor, now=now)


def reset(engine: sa.Engine, key: bytes, name: str, *, actor: str, now: datetime) -> Enrolment:
    """Gives a person a new password and a new secret, and signs them out everywhere.

    Raises FatalError when there is no such person, or when they sign in elsewhere.
    """
    name = tidy_name(name)
    password = make_password()
    hashed = hash_password(password)
    with begin(engine) as connection:
        person = people.by_name(connection, name)
        if person is None:
            raise FatalError(f"There is nobody called {name}. `adapter people list` shows everybody.")
        if person.subject is not None:
            raise FatalError(f"{name} signs in by OIDC: the password is reset there.")
        people.sign_out_everywhere(connection, person.id)
        people.renew(connection, person.id, hashed)
        people.forget_attempts(connection, name_hash(name))
        note(connection, "person-reset", {"name": name}, actor=actor, now=now)
    return _enrolment(key, person.id, name, password, person.generation + 1)


def listing(engine: sa.Engine) -> list[dict[str, Any]]:
    """Everybody: ``[{"name","roles":{practice: role},"signs_in":"password"|"oidc"}]``, by name."""
    with read(engine) as connection:
        return [
            {
                "name": person.name,
                "roles": {practice: str(role) for practice, role in person.roles.items()},
                "signs_in": "oidc" if person.subject else "password",
            }
            for person in people.everybody(connection)
        ]


def note(connection: sa.Connection, action: str, detail: dict[str, Any], *, actor: str, now: datetime) -> None:
    """Writes an entry into the staff trail, in the caller's transaction."""
    take_turn(connection, STAFF_TRAIL)
    entry = AuditEntry(
        action=action, reason=BY_PRACTICE, detail=msgspec.json.encode(detail, order="sorted").decode(), actor=actor
    )
    audit.append(connection, STAFF_TRAIL, [entry], now)


def _enrolment(key: bytes, id_: str, name: str, password: str, generation: int) -> Enrolment:
    secret = code_secret(key, id_, generation)
    return Enrolment(name, password, secret, code_uri(secret, name))
