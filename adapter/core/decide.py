"""Who on one chart may see it: each contact against the rules in order, then the chart's contacts against each other.

Source of the rules and their order: docs/rules.md. Nothing here reads a clock or a store.
"""

from collections.abc import Callable
from datetime import date, datetime

import msgspec

from adapter.core.dates import age_on, birthday, earliest_birth, ends_at, starts_at
from adapter.core.facts import Authority, Contact, EmailProblem, Patient, Role
from adapter.core.persons import same_person
from adapter.core.policy import Access, Policy
from adapter.core.reasons import ELIGIBLE

PASSED = "pass"
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
_NOT_CURRENT = frozenset(
    {"patient-inactive", "patient-merged", "patient-deceased", "contact-inactive", "contact-not-yet", "contact-ended"}
)
_NO_CLAIM = _NOT_CURRENT | {"role-self"}


class Outcome(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """What the chart's rules say of one contact; an empty ``reasons`` means: may see the chart."""

    reasons: tuple[str, ...] = ()
    """Reason codes in rule order; the first is the headline."""
    access: Access = Access.NONE
    is_self: bool = False
    """The contact is the patient."""
    current: bool = False
    """The chart is live and the contact is on it today: whoever it is, they read mail sent to this address."""
    freeze: bool = False
    """Nothing new for anybody on this chart; what stands, stays."""
    chart_name: str = ""

    @property
    def headline(self) -> str:
        return self.reasons[0] if self.reasons else ELIGIBLE

    @property
    def opens(self) -> bool:
        return not self.reasons


class ChartDecision(msgspec.Struct, frozen=True):
    """Outcomes by contact reference, and the first day on which time alone may change one of them."""

    outcomes: dict[str, Outcome]
    review_on: date | None


class Step(msgspec.Struct, frozen=True):
    """One rule's answer: ``outcome`` is ``pass`` or a reason code, ``because`` a sentence for people."""

    rule: str
    outcome: str
    because: str
    source: str


class Case(msgspec.Struct, frozen=True):
    """One contact on its chart, with everything a rule may look at."""

    contact: Contact
    patient: Patient | None
    policy: Policy
    now: datetime
    is_self: bool
    others_exclusive: tuple[Contact, ...]
    """Other people on the chart with a claim to Exclusive Authority."""

    @property
    def today(self) -> date:
        return self.now.date()

    @property
    def authority(self) -> Authority:
        return authority_of(self.contact, self.policy)

    def access(self) -> Access | None:
        """Access by age; None when the birth date cannot be used."""
        if self.is_self:
            return Access.FULL
        born = earliest_birth(self.patient.birth_date, self.today) if self.patient else None
        return None if born is None else access_at(age_on(born, self.today), self.policy)


def authority_of(contact: Contact, policy: Policy) -> Authority:
    """The contact's Authority, or what the practice's policy assumes for the role when the chart states none at all."""
    if (
        contact.authority is Authority.UNKNOWN
        and not contact.authority_text
        and contact.last_authority is Authority.UNKNOWN
    ):
        return policy.authority_when_unknown.get(contact.role, Authority.UNKNOWN)
    return contact.authority


def access_at(age: int, policy: Policy) -> Access:
    """The access of the band an age falls in."""
    return next((band.access for band in reversed(policy.bands) if age >= band.from_age), Access.NONE)


def is_the_patient(contact: Contact, patient: Patient) -> bool:
    """Whether the contact is the patient: Patient.link ties them, or the names match and the birth dates do not disagree.

    A parent, grandparent, sibling, spouse or child of the same name is somebody else unless both birth dates say otherwise.
    """
    if contact.ref in patient.links:
        return True
    if contact.role in _KIN_OF_OTHERS and not (contact.birth_date and patient.birth_date):
        return False
    return same_person(contact.names, contact.birth_date, patient.names, patient.birth_date)


# ---- the rules, in order: each answers None (passed) or (reason code, because) -------------------------------------

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


def _patient_state(case: Case) -> Answer:
    patient = case.patient
    if patient is None:
        return None
    if patient.deceased:
        return "patient-deceased", "The chart says that the patient has died."
    if patient.replaced_by:
        return "patient-merged", f"The chart was merged into {', '.join(patient.replaced_by)}."
    if not patient.active:
        return "patient-inactive", "The chart is inactive."
    return None


def _contact_state(case: Case) -> Answer:
    contact = case.contact
    if not contact.active:
        return "contact-inactive", "The contact is inactive."
    if contact.end and ends_at(contact.end, case.now) <= case.now:
        return "contact-ended", f"The contact's period ended on {contact.end}."
    if contact.start and starts_at(contact.start, case.now) > case.now:
        return "contact-not-yet", f"The contact's period begins on {contact.start}."
    return None


def _authority_given(case: Case) -> Answer:
    return ("authority-none", "The Authority is None.") if case.authority is Authority.NONE else None


def _authority_known(case: Case) -> Answer:
    if case.authority is not Authority.UNKNOWN:
        return None
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
    if case.authority is Authority.EXCLUSIVE:
        return "authority-conflict", f"{others} also has Exclusive Authority on this chart."
    return "authority-conflict", f"{others} has Exclusive Authority on this chart."


def _age(case: Case) -> Answer:
    access = case.access()
    if access is None:
        return "birthdate-unusable", "The patient's birth date is missing or cannot be right."
    if access is Access.NONE:
        return "dependent-is-adult", "By age, nobody but the patient has access to this chart."
    return None


def _own_mailbox(case: Case) -> Answer:
    patient = case.patient
    if patient is None or case.is_self or not case.contact.email_key or case.contact.email_key not in patient.emails:
        return None
    born = earliest_birth(patient.birth_date, case.today)
    if born is not None and age_on(born, case.today) < case.policy.own_email_from_age:
        return None
    return "shared-email", "The patient's own record has the same e-mail address."


RULES: tuple[tuple[str, Callable[[Case], Answer], Callable[[Case], str]], ...] = (
    ("record", _record, lambda _: "Both records can be read."),
    ("chart", _patient_reference, lambda case: f"The contact is on the chart {case.contact.patient}."),
    ("patient-state", _patient_state, lambda _: "The chart is active."),
    ("contact-state", _contact_state, lambda _: "The contact is active."),
    ("authority-given", _authority_given, lambda case: f"The Authority is {case.authority.capitalize()}."),
    ("authority-known", _authority_known, lambda case: f"The Authority is {case.authority.capitalize()}."),
    ("not-self", _not_self, lambda _: "The Role/Reason is not Self."),
    ("role", _role, lambda case: f"The Role/Reason is {case.contact.role_text or case.contact.role}."),
    ("email", _email, lambda case: f"The e-mail address is {case.contact.email}."),
    ("authority-conflict", _conflict, lambda _: "Nobody else on the chart has Exclusive Authority."),
    (
        "age",
        _age,
        lambda case: (
            "The contact is the patient." if case.is_self else f"By the patient's age access is {case.access()}."
        ),
    ),
    ("own-mailbox", _own_mailbox, lambda _: "The address is not the patient's own."),
)


def decide_chart(
    patient: Patient | None, contacts: tuple[Contact, ...], policy: Policy, now: datetime
) -> ChartDecision:
    """Decides every contact of one chart.

    ``patient`` is None when the EHR gave no such chart; ``now`` is aware, in the practice's time zone. An error inside
    one contact's decision holds that contact and never grants.
    """
    claims = tuple(contact for contact in contacts if _claims_exclusive(contact, patient, policy, now))
    outcomes = {contact.ref: _outcome(contact, patient, claims, policy, now) for contact in contacts}
    return ChartDecision(outcomes, _review_on(patient, contacts, policy, now))


def steps_of(
    contact: Contact, patient: Patient | None, contacts: tuple[Contact, ...], policy: Policy, now: datetime
) -> list[Step]:
    """The same decision, rule by rule, for people to read."""
    claims = tuple(other for other in contacts if _claims_exclusive(other, patient, policy, now))
    case = _case(contact, patient, claims, policy, now)
    chart_source = patient.source if patient else contact.patient
    steps = []
    for name, test, passed in RULES:
        source = chart_source if name in ("patient-state", "age") else contact.source
        try:
            answer = test(case)
            steps.append(Step(name, *(answer or (PASSED, passed(case))), source))
        except Exception:  # fail closed, as _reasons does
            steps.append(Step(name, "internal-error", "This rule could not be decided.", source))
    return steps


def _case(
    contact: Contact, patient: Patient | None, claims: tuple[Contact, ...], policy: Policy, now: datetime
) -> Case:
    is_self = patient is not None and is_the_patient(contact, patient)
    others = (
        tuple(claim for claim in claims if claim is not contact and not _same_contact(claim, contact)) if claims else ()
    )
    return Case(contact, patient, policy, now, is_self, others)


def _outcome(
    contact: Contact, patient: Patient | None, claims: tuple[Contact, ...], policy: Policy, now: datetime
) -> Outcome:
    chart_name = patient.name if patient else ""
    try:
        case = _case(contact, patient, claims, policy, now)
        reasons = tuple(answer[0] for _, test, _ in RULES if (answer := test(case)))
        access = (case.access() or Access.NONE) if patient else Access.NONE
        freeze = reasons == ("authority-conflict",) and len(_people(claims)) > 1
    except Exception:  # whatever went wrong, the answer is a hold, never a grant
        return Outcome(reasons=("internal-error",), current=True, chart_name=chart_name)
    current = not any(reason in _NOT_CURRENT for reason in reasons)
    return Outcome(reasons, access, case.is_self, current, freeze, chart_name)


def _claims_exclusive(contact: Contact, patient: Patient | None, policy: Policy, now: datetime) -> bool:
    """Whether the contact has, or was last known to have, Exclusive Authority and nothing explicit has ended it.

    A missing e-mail address, an unknown role or a damaged record does not end it: custody is not lost by a typing error.
    """
    authority = authority_of(contact, policy)
    if authority is not Authority.EXCLUSIVE:
        remembered = authority is Authority.UNKNOWN and contact.last_authority is Authority.EXCLUSIVE
        if not remembered:
            return False
    try:
        case = Case(contact, patient, policy, now, is_self=False, others_exclusive=())
        ended = _contact_state(case)
    except Exception:  # an unreadable period ends nothing
        ended = None
    return ended is None and contact.role is not Role.SELF


def _same_contact(a: Contact, b: Contact) -> bool:
    """One person entered twice on a chart: the same address and a matching name."""
    return (
        bool(a.email_key) and a.email_key == b.email_key and same_person(a.names, a.birth_date, b.names, b.birth_date)
    )


def _people(claims: tuple[Contact, ...]) -> list[Contact]:
    people: list[Contact] = []
    for claim in claims:
        if not any(_same_contact(claim, other) for other in people):
            people.append(claim)
    return people


def _review_on(patient: Patient | None, contacts: tuple[Contact, ...], policy: Policy, now: datetime) -> date | None:
    """The first day after ``now`` on which a birthday or a period may change an outcome."""
    today = now.date()
    days = []
    born = earliest_birth(patient.birth_date, today) if patient else None
    if born is not None:
        ages = [band.from_age for band in policy.bands] + [policy.own_email_from_age]
        days += [birthday(born, age) for age in ages if born.year + age <= date.max.year]
    for contact in contacts:
        for text, moment in (
            (contact.start, starts_at),
            (contact.end, ends_at),
            (contact.email_start, starts_at),
            (contact.email_end, ends_at),
        ):
            if text:
                try:
                    days.append(moment(text, now).astimezone(now.tzinfo).date())
                except (ValueError, OverflowError):
                    continue
    return min((day for day in days if day > today), default=None)
