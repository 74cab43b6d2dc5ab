"""An EHR in memory: plain records, shown to the product as FHIR through its own ``Reader``; it can fail as EHRs do."""

import copy
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from zlib import crc32

from adapter.ehr import Broken, Check, Progress, ReadResult, Record
from adapter.errors import SourceError
from adapter.sandbox.charts import ROLE_CODE, authority_extension

Dict = dict[str, Any]
BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
ROLE_CODES = {
    "mother": "MTH",
    "father": "FTH",
    "parent": "PRN",
    "step_parent": "STPMTH",
    "foster_parent": "FTHFOST",
    "grandparent": "GRPRN",
    "guardian": "GUARD",
    "sibling": "SIB",
    "spouse": "SPS",
    "child": "CHILD",
    "other_relative": "EXT",
    "self": "ONESELF",
}
DAMAGE = ("modifier", "rules", "type", "broken")


@dataclass(frozen=True)
class Trouble:
    """What goes wrong in the next read: it stops after so many records, hides some, or cannot look one up."""

    stop_after: int | None = None
    hidden: frozenset[str] = frozenset()
    empty: bool = False
    no_lookup: bool = False


@dataclass
class Ehr:
    """Charts and contacts by id, as the oracle reads them; ``told`` is what the product was given since the last look.

    The EHR has a clock of its own, which only goes forward: one second for each change.
    """

    charts: dict[str, Dict] = field(default_factory=dict)
    contacts: dict[str, Dict] = field(default_factory=dict)
    trouble: Trouble = field(default_factory=Trouble)
    told: list[tuple[str, Dict | None]] = field(default_factory=list)
    stamps: dict[str, int] = field(default_factory=dict)
    ticks: int = 0
    _listing: bool = False

    def touch(self, ref: str) -> None:
        """A record was made or changed."""
        self.ticks += 1
        self.stamps[ref] = self.ticks

    def refs(self) -> list[str]:
        found = [*(f"Patient/{id_}" for id_ in self.charts), *(f"RelatedPerson/{id_}" for id_ in self.contacts)]
        return sorted(found, key=lambda ref: crc32(f"{self.ticks} {ref}".encode()))  # another order every time

    def look(self) -> list[tuple[str, Dict | None]]:
        """What the product was given since the last time: by reference, a record, or None for gone."""
        told, self.told, self._listing, self.trouble = self.told, [], False, Trouble()
        return told

    # adapter.ehr.Reader

    def read(self, result: ReadResult, *, marks: dict[str, datetime], progress: Progress) -> Iterator[Record | Broken]:
        result.full = result.full or not marks
        result.strategy = "in memory"
        at = BEGAN + timedelta(seconds=self.ticks)
        result.marks = {"Patient": at, "RelatedPerson": at}
        wanted = self.refs()
        if not result.full:
            since = min(marks.values())
            wanted = [ref for ref in wanted if BEGAN + timedelta(seconds=self.stamps[ref]) > since]
        yield from self._list(wanted)

    def read_family(self, result: ReadResult, *, patients: list[str]) -> Iterator[Record | Broken]:
        charts = {ref.partition("/")[2] for ref in patients}
        mine = [f"RelatedPerson/{id_}" for id_, one in self.contacts.items() if one["chart"] in charts]
        yield from self._list([ref for ref in self.refs() if ref in patients or ref in mine])

    def read_one(self, ref: str, *, chart: str = "") -> Record | Broken | None:
        if self.trouble.no_lookup:
            raise SourceError("The EHR did not answer.")
        known = self._find(ref)
        if self._listing:  # before a listing only the chart of a contact is looked up, and nothing is kept
            self.told.append((ref, copy.deepcopy(known)))
        return None if known is None else self._show(ref, known)

    def consents(self, result: ReadResult) -> Iterator[Record | Broken]:
        return iter(())  # this practice's mapping reads none

    def check(self) -> list[Check]:
        return [Check("in memory", True, "ready")]

    def _list(self, wanted: list[str]) -> Iterator[Record | Broken]:
        self._listing = True
        if self.trouble.empty:
            return
        for number, ref in enumerate(wanted):
            if number == self.trouble.stop_after:
                raise SourceError("The EHR broke off.")
            known = self._find(ref)
            if known is not None and ref not in self.trouble.hidden:
                self.told.append((ref, copy.deepcopy(known)))
                yield self._show(ref, known)
        if self.trouble.stop_after is not None:
            raise SourceError("The EHR broke off at the end.")

    def _find(self, ref: str) -> Dict | None:
        kind, _, id_ = ref.partition("/")
        return (self.charts if kind == "Patient" else self.contacts).get(id_)

    def _show(self, ref: str, known: Dict) -> Record | Broken:
        if known["damaged"] == "broken":
            return Broken("all.ndjson:1", "is cut off", ref=ref)
        resource = patient(known) if ref.startswith("Patient/") else contact(known)
        at = BEGAN + timedelta(seconds=self.stamps[ref])
        resource["meta"] = {"versionId": str(self.stamps[ref]), "lastUpdated": at.isoformat()}
        return Record(resource, "all.ndjson:1")


def patient(known: Dict) -> Dict:
    """A chart as FHIR."""
    links = [("seealso", f"RelatedPerson/{other}") for other in known["links"]]
    links += [("replaced-by", f"Patient/{known['replaced_by']}")] if known["replaced_by"] else []
    resource: Dict = {
        "resourceType": "Patient",
        "id": known["id"],
        "active": known["active"],
        "name": _names(known["names"]),
        "telecom": [{"system": "email", "value": email} for email in known["emails"]],
        "birthDate": known["born"],
        "deceasedBoolean": known["deceased"],
        "link": [{"type": kind, "other": {"reference": ref}} for kind, ref in links],
    }
    return _damaged(resource, known["damaged"])


def contact(known: Dict) -> Dict:
    """A Family Contact as FHIR."""
    code, authority = ROLE_CODES.get(known["role"]), known["authority"]
    stated = known["garbled"] if authority == "unknown" else authority
    elsewhere = "https://elsewhere.example/fhir/Patient/1"
    resource: Dict = {
        "resourceType": "RelatedPerson",
        "id": known["id"],
        "active": known["active"],
        "patient": {"reference": f"Patient/{known['chart']}" if known["chart"] else elsewhere},
        "relationship": [{"coding": [{"system": ROLE_CODE, "code": code}]} if code else {"text": "Friend of ours"}],
        "extension": [authority_extension(stated)] if stated else [],
        "name": _names(known["names"]),
        "birthDate": known["born"],
        "period": {edge: known[edge] for edge in ("start", "end") if known[edge]},
    }
    if known["email"]:
        point = {"system": "email", "value": known["email"], "use": "old" if known["email_old"] else "home"}
        resource["telecom"] = [{"system": "phone", "value": "+1-555-0100"}, point]
    return _damaged(resource, known["damaged"])


def _names(names: list[tuple[str, str]]) -> list[Dict]:
    uses = ("official", "maiden", "old")
    return [{"use": use, "given": [given], "family": family} for use, (given, family) in zip(uses, names, strict=False)]


def _damaged(resource: Dict, damage: str | bool) -> Dict:
    resource = {name: value for name, value in resource.items() if value not in ("", [], {})}
    if damage == "modifier":
        resource["modifierExtension"] = [{"url": "https://ehr.example/entered-in-error", "valueBoolean": True}]
    elif damage == "rules":
        resource["implicitRules"] = "https://ehr.example/other-rules"
    elif damage:
        resource["name"] = "Rivera"
    return resource
