"""A finding as a FHIR R4 Task (http://hl7.org/fhir/R4/task.html): what to look at, and the step that fixes it.

Its message names people and addresses, so it stands there only for those who may read accounts too; for others the
reason in general words does.
"""

from datetime import datetime

import msgspec

from adapter.core.fhir_face.elements import URN, Ehr, Element, coded, instant, resource
from adapter.core.reasons import REASONS, Severity

OPEN, CLOSED = "requested", "completed"
_PRIORITIES = {str(Severity.ERROR): "urgent"}


class FindingView(msgspec.Struct, frozen=True):
    """One finding, open or closed."""

    id: str
    code: str
    severity: str
    patient: str | None
    contact: str | None
    message: str
    remedy: str
    since: datetime
    closed_at: datetime | None
    changed_at: datetime


def task(view: FindingView, ehr: Ehr, *, with_message: bool) -> Element:
    """The finding: open (requested) or settled (completed); its remedy is the note."""
    known = REASONS.get(view.code)
    general = f"{known.summary[:1].upper()}{known.summary[1:]}." if known else view.code
    return resource(
        "Task",
        view.id,
        view.changed_at,
        {
            "status": CLOSED if view.closed_at else OPEN,
            "intent": "proposal",
            "priority": _PRIORITIES.get(view.severity, "routine"),
            "code": coded(f"{URN}:reason", view.code),
            "description": view.message if with_message else general,
            "focus": ehr.reference(view.contact) if view.contact else None,
            "for": ehr.reference(view.patient) if view.patient else None,
            "authoredOn": instant(view.since),
            "lastModified": instant(view.changed_at),
            "executionPeriod": {"start": instant(view.since)}
            | ({"end": instant(view.closed_at)} if view.closed_at else {}),
            "note": [{"text": view.remedy}] if view.remedy else [],
        },
    )
