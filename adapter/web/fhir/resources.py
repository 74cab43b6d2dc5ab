"""From the store's values to resources, as one visitor may see them."""

from collections.abc import Callable
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from adapter.core.fhir_face.communication import communication
from adapter.core.fhir_face.consent import consent
from adapter.core.fhir_face.elements import Ehr, Element, resource
from adapter.core.fhir_face.person import person
from adapter.core.fhir_face.task import task
from adapter.jobs.audit_fhir import event_of
from adapter.settings import FhirEhr, PracticeSettings
from adapter.web.fhir.answers import Refused

_BARE = frozenset(
    {
        "access",
        "authority",
        "contact",
        "count",
        "is_self",
        "organization",
        "revision",
        "role",
        "run",
        "state",
        "status",
        "until",
        "welcome",
    }
)
"""What an entry of the trail may say of a change to who must not see names and addresses. Listed, so that what is added
to the trail later does not show by itself."""


class Maker:
    """Makes one practice's resources for one visitor, as they are at one moment."""

    def __init__(self, practice: PracticeSettings, now: datetime, *, with_address: bool) -> None:
        self.ehr = ehr_of(practice)
        self._zone = ZoneInfo(practice.time_zone)
        self._with_address = with_address
        self._makers: dict[str, Callable[[Any], Element]] = {
            "AuditEvent": self._audit_event,
            "Communication": lambda view: communication(view, self.ehr, self._zone, with_address=with_address),
            "Consent": lambda view: consent(view, self.ehr, now),
            "Person": lambda view: person(view, self.ehr),
            "Task": lambda view: task(view, self.ehr, with_message=with_address),
        }

    def make(self, kind: str, view: Any) -> Element:
        """One resource of this type."""
        return self._makers[kind](view)

    def _audit_event(self, entry: Element) -> Element:
        if not self._with_address:
            entry = entry | {name: _bare(entry[name]) for name in ("before", "after", "detail")} | {"email": None}
        event = event_of(entry)
        for entity in event["entity"]:
            what = entity["what"]
            if "reference" in what:
                entity["what"] = self.ehr.reference(what["reference"])
        try:
            at = datetime.fromisoformat(entry["at"])
        except ValueError:
            raise Refused(500, "exception", "An entry of the trail was altered: run `adapter audit verify`.") from None
        return resource("AuditEvent", event.pop("id"), at, event)


def _bare(said: Any) -> Any:
    if not isinstance(said, dict):
        return None
    return {name: value for name, value in said.items() if name in _BARE and isinstance(value, str | int)}


def ehr_of(practice: PracticeSettings) -> Ehr:
    """The practice's EHR, as references into it need it."""
    return Ehr(practice.id, practice.ehr.base_url if isinstance(practice.ehr, FhirEhr) else "")
