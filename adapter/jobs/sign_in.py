"""Signing in and out, who somebody is on each request, and break-glass: doing more for a while, on the record."""

import hashlib
import secrets
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec
import sqlalchemy as sa

from adapter.core.audit import AuditEntry
from adapter.core.staff import StaffRole
from adapter.errors import FatalError, RetriableError
from adapter.jobs.passwords import code_secret, code_step, password_fits
from adapter.jobs.people import name_hash, note, tidy_name
from adapter.store import audit, people
from adapter.store.engine import begin, begin_at_once, read
from adapter.store.people import Person
from adapter.store.turns import turn

IDLE = timedelta(minutes=15)
LONGEST = timedelta(hours=12)
RAISED = timedelta(minutes=30)
RAISED_TO = StaffRole.RECONCILER
"""What break-glass allows: to settle and resend, never to publish, release or change people."""
SHORTEST_REASON, LONGEST_REASON = 10, 500
MOST_ATTEMPTS = 5
PAUSE = timedelta(minutes=15)
_to_json = msgspec.json.Encoder().encode
_TOUCH_EVERY = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Who is behind a request, and what they may do."""

    name: str
    roles: dict[str, StaffRole]
    """By practice; with break-glass in it."""
    id_hash: str
    ends_at: datetime
    """When they have to sign in again, whatever they do."""
    raised_practice: str | None = None
    raised_until: datetime | None = None

    @property
    def actor(self) -> str:
        """As the audit trail names them."""
        return f"desk:{self.name}"


def sign_in(engine: sa.Engine, key: bytes, *, name: str, password: str, code: str, now: datetime) -> str | None:
    """The token of a new session; None when name, password and code do not all fit, or were tried too often.

    Which of these it was, and whether there is such a person, shows neither in the answer nor in how long it takes.
    """
    name = tidy_name(name)
    attempts_of = name_hash(name)
    with begin(engine) as connection:
        attempt = people.count_attempt(connection, attempts_of, now, most=MOST_ATTEMPTS, pause=PAUSE)
        person = people.by_name(connection, name)
    fits = password_fits(password, person.password_hash if person else None)
    secret = code_secret(key, person.id if person else "", person.generation if person else 0)
    step = code_step(secret, code, now)
    with begin(engine) as connection:
        if attempt <= MOST_ATTEMPTS and person and fits and step and people.use_code(connection, person.id, step):
            return _open(connection, person, attempts_of, now)
        if attempt == MOST_ATTEMPTS and person:
            note(connection, "sign-in-locked", {"name": name}, actor="desk", now=now)
    return None


def sign_in_as(engine: sa.Engine, subject: str, *, now: datetime) -> str | None:
    """The token of a new session for whom the OIDC provider has vouched; None when nobody here has this subject."""
    with begin(engine) as connection:
        person = people.by_subject(connection, subject)
        return _open(connection, person, name_hash(person.name), now) if person else None


def _open(connection: sa.Connection, person: Person, attempts_of: str, now: datetime) -> str:
    token = secrets.token_urlsafe(32)
    people.close_old_sessions(connection, seen_before=now - IDLE, made_before=now - LONGEST)
    people.forget_attempts(connection, attempts_of)
    people.open_session(connection, _hash(token), person.id, now)
    note(connection, "signed-in", {"name": person.name}, actor=f"desk:{person.name}", now=now)
    return token


def who(engine: sa.Engine, token: str, *, now: datetime) -> SignedIn | None:
    """Who has this token; None when nobody has, or when the session has ended."""
    id_hash = _hash(token)
    with read(engine) as connection:
        session = people.session(connection, id_hash)
    if session is None or now - session.seen_at > IDLE or now - session.created_at > LONGEST:
        return None
    if now - session.seen_at > _TOUCH_EVERY:
        with suppress(RetriableError), begin_at_once(engine) as connection:  # nobody waits behind a sync for this
            people.touch(connection, id_hash, now)
    roles = dict(session.person.roles)
    raised = session.raised_until is not None and session.raised_until > now
    if raised and session.raised_practice in roles and RAISED_TO.covers(roles[session.raised_practice]):
        roles[session.raised_practice] = RAISED_TO
    return SignedIn(
        session.person.name,
        roles,
        id_hash,
        session.created_at + LONGEST,
        session.raised_practice if raised else None,
        session.raised_until if raised else None,
    )


def sign_out(engine: sa.Engine, somebody: SignedIn, *, now: datetime) -> None:
    """Ends this session."""
    with begin(engine) as connection:
        people.close_session(connection, somebody.id_hash)
        note(connection, "signed-out", {"name": somebody.name}, actor=somebody.actor, now=now)


def break_glass(engine: sa.Engine, somebody: SignedIn, practice: str, reason: str, *, now: datetime) -> datetime:
    """Lets a viewer do what a reconciler may, at one practice and for half an hour, with the reason in its trail.

    Returns when it ends. Raises FatalError when there is no reason, or nothing to gain.
    """
    reason = " ".join(reason.split())
    if not SHORTEST_REASON <= len(reason) <= LONGEST_REASON:
        raise FatalError(f"Say why, in {SHORTEST_REASON} to {LONGEST_REASON} letters: others will read it.")
    if practice not in somebody.roles:
        raise FatalError("You have no role at this practice.")
    if somebody.roles[practice].covers(RAISED_TO):
        raise FatalError("You may do all of this already.")
    until = now + RAISED
    with turn(engine, practice) as connection:
        people.raise_session(connection, somebody.id_hash, practice, until)
        detail = {"name": somebody.name, "why": reason, "until": until.isoformat(timespec="seconds")}
        entry = AuditEntry(
            action="glass-broken", reason="break-glass", actor=somebody.actor, detail=_to_json(detail).decode()
        )
        audit.append(connection, practice, [entry], now)
        note(connection, "glass-broken", detail | {"practice": practice}, actor=somebody.actor, now=now)
    return until


def mend_glass(engine: sa.Engine, somebody: SignedIn) -> None:
    """Ends break-glass early."""
    with begin(engine) as connection:
        people.raise_session(connection, somebody.id_hash, None, None)


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
