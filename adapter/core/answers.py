"""A human's answers to findings: which finding takes which answer, and whether an answer still belongs to the facts.

An answer can make a hold a grant, never an explicit no. Source: docs/rules.md, "What a human may decide".
"""

import hashlib
from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum

import msgspec

from adapter.core.facts import Contact, Patient, Role
from adapter.core.policy import Access
from adapter.core.reasons import BRAKE_ON


class Answer(StrEnum):
    """What somebody at the practice may say to a finding."""

    APPROVE = "approve"
    """Go on as if the rule had been passed; every other rule still counts."""
    DISMISS = "dismiss"
    """Leave it as it is and stop showing it; changes nothing about access."""
    SAME_PERSON = "same-person"
    """Everybody who uses this address is one and the same person."""
    DIFFERENT_PEOPLE = "different-people"
    """They are several people: what is held stays held."""


class Decision(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """One answer that somebody gave, bound to the facts they saw."""

    id: str
    finding: str
    scope: str
    code: str
    answer: Answer
    facts: str
    """``contact_facts`` or ``mailbox_facts`` when it was given: of any others it says nothing."""
    patient: str | None = None
    contact: str | None = None
    until: datetime | None = None

    def on(self, now: datetime) -> bool:
        """Whether it has not expired."""
        return self.until is None or now < self.until


HOLDS = frozenset({"role-unknown", "role-not-allowed", "shared-email"})
"""The only reasons that an approval can lift. None of them says no: they say that a human should look."""
OPENS = frozenset({Answer.APPROVE, Answer.SAME_PERSON})
"""The answers that can open a chart."""
_ALWAYS_SHOWN = frozenset({"internal-error", BRAKE_ON})
ABOUT_A_MAILBOX = frozenset({Answer.SAME_PERSON, Answer.DIFFERENT_PEOPLE})


def answers_to(code: str, scope: str) -> tuple[Answer, ...]:
    """What may be said to a finding of this code; nothing to a fault of the adapter's own, nor to a brake."""
    if code in _ALWAYS_SHOWN:
        return ()
    if code == "shared-email" and scope.startswith("address:"):
        return tuple(Answer)
    return (Answer.APPROVE, Answer.DISMISS) if code in HOLDS else (Answer.DISMISS,)


def about_everybody(answer: Answer) -> bool:
    """Whether the answer is about the people at an address, and so about every chart that is held for them."""
    return answer in ABOUT_A_MAILBOX


def contact_facts(contact: Contact, patient: Patient | None, access: Access) -> str:
    """SHA-256 (hex) of all that the rules read of one contact and its chart, and of the access by age.

    Not of what no rule reads: versions, languages, the medical record number, who keeps the chart.
    """
    replace = msgspec.structs.replace
    chart = replace(patient, source="", language="", mrn="", organization="") if patient else None
    return _hash((replace(contact, source="", language=""), chart, access))


def mailbox_facts(contacts: Iterable[Contact]) -> str:
    """SHA-256 (hex) of everybody who uses one address, in any order."""
    replace = msgspec.structs.replace
    return _hash([replace(one, source="", language="") for one in sorted(contacts, key=lambda one: one.ref)])


def text_facts(*words: str) -> str:
    """SHA-256 (hex) of what a finding names, where no contact made it."""
    return _hash(words)


def _hash(facts: object) -> str:
    return hashlib.sha256(msgspec.json.encode(facts)).hexdigest()


class Lifted(msgspec.Struct, frozen=True):
    """What approvals take out of the way of one contact on its chart."""

    codes: frozenset[str] = frozenset()
    until: datetime | None = None
    """When the first of them expires."""


NOTHING = Lifted()


def lifted(decisions: Iterable[Decision], contact: Contact, facts: str, now: datetime) -> Lifted:
    """The reasons that approvals of exactly these facts lift for this contact. The order never matters."""
    those = [
        one
        for one in decisions
        if one.answer is Answer.APPROVE
        and one.code in HOLDS
        and one.scope.startswith("chart:")
        and (one.contact, one.patient, one.facts) == (contact.ref, contact.patient, facts)
        and one.on(now)
    ]
    if not those:
        return NOTHING
    ends = [one.until for one in those if one.until is not None]
    return Lifted(frozenset(one.code for one in those), min(ends, default=None))


class Mailbox(msgspec.Struct, frozen=True):
    """What was answered about the people at one address, as far as it is about those who use it now."""

    one_person: bool = False
    until: datetime | None = None
    approved: dict[str, datetime | None] = {}
    """Charts that may be opened although not everybody at the address is on them, and until when."""


UNANSWERED = Mailbox()


def mailbox(decisions: Iterable[Decision], here: Iterable[Contact]) -> Mailbox:
    """The answers that belong to exactly these people. A mother and a father are never one person."""
    contacts = list(here)
    facts = mailbox_facts(contacts)
    those = [
        one
        for one in decisions
        if one.facts == facts and one.code == "shared-email" and one.scope.startswith("address:")
    ]
    same = [one for one in those if one.answer is Answer.SAME_PERSON]
    several = any(one.answer is Answer.DIFFERENT_PEOPLE for one in those)
    one_person = bool(same) and not several and not {Role.MOTHER, Role.FATHER} <= {one.role for one in contacts}
    ends = [one.until for one in same if one.until is not None]
    approved = {one.patient: one.until for one in those if one.answer is Answer.APPROVE and one.patient}
    return Mailbox(one_person, min(ends, default=None), approved)
