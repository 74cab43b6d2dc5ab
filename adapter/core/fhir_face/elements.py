"""What the emitted resources share: the adapter's own names, versions, and references into the practice's EHR."""

import hashlib
import re
from datetime import UTC, datetime
from typing import Any

import msgspec

URN = "urn:fhir-portal-adapter"
"""Code systems and extensions of the adapter's own stand under it."""
_ID = r"[A-Za-z0-9.-]{1,64}"
_LOCAL = re.compile(rf"(?:([A-Z][A-Za-z]+)/)?({_ID})(?:/_history/{_ID})?")

Element = dict[str, Any]


class Ehr(msgspec.Struct, frozen=True):
    """The practice's EHR, as references into it need it. ``base_url`` is empty for one that is a folder of files."""

    practice: str
    base_url: str = ""

    def reference(self, ref: str) -> Element:
        """A reference to a record of the EHR, never relative: the record is not on this server.

        The EHR's own address where it has one; else the record's name as an identifier.
        """
        kind = ref.partition("/")[0]
        if self.base_url:
            return {"reference": f"{self.base_url.rstrip('/')}/{ref}", "type": kind}
        return {"type": kind, "identifier": {"system": f"{URN}:ehr:{self.practice}", "value": ref}}

    def named(self, given: str, kinds: tuple[str, ...]) -> list[str]:
        """What a search value may mean, as ``Type/id``: an id, ``Type/id``, or an address below the EHR's base.

        Empty for anything else: such a value matches nothing.
        """
        base = f"{self.base_url.rstrip('/')}/"
        if self.base_url and given.startswith(base):
            given = given.removeprefix(base)
        match = _LOCAL.fullmatch(given)
        if match is None:
            return []
        return [f"{kind}/{match[2]}" for kind in kinds if match[1] in (None, kind)]


def instant(at: datetime) -> str:
    """A FHIR instant, in UTC, to the microsecond that the store keeps."""
    return at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def event_id(practice: str, seq: int) -> str:
    """The id of an entry of the audit trail as an AuditEvent."""
    return f"{practice}-{seq}"[-64:]


def resource(kind: str, id_: str, changed_at: datetime, content: Element) -> Element:
    """A whole resource: its version is a hash of its content, so that it changes with it and with nothing else."""
    told = {name: value for name, value in content.items() if value not in (None, [], {}, "")}
    version = hashlib.sha256(msgspec.json.encode(told, order="deterministic")).hexdigest()[:16]
    meta = {"versionId": version, "lastUpdated": instant(changed_at)}
    return {"resourceType": kind, "id": id_, "meta": meta, **told}


def coded(system: str, code: str, display: str = "") -> Element:
    """A CodeableConcept of one coding."""
    return {"coding": [{"system": system, "code": code} | ({"display": display} if display else {})]}


def extension(name: str, **value: Any) -> Element:
    """One of the adapter's own extensions."""
    return {"url": f"{URN}:{name}", **value}
