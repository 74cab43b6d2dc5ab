"""From contacts to accounts: everybody who uses one e-mail address, and the charts that address may open.

Source: docs/rules.md, "From contacts to accounts".
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime

import msgspec

from adapter.core.answers import HOLDS, UNANSWERED, Decision, Mailbox, mailbox
from adapter.core.decide import Outcome, one_person
from adapter.core.facts import Authority, Contact, Role
from adapter.core.policy import Access
from adapter.core.reasons import APPROVED, NOT_DECIDED, ORDER, REASONS
from adapter.core.state import Grant, GrantState
from adapter.core.until import earlier

SHARED = "shared-email"
SamePerson = Callable[[Contact, Contact], bool]


class Member(msgspec.Struct, frozen=True, gc=False):
    """One contact that uses the address, with what its chart's rules said."""

    contact: Contact
    outcome: Outcome


class Dependent(msgspec.Struct, frozen=True, gc=False):
    """What an account should have on one chart. ``fresh`` and ``standing`` differ where a new grant may not begin
    but an existing one is kept, suspended or ended."""

    patient: str
    member: Member
    reason: str
    fresh: GrantState | None
    standing: GrantState | None
    """None: an existing grant stays, but no wider than the chart's access by age."""
    until: datetime | None = None
    """When the answer expires by which it is open."""

    def grant(self, state: GrantState) -> Grant:
        contact, outcome = self.member.contact, self.member.outcome
        access = outcome.access if state is GrantState.ACTIVE or outcome.opens else Access.NONE
        return Grant(
            self.patient,
            contact.ref,
            contact.role,
            outcome.authority,
            access,
            state,
            self.reason,
            contact.source,
            outcome.is_self,
            earlier(outcome.until, self.until) if state is GrantState.ACTIVE else None,
            outcome.organization,
        )


class AccountDecision(msgspec.Struct, frozen=True):
    """What one address should be: whose it is, and which charts it may open."""

    email_key: str
    email: str
    name: str
    language: str
    dependents: dict[str, Dependent]
    """By patient reference."""
    people: tuple[tuple[Member, ...], ...]
    """The people who use the address, each with their contacts."""
    shared_charts: tuple[str, ...]
    """Charts held because not everybody at this address may see them."""
    kinship_clash: tuple[str, ...]
    """Charts on which the address belongs to a mother and a father at once."""


def decide_account(email_key: str, members: Iterable[Member], decisions: Sequence[Decision] = ()) -> AccountDecision:
    """Decides one account from every contact with its address. The order of ``members`` never matters.

    ``decisions`` are what humans have answered about this address and has not expired; their order matters no more.
    """
    ordered = sorted(members, key=lambda member: member.contact.ref)
    here = [member for member in ordered if member.outcome.current]
    said = mailbox(decisions, [member.contact for member in here]) if decisions else UNANSWERED
    same = _anybody if said.one_person else one_person
    by_chart: dict[str, list[Member]] = {}
    for member in ordered:
        if member.contact.patient:
            by_chart.setdefault(member.contact.patient, []).append(member)
    dependents, shared = {}, []
    for patient, rows in by_chart.items():
        best = min(rows, key=_preference)
        reason, until, contradicted = best.outcome.headline, None, False
        if _may_open(best):
            if not _everybody_may_open(rows, here):
                reason, until = _answered(patient, best, rows, _others(rows, here), said)
            if reason == SHARED:
                shared.append(patient)
            elif contradicted := _contradicted(rows, same):
                reason = "authority-conflict"
        dependents[patient] = _dependent(patient, best, reason, until, contradicted=contradicted)
    first = min(
        ordered, key=lambda member: (not member.outcome.opens, not member.outcome.current, member.contact.ref)
    ).contact
    clashes = tuple(sorted(patient for patient, rows in by_chart.items() if _kin_clash(rows)))
    return AccountDecision(
        email_key,
        first.email,
        first.name,
        _language(ordered),
        dependents,
        people_of(here, same),
        tuple(sorted(shared)),
        clashes,
    )


def nobody(email_key: str) -> AccountDecision:
    """The decision for an address that no contact has any more."""
    return AccountDecision(email_key, "", "", "", {}, (), (), ())


def people_of(members: Sequence[Member], same: SamePerson = one_person) -> tuple[tuple[Member, ...], ...]:
    """Clusters contacts with one address into people, by name, birth date and kinship.

    A contact without a name is a person of its own: nobody can say whose it is.
    """
    people: list[list[Member]] = []
    for member in sorted(members, key=lambda member: member.contact.ref):
        person = next((one for one in people if all(same(member.contact, other.contact) for other in one)), None)
        if person is None:
            people.append([member])
        else:
            person.append(member)
    return tuple(tuple(person) for person in people)


def _may_open(member: Member) -> bool:
    return member.outcome.opens or member.outcome.freeze


def _anybody(a: Contact, b: Contact) -> bool:
    """Everybody at the address is one person: somebody at the practice has said so."""
    return True


def _everybody_may_open(rows: Sequence[Member], here: Sequence[Member]) -> bool:
    """Whether each contact that uses the address is somebody who may open this chart.

    Asked contact by contact, not by cluster, so that a right or a likeness that gets lost can only narrow the answer.
    """
    return not _others(rows, here)


def _others(rows: Sequence[Member], here: Sequence[Member]) -> list[Member]:
    """Those who use the address and are nobody that may open this chart."""
    openers = [row.contact for row in rows if _may_open(row)]
    return [
        one
        for one in here
        if one.contact not in openers and not any(one_person(one.contact, opener) for opener in openers)
    ]


def _answered(
    patient: str, best: Member, rows: Sequence[Member], others: Sequence[Member], said: Mailbox
) -> tuple[str, datetime | None]:
    """What a human's answer makes of a chart that not everybody at the address may see, and until when.

    Nothing when one of the others stands on this very chart (``rows``) with anything but a hold, if only in an entry
    that has ended: that is an explicit no.
    """
    on_chart = [
        row.outcome.reasons
        for row in rows
        if any(row.contact == one.contact or one_person(row.contact, one.contact) for one in others)
    ]
    approved = patient in said.approved and all(HOLDS.issuperset(reasons) for reasons in on_chart)
    if not said.one_person and not approved:
        return SHARED, None
    until = said.until if said.one_person else said.approved[patient]
    return (APPROVED if best.outcome.opens else best.outcome.headline), until


def _preference(member: Member) -> tuple[bool, bool, bool, bool, int, str]:
    """Which of several rows of one address on one chart counts: the one that opens it, else the one closest to it.

    Of two that open it, the one that needs nobody's approval: that one may end.
    """
    outcome, contact = member.outcome, member.contact
    return (
        not outcome.opens,
        not outcome.freeze,
        bool(outcome.approved),
        contact.role is Role.SELF,
        0 if outcome.authority is Authority.EXCLUSIVE else 1 if outcome.opens else 100 - ORDER.get(outcome.headline, 0),
        contact.ref,
    )


def _contradicted(rows: Sequence[Member], same: SamePerson) -> bool:
    """Whether somebody who opens the chart stands on it again with Authority None: nobody can tell which is right."""
    nos = [row.contact for row in rows if row.outcome.current and _says_no(row.contact)]
    return any(same(no, row.contact) for no in nos for row in rows if _may_open(row))


def _says_no(contact: Contact) -> bool:
    remembered = contact.authority is Authority.UNKNOWN and contact.last_authority is Authority.NONE
    return contact.role is not Role.SELF and (contact.authority is Authority.NONE or remembered)


def _kin_clash(rows: Sequence[Member]) -> bool:
    return len(rows) > 1 and {Role.MOTHER, Role.FATHER} <= {row.contact.role for row in rows if row.outcome.current}


def _dependent(patient: str, best: Member, code: str, until: datetime | None, *, contradicted: bool) -> Dependent:
    reason = REASONS[code]
    if contradicted:
        return Dependent(patient, best, code, GrantState.HELD, GrantState.HELD)
    if code == "authority-conflict" and best.outcome.freeze:
        return Dependent(patient, best, code, GrantState.HELD, None)
    if code == NOT_DECIDED:
        return Dependent(patient, best, code, None, None)
    return Dependent(patient, best, code, reason.fresh, reason.standing, until)


def _language(members: Sequence[Member]) -> str:
    return next((member.contact.language for member in members if member.contact.language), "")


def lost_grant(grant: Grant, now_at: Mapping[str, Member]) -> tuple[GrantState, str]:
    """What becomes of a grant that no contact of its account supports any more: the state it goes to, and why.

    ``now_at`` has the contact as it is now, wherever it moved to; a contact that is not in it was confirmed gone.
    """
    member = now_at.get(grant.contact)
    if member is None:
        return GrantState.ENDED, "contact-gone"
    contact, outcome = member.contact, member.outcome
    if contact.patient_problem or (outcome.reasons and contact.patient == grant.patient):
        code = "patient-mismatch" if contact.patient_problem else outcome.headline
        return REASONS[code].standing, code
    if contact.patient != grant.patient:
        return GrantState.ENDED, "contact-moved"
    return GrantState.ENDED, "email-changed"


def reasons_against(
    dependent: Dependent | None, before: Grant | None, now_at: Mapping[str, Member], shut: Mapping[str, str]
) -> tuple[str, ...]:
    """All that is said against this contact on this chart, not only the headline; by the chart's own record too."""
    member = dependent.member if dependent else now_at.get(before.contact) if before else None
    chart = dependent.patient if dependent else before.patient if before else ""
    said = member.outcome.reasons if member is not None and member.contact.patient == chart else ()
    return (*said, shut[chart]) if chart in shut else said
