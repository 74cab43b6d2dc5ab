"""A portal account as a FHIR R4 Person (http://hl7.org/fhir/R4/person.html).

``Person.link`` says *who the account's user is*, never whose chart they see: a link to the child would call the mother
her own child. So it leads to the Family Contacts that the account's grants rest on, and to a Patient only where the
parent is that patient. Whose chart an account may open stands in Consent.
"""

from datetime import datetime

import msgspec

from adapter.core.fhir_face.consent import SHUT
from adapter.core.fhir_face.elements import Ehr, Element, extension, instant, resource
from adapter.core.state import AccountStatus, GrantState


class Link(msgspec.Struct, frozen=True):
    """One grant of the account, as far as it says who the account's user is."""

    patient: str
    contact: str
    state: GrantState
    is_self: bool


class AccountView(msgspec.Struct, frozen=True):
    """One account; ``changed_at`` is the last time that anything of it or of its grants changed."""

    id: str
    email: str
    name: str
    status: AccountStatus
    reason: str
    registered_at: datetime | None
    changed_at: datetime
    links: tuple[Link, ...]


def person(view: AccountView, ehr: Ehr) -> Element:
    """The account, with one link for each contact it stands for, and the assurance of each."""
    facts = [extension("account-status", valueCode=str(view.status))]
    if view.registered_at:
        facts.append(extension("registered-at", valueInstant=instant(view.registered_at)))
    return resource(
        "Person",
        view.id,
        view.changed_at,
        {
            "extension": facts,
            "name": [{"text": view.name}] if view.name else [],
            "telecom": [{"system": "email", "value": view.email}],
            "active": view.status not in SHUT,
            "link": _links(view, ehr),
        },
    )


def _links(view: AccountView, ehr: Ehr) -> list[Element]:
    levels: dict[str, int] = {}
    for link in view.links:
        if link.state is GrantState.ENDED:
            continue
        level = _level(link, registered=view.registered_at is not None)
        for ref in (link.contact, link.patient) if link.is_self else (link.contact,):
            levels[ref] = max(level, levels.get(ref, 0))
    return [{"target": ehr.reference(ref), "assurance": f"level{level}"} for ref, level in sorted(levels.items())]


def _level(link: Link, *, registered: bool) -> int:
    """How sure it is that the user is this contact: 3 where somebody has also proven to read the contact's mail,
    2 while only the chart says so, 1 while a human has to look (http://hl7.org/fhir/R4/valueset-identity-assuranceLevel.html).
    """
    if link.state is not GrantState.ACTIVE:
        return 1
    return 3 if registered else 2
