"""A grant as a FHIR R4 Consent (http://hl7.org/fhir/R4/consent.html): this contact may open this chart, or may not.

R4's text keeps ``provision.type`` for nested provisions, while its own search parameter ``actor`` looks at the root
alone. Both stand in the root here, so that a reader who looks nowhere else reads the whole of it.
"""

from datetime import datetime

import msgspec

from adapter.core.facts import Authority, Role
from adapter.core.fhir_face.elements import URN, Ehr, Element, coded, extension, instant, resource
from adapter.core.policy import Access
from adapter.core.reasons import REASONS
from adapter.core.state import AccountStatus, GrantState

ROLE_CODE = "http://terminology.hl7.org/CodeSystem/v3-RoleCode"
_ROLES = {
    Role.SELF: "ONESELF",
    Role.MOTHER: "MTH",
    Role.FATHER: "FTH",
    Role.PARENT: "PRN",
    Role.STEP_PARENT: "STPPRN",
    Role.FOSTER_PARENT: "PRNFOST",
    Role.GRANDPARENT: "GRPRN",
    Role.GUARDIAN: "GUARD",
    Role.SIBLING: "SIB",
    Role.SPOUSE: "SPS",
    Role.CHILD: "CHILD",
    Role.OTHER_RELATIVE: "FAMMEMB",
}
"""Roles that v3-RoleCode has; the others stand in the adapter's own words alone."""
ACTIVE, PROPOSED, INACTIVE = "active", "proposed", "inactive"
SHUT = (AccountStatus.SUSPENDED, AccountStatus.CLOSED)
"""An account that opens nothing, whatever its grants say."""


class GrantView(msgspec.Struct, frozen=True):
    """One grant; ``since`` is when its state began, ``until`` when time alone ends it, ``changed_at`` when anything
    of it changed. ``account_status`` counts too: a suspended account opens nothing.
    """

    id: str
    account: str
    account_status: AccountStatus
    patient: str
    contact: str
    role: Role
    authority: Authority
    access: Access
    state: GrantState
    reason: str
    since: datetime
    until: datetime | None
    changed_at: datetime

    def opens(self, now: datetime) -> bool:
        """Whether the chart is open at this moment."""
        in_time = self.until is None or now < self.until
        return self.state is GrantState.ACTIVE and self.account_status not in SHUT and in_time

    def status(self, now: datetime) -> str:
        """``Consent.status``."""
        if self.opens(now):
            return ACTIVE
        return PROPOSED if self.state is GrantState.HELD else INACTIVE


def consent(view: GrantView, ehr: Ehr, now: datetime) -> Element:
    """The grant as it is now: who (actor), whose chart (patient), on what ground (policyRule), from when until when."""
    provision = {
        "type": "permit" if view.opens(now) else "deny",
        "period": _period(view),
        "actor": [{"role": _role(view.role), "reference": ehr.reference(view.contact)}],
        "action": [
            coded("http://terminology.hl7.org/CodeSystem/consentaction", "access", "Access"),
            coded(f"{URN}:access", view.access),
        ],
    }
    return resource(
        "Consent",
        view.id,
        view.changed_at,
        {
            "extension": [
                extension("account", valueReference={"reference": f"Person/{view.account}", "type": "Person"}),
                extension("grant-state", valueCode=str(view.state)),
                extension("reason", valueCodeableConcept=_reason(view.reason)),
            ],
            "status": view.status(now),
            "scope": coded("http://terminology.hl7.org/CodeSystem/consentscope", "patient-privacy", "Privacy Consent"),
            "category": [
                coded("http://terminology.hl7.org/CodeSystem/v3-ActCode", "IDSCL", "information disclosure"),
                coded(f"{URN}:consent-category", "portal-access"),
            ],
            "patient": ehr.reference(view.patient),
            "dateTime": instant(view.since),
            "policyRule": coded(f"{URN}:authority", view.authority) | {"text": f"Authority: {view.authority.title()}"},
            "provision": provision,
        },
    )


def _period(view: GrantView) -> Element:
    if view.state is GrantState.ENDED:
        return {"end": instant(view.since)}
    return {"start": instant(view.since)} | ({"end": instant(view.until)} if view.until else {})


def _role(role: Role) -> Element:
    codings = [{"system": f"{URN}:role", "code": str(role)}]
    if role in _ROLES:
        codings.insert(0, {"system": ROLE_CODE, "code": _ROLES[role]})
    return {"coding": codings}


def _reason(code: str) -> Element:
    known = REASONS.get(code)
    return coded(f"{URN}:reason", code) | ({"text": known.summary} if known else {})
