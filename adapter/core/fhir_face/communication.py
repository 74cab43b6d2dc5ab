"""A Welcome email as a FHIR R4 Communication (http://hl7.org/fhir/R4/communication.html).

The address stands in it only for those who may read accounts too, and the link never.
"""

from datetime import datetime, tzinfo

import msgspec

from adapter.core.fhir_face.elements import URN, Ehr, Element, coded, extension, instant, resource
from adapter.core.state import AccountStatus, EffectState

STATUSES = {
    EffectState.QUEUED: "preparation",
    EffectState.SENDING: "in-progress",
    EffectState.SENT: "completed",
    EffectState.UNKNOWN: "unknown",
    EffectState.FAILED: "stopped",
    EffectState.CANCELLED: "not-done",
    EffectState.HELD: "on-hold",
}
_SAID = {
    EffectState.QUEUED: "Welcome email queued",
    EffectState.SENDING: "Welcome email is being sent",
    EffectState.UNKNOWN: "Welcome email may or may not have been sent: the line to the mail server dropped",
    EffectState.FAILED: "Welcome email could not be delivered",
    EffectState.CANCELLED: "Welcome email cancelled",
    EffectState.HELD: "Welcome email held for a release",
}
_ACCOUNT = {
    AccountStatus.REGISTERED: "registered",
    AccountStatus.SUSPENDED: "account suspended",
    AccountStatus.CLOSED: "account closed",
}


class WelcomeView(msgspec.Struct, frozen=True):
    """One Welcome email: ``generation`` 1 is the first, each resend one more."""

    id: str
    account: str
    account_status: AccountStatus
    email: str
    generation: int
    state: EffectState
    created_at: datetime
    sent_at: datetime | None
    changed_at: datetime
    contacts: tuple[str, ...]
    patients: tuple[str, ...]


def communication(view: WelcomeView, ehr: Ehr, zone: tzinfo, *, with_address: bool) -> Element:
    """The Welcome email: its status, when it was sent, to which contacts, about which charts."""
    sent = view.sent_at if view.state is EffectState.SENT else None
    extensions = [
        extension("account-status", valueCode=str(view.account_status)),
        extension("generation", valueInteger=view.generation),
    ]
    if with_address:
        extensions.append(extension("email-address", valueString=view.email))
    return resource(
        "Communication",
        view.id,
        view.changed_at,
        {
            "extension": extensions,
            "status": STATUSES[view.state],
            "statusReason": coded(f"{URN}:effect-state", view.state),
            "category": [coded("http://terminology.hl7.org/CodeSystem/communication-category", "notification")],
            "medium": [coded("http://terminology.hl7.org/CodeSystem/v3-ParticipationMode", "EMAILWRIT", "email")],
            "topic": {"text": "Welcome email"},
            "about": [
                {"reference": f"Person/{view.account}", "type": "Person"},
                *(ehr.reference(patient) for patient in view.patients),
            ],
            "sent": instant(sent) if sent else None,
            "recipient": [ehr.reference(contact) for contact in view.contacts],
            "payload": [{"contentString": sentence(view, zone)}],
        },
    )


def sentence(view: WelcomeView, zone: tzinfo) -> str:
    """What a contact screen shows: "Welcome email sent 1 June 2026 at 09:41, not yet registered"."""
    if view.state is EffectState.SENT and view.sent_at:
        at, account = view.sent_at.astimezone(zone), _ACCOUNT.get(view.account_status, "not yet registered")
        return f"Welcome email sent {at.day} {at:%B %Y at %H:%M}, {account}"
    said = _SAID.get(view.state, "Welcome email sent")
    known = _ACCOUNT.get(view.account_status)
    return f"{said}; {known}" if known else said
