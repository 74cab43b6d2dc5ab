"""Whether a chart that a run has closed may be opened again: only when nothing that is said now speaks against it."""

from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec
import sqlalchemy as sa

from adapter.core.accounts import Member, decide_account
from adapter.core.decide import decide_chart
from adapter.core.facts import Authority, Contact, Role
from adapter.core.findings import address_scope, chart_scope
from adapter.core.revoked import withdraw
from adapter.core.state import Account, Grant, GrantState
from adapter.core.until import WIDTH, earlier
from adapter.jobs.practice import Practice
from adapter.store import decisions, facts, revocations


def may_reopen(
    connection: sa.Connection,
    practice: Practice,
    account: Account,
    key: str,
    grants: Sequence[Grant],
    now: datetime,
) -> Mapping[str, Grant | str]:
    """By chart: the grant as it may be now, never wider than before; or the reason code that speaks against it.

    What a contact no longer says (its Authority, its Role, its address, the contact itself) is taken as the grant had
    it: that something is missing is no evidence. Whatever the charts do say counts, and whatever humans have answered
    since: ``key`` is the address.
    """
    lost = {grant.contact: grant for grant in grants}
    here = facts.members_of(connection, practice.id, [key])[key]
    charts = {member.contact.patient for member in here} | {grant.patient for grant in grants}
    members = [member for member in here if not member.contact.patient]
    scopes = [address_scope(key), *map(chart_scope, sorted(charts - {""}))]
    answers = decisions.in_force(connection, practice.id, scopes)
    for chart in facts.load_charts(connection, practice.id, sorted(charts - {""})):
        contacts = {contact.ref: contact for contact in chart.contacts}
        for grant in grants:
            if grant.patient == chart.ref:
                contacts[grant.contact] = _filled(contacts.get(grant.contact), grant, account, key)
        everybody = tuple(contacts.values())
        decision = decide_chart(chart.patient, everybody, practice.policy, now, answers.get(chart_scope(chart.ref), []))
        members += [
            Member(contact, decision.outcomes[contact.ref])
            for contact in everybody
            if contact.email_key == key or contact.ref in lost
        ]
    revoked = revocations.in_force(connection, practice.id).get(key, [])
    said = [one for one in answers.get(address_scope(key), []) if one.on(now)]
    dependents = withdraw(decide_account(key, members, said), revoked).dependents if members else {}
    found: dict[str, Grant | str] = {}
    for grant in grants:
        dependent = dependents.get(grant.patient)
        if dependent is None or dependent.fresh is not GrantState.ACTIVE:
            found[grant.patient] = dependent.reason if dependent else "contact-moved"
            continue
        outcome = dependent.member.outcome
        access = min(outcome.access, grant.access, key=lambda access: WIDTH[access])
        found[grant.patient] = msgspec.structs.replace(grant, access=access, until=earlier(grant.until, outcome.until))
    return found


def _filled(contact: Contact | None, grant: Grant, account: Account, key: str) -> Contact:
    """The contact as it is now, with what is missing as the grant had it."""
    if contact is None:
        contact = Contact(
            grant.contact,
            grant.source,
            grant.patient,
            role=grant.role,
            authority=grant.authority,
            names=(account.name,) if account.name else (),
        )
    if contact.role is Role.UNKNOWN:
        contact = msgspec.structs.replace(contact, role=grant.role)
    if contact.authority is Authority.UNKNOWN and contact.last_authority is not Authority.NONE:
        contact = msgspec.structs.replace(contact, authority=grant.authority)
    if not contact.email:
        contact = msgspec.structs.replace(contact, email=account.email, email_key=key, email_problem=None)
    return contact
