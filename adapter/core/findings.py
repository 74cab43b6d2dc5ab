"""What a human should look at: stable identity, one sentence what and why, and the step that fixes it."""

import hashlib
from collections.abc import Iterable, Sequence

import msgspec

from adapter.core.accounts import AccountDecision, Member
from adapter.core.answers import contact_facts, mailbox_facts, text_facts
from adapter.core.decide import ChartDecision
from adapter.core.facts import Contact, Patient, Quarantined, Role
from adapter.core.persons import same_person
from adapter.core.reasons import REASONS, Severity


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One problem. Two runs that meet the same problem make the same finding: ``id`` does not depend on the wording."""

    code: str
    message: str
    scope: str
    """What is decided again when this finding may close."""
    patient: str | None = None
    contact: str | None = None
    email: str | None = None
    severity: Severity | None = None
    remedy: str = ""
    facts: str = ""
    """SHA-256 (hex) of the facts that made it: an answer is to these and to no others. Empty: of its words."""

    @property
    def bound_to(self) -> str:
        return self.facts or text_facts(self.message)

    def id(self, practice: str) -> str:
        """Twelve hex digits from what the problem is and whom it is about."""
        parts = (practice, self.code, self.patient, self.contact, self.email, self.scope)
        return hashlib.sha256(msgspec.json.encode(parts)).hexdigest()[:12]


def chart_scope(patient: str) -> str:
    return f"chart:{patient}"


def address_scope(email_key: str) -> str:
    return f"address:{email_key}"


def own_chart_scope(contact: str) -> str:
    return f"own-chart:{contact}"


def record_scope(ref: str) -> str:
    return f"record:{ref}"


def chart_findings(
    ref: str, patient: Patient | None, contacts: Iterable[Contact], decision: ChartDecision
) -> list[Finding]:
    """One finding for each contact whose headline reason is not a normal one."""
    found = []
    for contact in contacts:
        outcome = decision.outcomes[contact.ref]
        code = outcome.headline
        if REASONS[code].finding is None or code == "record-unusable":
            continue  # a damaged record, the contact's or the chart's, is found where it is read
        chart = f"{patient.name}'s chart" if patient and patient.name else ref or "a chart"
        found.append(
            _finding(
                code,
                f"{_who(contact)} on {chart}: {REASONS[code].summary}.",
                chart_scope(ref),
                patient=ref,
                contact=contact.ref,
                facts=contact_facts(contact, patient, outcome.access),
            )
        )
    return found


def account_findings(decision: AccountDecision) -> list[Finding]:
    """A mailbox used by several people: the charts that are held for it, and a mother and father under one address."""
    if not decision.shared_charts and not decision.kinship_clash:
        return []
    names = " and ".join(sorted({person[0].contact.name or person[0].contact.ref for person in decision.people}))
    scope, email = address_scope(decision.email_key), decision.email_key
    facts = mailbox_facts(member.contact for person in decision.people for member in person)
    found = []
    for patient in decision.shared_charts:
        message = (
            f"{decision.email} is used by {names}, and not all of them may see {_chart_name(decision, patient)}: held."
        )
        found.append(_finding("shared-email", message, scope, patient=patient, email=email, facts=facts))
    clashes = [patient for patient in decision.kinship_clash if patient not in decision.shared_charts]
    if clashes:
        charts = " and ".join(_chart_name(decision, patient) for patient in clashes)
        message = f"{decision.email} is the address of a mother and a father at once, on {charts}: {names}."
        alone = clashes[0] if len(clashes) == 1 else None
        warning = Severity.WARNING
        found.append(
            _finding("shared-email", message, scope, patient=alone, email=email, severity=warning, facts=facts)
        )
    return found


def own_chart_findings(own: Member, on_chart: Sequence[Member], elsewhere: Sequence[Member]) -> list[Finding]:
    """For a parent who is a patient too: only a Self row in their own chart, or another address than in the child's.

    ``own`` is the contact in their own chart, ``on_chart`` everybody on that chart, ``elsewhere`` contacts on other
    charts with the same name or address. Source: FAQ 4.
    """
    contact = own.contact
    if not own.outcome.current or contact.unusable:
        return []
    same = [
        other
        for other in sorted(elsewhere, key=lambda other: other.contact.ref)
        if other.outcome.current
        and not other.outcome.is_self
        and other.contact.role is not Role.SELF
        and _one_person(contact, other.contact)
    ]
    if not same:
        return []
    scope, where = own_chart_scope(contact.ref), same[0].contact.patient
    if contact.role is Role.SELF:
        if any(other.outcome.opens and _one_person(contact, other.contact) for other in on_chart):
            return []
        message = (
            f"{contact.name or contact.ref} is Self in their own chart and a Family Contact on {_chart(same[0])}: "
            "they do not see themselves in the portal."
        )
        return [
            _finding(
                "self-only",
                message,
                scope,
                patient=contact.patient,
                contact=contact.ref,
                email=contact.email_key or None,
            )
        ]
    addresses = sorted({other.contact.email_key for other in same if other.contact.email_key})
    if not contact.email_key or not addresses or contact.email_key in addresses:
        return []
    message = (
        f"{contact.name or contact.ref} has {contact.email} in their own chart ({contact.patient}) and "
        f"{', '.join(addresses)} on {_chart(same[0])} ({where})."
    )
    return [
        _finding(
            "email-mismatch", message, scope, patient=contact.patient, contact=contact.ref, email=contact.email_key
        )
    ]


def record_finding(record: Quarantined) -> Finding:
    """A record that was put aside: which, where it stood, what is wrong with it."""
    kind, _, _ = record.ref.partition("/")
    place = f" ({record.origin})" if record.origin else ""
    what = f"{record.ref}{place}" if record.ref else f"A record at {record.origin}"
    return _finding(
        "record-unusable",
        f"{what} was put aside: {record.path}: {record.problem}.",
        record_scope(record.ref or record.origin),
        patient=record.ref if kind == "Patient" else None,
        contact=record.ref if kind == "RelatedPerson" else None,
        facts=text_facts(record.ref or record.origin, record.path, record.problem),
    )


def _finding(
    code: str,
    message: str,
    scope: str,
    *,
    patient: str | None = None,
    contact: str | None = None,
    email: str | None = None,
    severity: Severity | None = None,
    facts: str = "",
) -> Finding:
    reason = REASONS[code]
    return Finding(
        code=code,
        message=message,
        scope=scope,
        patient=patient or None,
        contact=contact,
        email=email,
        severity=severity or reason.finding,
        remedy=reason.remedy,
        facts=facts,
    )


def _one_person(a: Contact, b: Contact) -> bool:
    return same_person(a.names, a.birth_date, b.names, b.birth_date)


def _who(contact: Contact) -> str:
    role = contact.role_text or (contact.role.replace("_", " ") if contact.role is not Role.UNKNOWN else "")
    name = contact.name or contact.ref
    return f"{name} ({role})" if role else name


def _chart(member: Member) -> str:
    return f"{member.outcome.chart_name}'s chart" if member.outcome.chart_name else member.contact.patient


def _chart_name(decision: AccountDecision, patient: str) -> str:
    dependent = decision.dependents.get(patient)
    return _chart(dependent.member) if dependent else patient
