"""Find: a few letters of a parent's or child's name, an e-mail address or a chart number, and the family is there."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field

import sqlalchemy as sa

from adapter.core.facts import Contact, Patient
from adapter.core.find import read_sought
from adapter.errors import AdapterError
from adapter.store import accounts, facts, find
from adapter.store.engine import begin, read

MOST = 12
"""Families that are shown; whoever sees more types another letter."""
_REFS = 60
_WAIT_SECONDS = 0.5


@dataclass(slots=True)
class Found:
    """One person with the charts they are a contact on, or one child."""

    ref: str
    name: str
    email: str = ""
    status: str = ""
    """Of the account; empty where there is none."""
    account_id: str = ""
    mrn: str = ""
    relations: list[tuple[str, str]] = field(default_factory=list)
    """Role and the other's name: of a person the children, of a child the contacts."""


@dataclass(frozen=True, slots=True)
class Results:
    """What was found. ``too_short``: type more; ``more``: not all are shown; ``catching_up``: some may be missing."""

    people: list[Found] = field(default_factory=list)
    children: list[Found] = field(default_factory=list)
    too_short: bool = False
    more: bool = False
    catching_up: bool = False


class Finder:
    """Looks families up, and keeps what it looks in up to date. May be used from any thread."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._busy: dict[str, threading.Thread] = {}
        self._lock = threading.Lock()

    def find(self, practice: str, text: str) -> Results:
        """Whom these letters find."""
        sought = read_sought(text)
        if not sought:
            return Results(too_short=True)
        ready = self.catch_up(practice, seconds=_WAIT_SECONDS)
        with read(self._engine) as connection:
            refs = find.refs(connection, practice, sought, limit=_REFS)
            people, children = _load(connection, practice, refs)
        return Results(
            people[:MOST], children[:MOST], more=max(len(people), len(children)) > MOST, catching_up=not ready
        )

    def catch_up(self, practice: str, *, seconds: float) -> bool:
        """Takes in what has changed since, beside whatever else happens. False when that takes longer than this."""
        with read(self._engine) as connection:
            mark, upto = find.behind(connection, practice)
        if mark >= upto:
            return True
        with self._lock:
            thread = self._busy.get(practice)
            if thread is None or not thread.is_alive():
                thread = threading.Thread(target=catch_up, args=(self._engine, practice), name="find", daemon=True)
                self._busy[practice] = thread
                thread.start()
        thread.join(seconds)
        return not thread.is_alive()


def catch_up(engine: sa.Engine, practice: str) -> None:
    """Gives every chart and contact that has changed its keys, a batch to a transaction; can be cut off anywhere."""
    try:
        with read(engine) as connection:
            mark, upto = find.behind(connection, practice)
            if mark >= upto:
                return
            for batch in find.changed(connection, practice, mark, upto):
                with begin(engine) as writing:
                    find.save(writing, practice, batch)
        with begin(engine) as writing:
            find.save_mark(writing, practice, upto)
    except AdapterError:
        return  # busy or gone; whoever looks next tries again


def _load(connection: sa.Connection, practice: str, refs: Sequence[str]) -> tuple[list[Found], list[Found]]:
    """The people and the children of these references, in that order."""
    members = facts.members_by_ref(connection, practice, [ref for ref in refs if ref.startswith("RelatedPerson/")])
    wanted = [ref for ref in refs if ref.startswith("Patient/")][: MOST + 1]
    contacts = [members[ref].contact for ref in refs if ref in members]
    charts = sorted({*wanted, *(contact.patient for contact in contacts if contact.patient)})
    loaded = {chart.ref: chart for chart in facts.load_charts(connection, practice, charts)}
    patients = {ref: chart.patient for ref, chart in loaded.items() if chart.patient}
    owners = accounts.by_email(connection, practice, sorted({one.email_key for one in contacts if one.email_key}))
    people: dict[str, Found] = {}
    for contact in contacts:
        person = people.setdefault(contact.email_key or contact.ref, Found(contact.ref, contact.name, contact.email))
        if account := owners.get(contact.email_key):
            person.status, person.account_id = str(account.status), account.id
        person.relations.append((str(contact.role), _name(patients.get(contact.patient), contact)))
    children = [_child(patients[ref], loaded[ref].contacts) for ref in wanted if ref in patients]
    return list(people.values()), children


def _child(patient: Patient, contacts: Sequence[Contact]) -> Found:
    relations = [(str(contact.role), contact.name) for contact in contacts if contact.name]
    return Found(patient.ref, patient.name, mrn=patient.mrn, relations=relations)


def _name(patient: Patient | None, contact: Contact) -> str:
    return patient.name if patient and patient.name else contact.patient
