"""The rules for one contact, in order. Each answers None (passed) or a reason code and the sentence that says why.

Source of the rules and their order: docs/rules.md.
"""

from collections.abc import Callable
from datetime import date, datetime

import msgspec

from adapter.core.dates import age_on, ends_at, starts_at
from adapter.core.facts import Authority, Contact, EmailProblem, Patient, Role
from adapter.core.persons import same_person
from adapter.core.policy import Access, Policy

_KIN_OF_OTHERS = frozenset(
    {
        Role.MOTHER,
        Role.FATHER,
        Role.PARENT,
        Role.STEP_PARENT,
        Role.FOSTER_PARENT,
        Role.GRANDPARENT,
        Role.SIBLING,
        Role.SPOUSE,
        Role.CHILD,
    }
)
"""Roles nobody has towards themselves."""


class Case(msgspec.Struct, frozen=True):
    """One contact on its chart, with everything a rule may look at."""

    contact: Contact
    patient: Patient | None
    policy: Policy
    now: datetime
    born: date | None
    """The patient's earliest possible birth date; None when it is missing or cannot be right."""
    is_self: bool
    others_exclusive: tuple[Contact, ...]
    """Other people on the chart with a claim to Exclusive Authority."""

    @property
    def authority(self) -> Authority:
        return authority_of(self.contact, self.policy)

    @property
    def age(self) -> int | None:
        return None if self.born is None else age_on(self.born, self.now.date())

    @property
    def access(self) -> Access | None:
        """Access by age; None when the birth date cannot be used."""
        if self.is_self:
            return Access.FULL
        age = self.age
        return None if age is None else access_at(age, self.policy)


def authority_of(contact: Contact, policy: Policy) -> Authority:
    """The contact's Authority, or what the practice's policy assumes for the role when the chart never stated any."""
    if (
        contact.authority is Authority.UNKNOWN
        and not contact.authority_text
        and contact.last_authority is Authority.UNKNOWN
    ):
        return policy.authority_when_unknown.get(contact.role, Authority.UNKNOWN)
    return contact.authority


def access_at(age: int, policy: Policy) -> Access:
    """The access of the band an age falls in."""
    for band in reversed(policy.bands):
        if age >= band.from_age:
            return band.access
    return Access.NONE


def is_the_patient(contact: Contact, patient: Patient, born: date | None) -> bool:
    """Whether the contact is the patient: Patient.link ties them, or names match and birth dates do not disagree.

    Without a usable birth date of the patient a name proves nothing, and a parent, grandparent, sibling, spouse or
    child of the same name is somebody else unless both birth dates say otherwise.
    """
    if contact.ref in patient.links:
        return True
    if born is None or (contact.role in _KIN_OF_OTHERS and not contact.birth_date):
        return False
    return same_person(contact.names, contact.birth_date, patient.names, patient.birth_date)


def has_ended(contact: Contact, now: datetime) -> bool:
    """Whether the chart says explicitly that the contact is no longer one."""
    return not contact.active or bool(contact.end and ends_at(contact.end, now) <= now)


def shut_because(patient: Patient) -> str:
    """The reason code for which the chart's own record closes it to everybody; empty when it does not."""
    if not patient.active:
        return "patient-inactive"
    if patient.replaced_by:
        return "patient-merged"
    return "patient-deceased" if patient.deceased else ""


Answer = tuple[str, str] | None


def _record(case: Case) -> Answer:
    if case.contact.unusable:
        return "record-unusable", f"The contact's record cannot be used: {case.contact.unusable}."
    if case.patient and case.patient.unusable:
        return "record-unusable", f"The chart's record cannot be used: {case.patient.unusable}."
    return None


def _patient_reference(case: Case) -> Answer:
    if case.contact.patient_problem:
        return "patient-mismatch", f"The contact's chart: {case.contact.patient_problem}."
    if case.patient is None or case.patient.ref != case.contact.patient:
        return "patient-mismatch", "The chart that the contact points to was not found in the EHR."
    return None


def _patient_active(case: Case) -> Answer:
    if case.patient is not None and case.patient.gone:
        return "patient-gone", "The chart is no longer in the EHR."
    if case.patient is not None and not case.patient.active:
        return "patient-inactive", "The chart is inactive."
    return None


def _patient_merged(case: Case) -> Answer:
    if case.patient is not None and case.patient.replaced_by:
        return "patient-merged", f"The chart was merged into {', '.join(case.patient.replaced_by)}."
    return None


def _patient_alive(case: Case) -> Answer:
    if case.patient is not None and case.patient.deceased:
        return "patient-deceased", "The chart says that the patient has died."
    return None


def _contact_active(case: Case) -> Answer:
    return None if case.contact.active else ("contact-inactive", "The contact is inactive.")


def _contact_begun(case: Case) -> Answer:
    start = case.contact.start
    if start and starts_at(start, case.now) > case.now:
        return "contact-not-yet", f"The contact's period begins on {start}."
    return None


def _contact_not_ended(case: Case) -> Answer:
    end = case.contact.end
    if end and ends_at(end, case.now) <= case.now:
        return "contact-ended", f"The contact's period ended on {end}."
    return None


def _authority(case: Case) -> Answer:
    if case.authority in (Authority.JOINT, Authority.EXCLUSIVE):
        return None
    if case.authority is Authority.NONE:
        return "authority-none", "The Authority is None."
    if case.contact.authority_text:
        return "authority-unknown", f'The Authority "{case.contact.authority_text}" is not one the adapter knows.'
    return "authority-unknown", "The chart states no Authority."


def _not_self(case: Case) -> Answer:
    return ("role-self", "The Role/Reason is Self.") if case.contact.role is Role.SELF else None


def _role(case: Case) -> Answer:
    role = case.contact.role
    if role is Role.UNKNOWN:
        words = f' "{case.contact.role_text}"' if case.contact.role_text else ""
        return "role-unknown", f"The Role/Reason{words} is not one the adapter knows."
    if role is not Role.SELF and role not in case.policy.allowed_roles:
        return "role-not-allowed", f"The practice's policy gives no access to the role {role}."
    return None


def _email(case: Case) -> Answer:
    contact = case.contact
    if contact.email_problem is EmailProblem.INVALID:
        return "email-invalid", "The e-mail address is not a valid one."
    if contact.email_problem is EmailProblem.OLD:
        return "email-missing", "The only e-mail address is marked as old."
    if contact.email_problem is not None or not contact.email_key:
        return "email-missing", "The contact has no e-mail address."
    if contact.email_end and ends_at(contact.email_end, case.now) <= case.now:
        return "email-missing", f"The e-mail address ended on {contact.email_end}."
    if contact.email_start and starts_at(contact.email_start, case.now) > case.now:
        return "email-missing", f"The e-mail address begins on {contact.email_start}."
    return None


def _conflict(case: Case) -> Answer:
    if not case.others_exclusive:
        return None
    others = " and ".join(sorted({other.name or other.ref for other in case.others_exclusive}))
    also = " also" if case.authority is Authority.EXCLUSIVE else ""
    return "authority-conflict", f"{others}{also} has Exclusive Authority on this chart."


def _age(case: Case) -> Answer:
    access = case.access
    if access is None:
        return "birthdate-unusable", "The patient's birth date is missing or cannot be right."
    if access is Access.NONE:
        return "dependent-is-adult", "By age, nobody but the patient has access to this chart."
    return None


def _own_mailbox(case: Case) -> Answer:
    patient = case.patient
    if patient is None or case.is_self or not case.contact.email_key or case.contact.email_key not in patient.emails:
        return None
    if case.age is not None and case.age < case.policy.own_email_from_age:
        return None
    return "shared-email", "The patient's own record has the same e-mail address."


class Rule(msgspec.Struct, frozen=True):
    """One rule: its name, its test, and what to say of a contact that passes it."""

    name: str
    test: Callable[[Case], Answer]
    passed: Callable[[Case], str]
    of_chart: bool = False
    """Decided by the chart's record, not the contact's."""


RULES: tuple[Rule, ...] = (
    Rule("record", _record, lambda _: "Both records can be read."),
    Rule("chart", _patient_reference, lambda case: f"The contact is on the chart {case.contact.patient}."),
    Rule("chart-merged", _patient_merged, lambda _: "The chart was not merged into another one.", of_chart=True),
    Rule("chart-active", _patient_active, lambda _: "The chart is active.", of_chart=True),
    Rule("patient-alive", _patient_alive, lambda _: "The patient is alive.", of_chart=True),
    Rule("contact-active", _contact_active, lambda _: "The contact is active."),
    Rule("contact-begun", _contact_begun, lambda _: "The contact's period has begun."),
    Rule("contact-not-ended", _contact_not_ended, lambda _: "The contact's period has not ended."),
    Rule("authority", _authority, lambda case: f"The Authority is {case.authority.capitalize()}."),
    Rule("not-self", _not_self, lambda _: "The Role/Reason is not Self."),
    Rule("role", _role, lambda case: f"The Role/Reason {case.contact.role_text or case.contact.role} is a known one."),
    Rule("email", _email, lambda case: f"The e-mail address is {case.contact.email}."),
    Rule("authority-conflict", _conflict, lambda _: "Nobody else on the chart has Exclusive Authority."),
    Rule(
        "age",
        _age,
        lambda case: (
            "The contact is the patient." if case.is_self else f"By the patient's age access is {case.access}."
        ),
        of_chart=True,
    ),
    Rule(
        "own-mailbox",
        _own_mailbox,
        lambda case: "The contact is the patient." if case.is_self else "The patient does not use this address.",
    ),
)
