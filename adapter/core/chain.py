"""The rest of the chain behind an answer: from the record's version to the expression, and from the grant to the mail.

Every step that has a record behind it names it: a version of a FHIR record, a finding, a run, an entry of the outbox.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec

from adapter.core.decide import PASSED, Step
from adapter.core.facts import Contact
from adapter.core.reasons import REASONS
from adapter.core.state import Account, EffectState, Grant


class Expressions(msgspec.Struct, frozen=True):
    """Where the mapping profile finds what a grant needs, in its own words."""

    role: str
    authority: str
    email: str


class Sent(msgspec.Struct, frozen=True):
    """One entry of the outbox."""

    id: str
    state: EffectState
    at: datetime | None
    last_error: str | None = None


class Link(msgspec.Struct, frozen=True):
    """The link in the latest Welcome email: until when it works, and when it stopped working."""

    welcome: str
    expires_at: datetime | None
    closed_at: datetime | None


class Said(msgspec.Struct, frozen=True):
    """What a human has answered, and whether it still counts."""

    finding: str
    code: str
    answer: str
    actor: str
    at: datetime
    reason: str
    ended: str = ""


class Waits(msgspec.Struct, frozen=True):
    """Changes of this address that a brake holds."""

    run: int
    changes: int


class Chain(msgspec.Struct, frozen=True):
    """What the store knows beyond facts and grants."""

    since: Mapping[str, datetime] = {}
    """Since when each grant is in its state, by patient."""
    portal: Sent | None = None
    link: Link | None = None
    said: Sequence[Said] = ()
    waits: Sequence[Waits] = ()


NOTHING_MORE = Chain()
_ENDED = {
    "facts-changed": "it no longer counts, because the facts have changed",
    "expired": "it has expired",
    "withdrawn": "it was withdrawn",
    "restored": "it no longer counts, because a backup was put back",
    "solved": "it ended when the problem was gone",
    "replaced": "another answer took its place",
}
_PORTAL = {
    EffectState.SENT: "The portal has it",
    EffectState.QUEUED: "The portal is told with the next delivery",
    EffectState.SENDING: "The portal is being told now",
    EffectState.UNKNOWN: "Nobody knows whether the portal took it",
    EffectState.FAILED: "The portal did not take it",
    EffectState.CANCELLED: "The portal was not told",
    EffectState.HELD: "The portal is told after a release",
}


def mapped_steps(contact: Contact, by: Expressions) -> tuple[Step, ...]:
    """Which expression of the profile gave the Role, the Authority and the e-mail address of this contact."""
    role = contact.role_text or contact.role
    authority = contact.authority_text or contact.authority
    found = (
        (by.role, "Role/Reason", role),
        (by.authority, "Authority", authority),
        (by.email, "e-mail address", contact.email),
    )
    return tuple(
        Step("mapping", PASSED, f"{where} gave the {what} {value or 'nothing'}.", contact.source)
        for where, what, value in found
    )


def grant_steps(grants: Mapping[str, Grant], chain: Chain, now: datetime) -> list[Step]:
    """Each chart of the account: where it stands, since when and why."""
    steps = []
    for patient, grant in sorted(grants.items()):
        at = chain.since.get(patient)
        since = f" since {moment(at, now)}" if at else ""
        because = REASONS[grant.reason].summary
        steps.append(Step("grant", grant.state, f"{patient}: {grant.state}{since}, because {because}.", grant.source))
    return steps


def said_steps(chain: Chain, now: datetime) -> list[Step]:
    """What humans have answered about this person, the latest first."""
    steps = []
    for one in chain.said:
        who = one.actor.partition(":")[2] or one.actor
        answered = f'{who} answered {one.code} with {one.answer} on {moment(one.at, now)}: "{one.reason}"'
        ended = f"; {_ENDED.get(one.ended, one.ended)}" if one.ended else ""
        steps.append(Step("decision", one.ended or PASSED, f"{answered}{ended}.", f"finding/{one.finding}"))
    return steps


def waiting_steps(chain: Chain) -> list[Step]:
    """What a brake holds."""
    steps = []
    for one in chain.waits:
        what = "1 change of this address waits" if one.changes == 1 else f"{one.changes} changes of this address wait"
        steps.append(Step("brake", "held", f"{what} for a release: adapter release {one.run}.", f"run/{one.run}"))
    return steps


def delivered_steps(account: Account, chain: Chain, now: datetime) -> list[Step]:
    """What became of it outside: the portal, the link in the Welcome email, and whether the parent registered."""
    steps = []
    if (told := chain.portal) is not None:
        at = f", since {moment(told.at, now)}" if told.at and told.state is EffectState.SENT else ""
        error = f" (last try: {told.last_error})" if told.last_error and told.state is not EffectState.SENT else ""
        steps.append(Step("portal", told.state, f"{_PORTAL[told.state]}{at}{error}.", f"outbox/{told.id}"))
    if (link := chain.link) is not None and link.expires_at is not None:
        steps.append(Step("link", *_link(account, link, now), f"welcome/{link.welcome}"))
    if account.registered:
        steps.append(Step("registered", PASSED, "The parent has registered.", f"account/{account.id}"))
    elif link is not None:
        steps.append(Step("registered", "not-yet", "The parent has not registered yet.", f"account/{account.id}"))
    return steps


def _link(account: Account, link: Link, now: datetime) -> tuple[str, str]:
    assert link.expires_at is not None
    if link.closed_at is not None:
        at = moment(link.closed_at, now)
        return ("used", f"The link was used on {at}.") if account.registered else ("closed", f"The link ended on {at}.")
    if link.expires_at <= now:
        return "expired", f"The link expired on {moment(link.expires_at, now)}."
    return PASSED, f"The link works until {moment(link.expires_at, now)}."


def moment(at: datetime, now: datetime) -> str:
    """A moment in the time zone of ``now``, for people."""
    here = at.astimezone(now.tzinfo)
    return f"{here.day} {here:%B %Y at %H:%M}"
