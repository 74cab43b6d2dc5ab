"""Who on one chart may see it: each contact against the rules, with the chart's other contacts in view.

Nothing here reads a clock or a store. Whatever goes wrong in here is a hold, never a grant.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime

import msgspec

from adapter.core.answers import NOTHING, Decision, contact_facts, lifted
from adapter.core.dates import birthday, earliest_birth, ends_at, starts_at
from adapter.core.facts import Authority, Contact, Patient, Role
from adapter.core.persons import same_person
from adapter.core.policy import Access, Policy
from adapter.core.reasons import APPROVED, ELIGIBLE
from adapter.core.rules import RULES, Case, authority_of, has_ended, is_the_patient
from adapter.core.until import earlier, open_until

PASSED = "pass"
INTERNAL_ERROR = "internal-error"
_TESTS = tuple(rule.test for rule in RULES)
_PARENTS = frozenset({Role.MOTHER, Role.FATHER})
_NOT_CURRENT = frozenset(
    {
        "patient-inactive",
        "patient-gone",
        "patient-merged",
        "patient-deceased",
        "contact-inactive",
        "contact-not-yet",
        "contact-ended",
    }
)


class Outcome(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """What the chart's rules say of one contact; an empty ``reasons`` means: may see the chart."""

    reasons: tuple[str, ...] = ()
    """Reason codes in rule order; the first is the headline."""
    access: Access = Access.NONE
    """By the patient's age, or full for the patient; it counts only where ``reasons`` is empty."""
    authority: Authority = Authority.UNKNOWN
    """The Authority that was decided by: the chart's, or what the practice's policy assumes."""
    is_self: bool = False
    """The contact is the patient."""
    current: bool = False
    """The chart is live and the contact is on it today: whoever it is, they read mail sent to this address."""
    freeze: bool = False
    """Nothing new for anybody on this chart; what stands, stays, but never wider than ``access``."""
    chart_name: str = ""
    until: datetime | None = None
    """When time alone will end this, or make it narrower; it counts only where the chart may be opened."""
    organization: str = ""
    """Who keeps the chart, as ``Patient.organization``."""
    approved: tuple[str, ...] = ()
    """Reason codes that apply and that a human has approved, in rule order."""

    @property
    def headline(self) -> str:
        if self.reasons:
            return self.reasons[0]
        return APPROVED if self.approved else ELIGIBLE

    @property
    def opens(self) -> bool:
        return not self.reasons


class ChartDecision(msgspec.Struct, frozen=True):
    """Outcomes by contact reference, and the day from which time alone may change one of them."""

    outcomes: dict[str, Outcome]
    review_on: date | None


class Step(msgspec.Struct, frozen=True):
    """One rule's answer: ``outcome`` is ``pass`` or a reason code, ``because`` a sentence for people."""

    rule: str
    outcome: str
    because: str
    source: str


def decide_chart(
    patient: Patient | None,
    contacts: tuple[Contact, ...],
    policy: Policy,
    now: datetime,
    decisions: Sequence[Decision] = (),
) -> ChartDecision:
    """Decides every contact of one chart. The order of ``contacts`` and of ``decisions`` never matters.

    ``patient`` is None when the EHR gave no such chart; ``now`` is aware, in the practice's time zone; ``decisions``
    are what humans have answered about this chart. An error inside one contact's decision holds that contact; an error
    that concerns the chart holds everybody on it.
    """
    try:
        born = earliest_birth(patient.birth_date, now.date()) if patient else None
        claims, coming = _claims(contacts, policy, now), _coming_claims(contacts, policy, now)
        outcomes = {
            contact.ref: _outcome(contact, patient, born, claims, coming, policy, now, decisions)
            for contact in contacts
        }
        return ChartDecision(outcomes, _review_on(patient, born, contacts, policy, now))
    except Exception:  # whatever went wrong, the answer is a hold, and tomorrow is another day
        held = Outcome(reasons=(INTERNAL_ERROR,), current=True)
        return ChartDecision({contact.ref: held for contact in contacts}, now.date())


def steps_of(
    contact: Contact, patient: Patient | None, contacts: tuple[Contact, ...], policy: Policy, now: datetime
) -> list[Step]:
    """The same decision about one contact, rule by rule, for people to read."""
    try:
        born = earliest_birth(patient.birth_date, now.date()) if patient else None
        case = _case(contact, patient, born, _claims(contacts, policy, now), policy, now)
    except Exception:  # as in decide_chart
        return [Step("chart", INTERNAL_ERROR, "This chart could not be decided.", contact.source)]
    chart_source = patient.source if patient else contact.patient
    steps = []
    for rule in RULES:
        source = chart_source if rule.of_chart else contact.source
        try:
            answer = rule.test(case)
            steps.append(Step(rule.name, *(answer or (PASSED, rule.passed(case))), source))
        except Exception:  # as in _outcome
            steps.append(Step(rule.name, INTERNAL_ERROR, "This rule could not be decided.", source))
    return steps


Claims = tuple[tuple[Contact, ...], ...]
"""The people with a claim to Exclusive Authority, each with the contacts that make it."""
Coming = tuple[tuple[Contact, datetime], ...]
"""Claims to Exclusive Authority that begin later, and when."""


def _case(
    contact: Contact, patient: Patient | None, born: date | None, claims: Claims, policy: Policy, now: datetime
) -> Case:
    is_self = patient is not None and is_the_patient(contact, patient, born)
    others = tuple(claim for person in claims if not _belongs(contact, person) for claim in person)
    return Case(contact, patient, policy, now, born, is_self, others)


def _outcome(
    contact: Contact,
    patient: Patient | None,
    born: date | None,
    claims: Claims,
    coming: Coming,
    policy: Policy,
    now: datetime,
    decisions: Sequence[Decision],
) -> Outcome:
    chart_name, organization = (patient.name, patient.organization) if patient else ("", "")
    try:
        case = _case(contact, patient, born, claims, policy, now)
        reasons = tuple([answer[0] for test in _TESTS if (answer := test(case)) is not None])
        access, says = case.access or Access.NONE, NOTHING
        if decisions and reasons:
            says = lifted(decisions, contact, contact_facts(contact, patient, access), now)
        approved = tuple([code for code in reasons if code in says.codes]) if says.codes else ()
        reasons = tuple([code for code in reasons if code not in says.codes]) if approved else reasons
        freeze = len(claims) > 1 and (not reasons or reasons == ("authority-conflict",))
        if freeze:
            reasons = ("authority-conflict",)
        current = _NOT_CURRENT.isdisjoint(reasons)
        until = earlier(_until(case, coming), says.until) if freeze or not reasons else None
        terms = (case.authority, case.is_self, current, freeze, chart_name, until, organization, approved)
        return Outcome(reasons, access, *terms)
    except Exception:  # fail closed: an error in a rule is a hold
        return Outcome(reasons=(INTERNAL_ERROR,), current=True, chart_name=chart_name, organization=organization)


def _until(case: Case, coming: Coming) -> datetime | None:
    contact, patient = case.contact, case.patient
    own_mailbox = patient is not None and contact.email_key in patient.emails
    until = open_until(
        contact, born=case.born, is_self=case.is_self, own_mailbox=own_mailbox, policy=case.policy, now=case.now
    )
    for claim, begins in coming:
        if not _belongs(contact, (claim,)):
            until = earlier(until, begins)
    return until


def _coming_claims(contacts: tuple[Contact, ...], policy: Policy, now: datetime) -> Coming:
    """Who will have a claim to Exclusive Authority once their period begins: then the others' access ends."""
    found = []
    for contact in contacts:
        begins = _moment(starts_at, contact.start, now)
        if begins is not None and begins > now and _claims_exclusive(contact, policy, begins.astimezone(now.tzinfo)):
            found.append((contact, begins.astimezone(UTC)))
    return tuple(found)


def _claims(contacts: tuple[Contact, ...], policy: Policy, now: datetime) -> Claims:
    """Everybody with a claim to Exclusive Authority, one person entered twice counted once."""
    claims = [contact for contact in contacts if _claims_exclusive(contact, policy, now)]
    if not claims:
        return ()
    people: list[list[Contact]] = []
    for claim in sorted(claims, key=lambda contact: contact.ref):
        matching = [person for person in people if _belongs(claim, person)]
        people = [person for person in people if person not in matching]
        people.append([claim, *(other for person in matching for other in person)])
    return tuple(tuple(person) for person in people)


def _claims_exclusive(contact: Contact, policy: Policy, now: datetime) -> bool:
    """Whether the contact has, or was last known to have, Exclusive Authority and nothing explicit has ended it.

    A missing e-mail address, an unknown role, a damaged record do not end it: nobody loses custody by a typing error.
    """
    authority = authority_of(contact, policy)
    remembered = authority is Authority.UNKNOWN and contact.last_authority is Authority.EXCLUSIVE
    if authority is not Authority.EXCLUSIVE and not remembered:
        return False
    try:
        ended = has_ended(contact, now) or bool(contact.start and starts_at(contact.start, now) > now)
    except Exception:  # an unreadable period ends nothing
        ended = False
    return not ended and contact.role is not Role.SELF


def _belongs(contact: Contact, person: tuple[Contact, ...] | list[Contact]) -> bool:
    """Whether the contact is one of this person's, or the same person again: the same address, a matching name.

    Beside a mother or a father, an entry whose role is lost could be the other one: it is somebody else's.
    """
    return any(
        contact.ref == other.ref
        or (
            bool(contact.email_key)
            and contact.email_key == other.email_key
            and one_person(contact, other)
            and not (Role.UNKNOWN in (contact.role, other.role) and _PARENTS & {contact.role, other.role})
        )
        for other in person
    )


def one_person(a: Contact, b: Contact) -> bool:
    """Whether two contacts with one address are one person. A mother and a father never are, whatever their names."""
    if {a.role, b.role} == _PARENTS:
        return False
    if a.names and a.names[:1] == b.names[:1] and a.birth_date == b.birth_date:
        return True
    return same_person(a.names, a.birth_date, b.names, b.birth_date)


def _review_on(
    patient: Patient | None, born: date | None, contacts: tuple[Contact, ...], policy: Policy, now: datetime
) -> date | None:
    """The day of the first moment after ``now`` at which a birthday or a period may change an outcome.

    Today, when that moment is later today: the chart is then decided again by every run until it has passed.
    """
    today = now.date()
    days = []
    if born is not None:
        ages = {band.from_age for band in policy.bands} | {policy.own_email_from_age}
        days = [day for age in ages if age and (day := birthday(born, age)) > today]
    elif patient is not None and patient.birth_date > today.isoformat():
        days = [today]
    for contact in contacts:
        if not (contact.start or contact.end or contact.email_start or contact.email_end):
            continue
        for text, edge in (
            (contact.start, starts_at),
            (contact.end, ends_at),
            (contact.email_start, starts_at),
            (contact.email_end, ends_at),
        ):
            moment = _moment(edge, text, now)
            if moment is not None and now < moment and moment.year < date.max.year:
                days.append(moment.astimezone(now.tzinfo).date())
    return min(days, default=None)


def _moment(edge: Callable[[str, datetime], datetime], text: str, now: datetime) -> datetime | None:
    try:
        return edge(text, now) if text else None
    except (ValueError, OverflowError):  # the rule that reads it holds the contact
        return None
