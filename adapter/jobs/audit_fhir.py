"""An entry of the audit trail as a FHIR R4 AuditEvent (http://hl7.org/fhir/R4/auditevent.html).

AuditEvent has no element for a reason code, a sequence number or a hash. They travel as ``purposeOfEvent`` and as
details of an entity of their own, under ``urn:fhir-portal-adapter:…``, so that the trail can be read from the export.
"""

import json
import re
from typing import Any

from adapter.core.fhir_face.elements import event_id
from adapter.errors import FatalError

URN = "urn:fhir-portal-adapter"
DCM = "http://dicom.nema.org/resources/ontology/DCM"
LIFECYCLE = "http://terminology.hl7.org/CodeSystem/iso-21089-lifecycle"
ENTITY_TYPE = "http://terminology.hl7.org/CodeSystem/audit-entity-type"
OBJECT_ROLE = "http://terminology.hl7.org/CodeSystem/object-role"
SOURCE_TYPE = "http://terminology.hl7.org/CodeSystem/security-source-type"

Element = dict[str, Any]

_SECURITY = {"system": DCM, "code": "110113", "display": "Security Alert"}
_RIGHTS = {"system": DCM, "code": "110137", "display": "User Security Attributes Changed"}
_TRANSMIT = {"system": LIFECYCLE, "code": "transmit", "display": "Transmit Record Lifecycle Event"}
_ACTIVITY = {"system": DCM, "code": "110100", "display": "Application Activity"}
_CREATED = frozenset({"open-account", "grant"})
_DELETED = frozenset({"close-account", "end-grant"})
_SENT = re.compile(r"(welcome|notice|widget)-(sent|unknown|failed|cancelled|accepted)")
_ABOUT_RIGHTS = re.compile(r".*(account|grant)")
_REFERENCE = re.compile(r"[A-Z][A-Za-z]+/[A-Za-z0-9.-]{1,64}(/_history/[A-Za-z0-9.-]{1,64})?")
_OUTCOMES = {"failed": "8", "unknown": "4"}  # serious failure, minor failure


def audit_event(entry: Element) -> str:
    """One entry, in the shape of ``adapter audit --json``, as one line of NDJSON.

    Raises FatalError when the entry cannot be said in FHIR: then somebody has changed it.
    """
    # Here, because it takes a third of a second: no other command needs it.
    from fhir.resources.R4B.auditevent import AuditEvent  # the same resource in R4 and R4B

    try:
        return AuditEvent.model_validate(event_of(entry)).model_dump_json()
    except ValueError:
        raise FatalError(
            f"{entry['practice']}: entry {entry['seq']} cannot be exported as an AuditEvent. "
            "Run `adapter audit verify`: somebody may have changed it."
        ) from None


def event_of(entry: Element) -> Element:
    """The same as plain values, unchecked."""
    return {
        "resourceType": "AuditEvent",
        "id": event_id(entry["practice"], entry["seq"]),
        **_kind(entry["action"]),
        "recorded": entry["at"],
        "purposeOfEvent": [{"coding": [{"system": f"{URN}:reason", "code": entry["reason"]}]}],
        "agent": [_agent(entry["actor"])],
        "source": {
            "site": entry["practice"],
            "observer": {"display": "fhir-portal-adapter"},
            "type": [{"system": SOURCE_TYPE, "code": "4", "display": "Application Server"}],
        },
        "entity": list(filter(None, (_itself(entry), _account(entry), _chart(entry), _source(entry)))),
    }


def _kind(action: str) -> Element:
    """What kind of event it was, what it did, and how it ended."""
    own = {"system": f"{URN}:audit-action", "code": action}
    sent = _SENT.fullmatch(action)
    if sent:
        return {"type": _TRANSMIT, "subtype": [own], "action": "E", "outcome": _OUTCOMES.get(sent[2], "0")}
    if _ABOUT_RIGHTS.fullmatch(action):
        did = "C" if action in _CREATED else "D" if action in _DELETED else "U"
        return {"type": _SECURITY, "subtype": [_RIGHTS, own], "action": did, "outcome": "0"}
    return {"type": _ACTIVITY, "subtype": [own], "action": "E", "outcome": "0"}


def _agent(actor: str) -> Element:
    """``person:<user>`` asked for it; a schedule or the EHR set it off."""
    kind, _, user = actor.partition(":")
    return {"altId": user or kind, "name": actor, "requestor": True}


def _itself(entry: Element) -> Element:
    """The entry as a row of the trail: what binds it to its neighbours."""
    details = [("sequence", entry["seq"]), ("hash", entry["hash"]), ("run", entry["run"])]
    return {
        "what": {"identifier": {"system": f"{URN}:audit:{entry['practice']}", "value": str(entry["seq"])}},
        "type": _coded(ENTITY_TYPE, "2", "System Object"),
        "role": _coded(OBJECT_ROLE, "13", "Security Resource"),
        "detail": [{"type": name, "valueString": str(value)} for name, value in details if value is not None],
    }


def _account(entry: Element) -> Element | None:
    """The portal account, with what it was before and after."""
    if not entry["account"]:
        return None
    details = [(name, entry[name]) for name in ("before", "after", "detail") if entry[name]]
    element: Element = {
        "what": {"identifier": {"system": f"{URN}:account", "value": entry["account"]}},
        "type": _coded(ENTITY_TYPE, "2", "System Object"),
        "role": _coded(OBJECT_ROLE, "11", "Security User Entity"),
    }
    if details:
        element["detail"] = [{"type": name, "valueString": json.dumps(value)} for name, value in details]
    return element


def _chart(entry: Element) -> Element | None:
    if not entry["patient"]:
        return None
    return {
        "what": {"reference": entry["patient"]},
        "type": _coded(ENTITY_TYPE, "1", "Person"),
        "role": _coded(OBJECT_ROLE, "1", "Patient"),
    }


def _source(entry: Element) -> Element | None:
    """The version of the record that caused it."""
    source = entry["source"]
    if not source:
        return None
    named = _REFERENCE.fullmatch(source) is not None
    return {
        "what": {"reference": source} if named else {"identifier": {"system": f"{URN}:source", "value": source}},
        "type": _coded(ENTITY_TYPE, "2", "System Object"),
        "role": _coded(OBJECT_ROLE, "4", "Domain Resource"),
    }


def _coded(system: str, code: str, display: str) -> Element:
    return {"system": system, "code": code, "display": display}
