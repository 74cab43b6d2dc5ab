"""From contacts to accounts: everybody who uses one e-mail address, and the charts that address may open.

Source: docs/rules.md, "From contacts to accounts".
"""

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from adapter.core.decide import Outcome, one_person
from adapter.core.facts import Authority, Contact, Role
from adapter.core.policy import Access
from adapter.core.reasons import NOT_DECIDED, ORDER, REASONS
from adapter.core.state import Grant, GrantState


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
            outcome.until if state is GrantState.ACTIVE else None,
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


def decide_account(email_key: str, members: Iterable[Member]) -> AccountDecision:
    """Decides one account from every contact with its address. The order of ``members`` never matters."""
    ordered = sorted(members, key=lambda member: member.contact.ref)
    here = [member for member in ordered if member.outcome.current]
    by_chart: dict[str, list[Member]] = {}
    for member in ordered:
        if member.contact.patient:
            by_chart.setdefault(member.contact.patient, []).append(member)
    dependents, shared = {}, []
    for patient, rows in by_chart.items():
        best = min(rows, key=_preference)
        reason, contradicted = best.outcome.headline, False
        if _may_open(best) and not _everybody_may_open(rows, here):
            reason = "shared-email"
            shared.append(patient)
        elif contradicted := _may_open(best) and _contradicted(rows):
            reason = "authority-conflict"
        dependents[patient] = _dependent(patient, best, reason, contradicted=contradicted)
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
        people_of(here),
        tuple(sorted(shared)),
        clashes,
    )


def nobody(email_key: str) -> AccountDecision:
    """The decision for an address that no contact has any more."""
    return AccountDecision(email_key, "", "", "", {}, (), (), ())


def people_of(members: Sequence[Member]) -> tuple[tuple[Member, ...], ...]:
    """Clusters contacts with one address into people, by name, birth date and kinship.

    A contact without a name is a person of its own: nobody can say whose it is.
    """
    people: list[list[Member]] = []
    for member in sorted(members, key=lambda member: member.contact.ref):
        person = next((one for one in people if all(one_person(member.contact, other.contact) for other in one)), None)
        if person is None:
            people.append([member])
        else:
            person.append(member)
    return tuple(tuple(person) for person in people)


def _may_open(member: Member) -> bool:
    return member.outcome.opens or member.outcome.freeze


def _everybody_may_open(rows: Sequence[Member], here: Sequence[Member]) -> bool:
    """Whether each contact that uses the address is somebody who may open this chart.

    Asked contact by contact, not by cluster, so that a right or a likeness that gets lost can only narrow the answer.
    """
    openers = [row.contact for row in rows if _may_open(row)]
    return all(any(one_person(one.contact, opener) for opener in openers) for one in here if one.contact not in openers)


def _preference(member: Member) -> tuple[bool, bool, bool, int, str]:
    """Which of several rows of one address on one chart counts: the one that opens it, else the one closest to it."""
    outcome, contact = member.outcome, member.contact
    return (
        not outcome.opens,
        not outcome.freeze,
        contact.role is Role.SELF,
        0 if outcome.authority is Authority.EXCLUSIVE else 1 if outcome.opens else 100 - ORDER.get(outcome.headline, 0),
        contact.ref,
    )


def _contradicted(rows: Sequence[Member]) -> bool:
    """Whether somebody who opens the chart stands on it again with Authority None: nobody can tell which is right."""
    nos = [row.contact for row in rows if row.outcome.current and _says_no(row.contact)]
    return any(one_person(no, row.contact) for no in nos for row in rows if _may_open(row))


def _says_no(contact: Contact) -> bool:
    remembered = contact.authority is Authority.UNKNOWN and contact.last_authority is Authority.NONE
    return contact.role is not Role.SELF and (contact.authority is Authority.NONE or remembered)


def _kin_clash(rows: Sequence[Member]) -> bool:
    return len(rows) > 1 and {Role.MOTHER, Role.FATHER} <= {row.contact.role for row in rows if row.outcome.current}


def _dependent(patient: str, best: Member, code: str, *, contradicted: bool) -> Dependent:
    reason = REASONS[code]
    if contradicted:
        return Dependent(patient, best, code, GrantState.HELD, GrantState.HELD)
    if code == "authority-conflict" and best.outcome.freeze:
        return Dependent(patient, best, code, GrantState.HELD, None)
    if code == NOT_DECIDED:
        return Dependent(patient, best, code, None, None)
    return Dependent(patient, best, code, reason.fresh, reason.standing)


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
