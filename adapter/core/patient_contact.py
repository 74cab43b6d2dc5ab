"""``Patient.contact`` entries as RelatedPersons, for EHRs that have no others (https://hl7.org/fhir/R4/patient.html).

Everything behind this sees one kind of contact. FHIR gives an entry no id that lasts, so it gets one made of its chart
and its own words: the same entry keeps it wherever it stands in the list and whatever address or Authority it gets.
One whose name or relationship is corrected becomes another contact; its predecessor is no longer on the chart.
"""

import hashlib
import json
from collections.abc import Iterator
from typing import Annotated, Any

from msgspec import UNSET, UnsetType

from adapter.core.intake import Damaged, convert
from adapter.core.shapes import CodeableConcept, HumanName, Shape, Some

_SAME = ("extension", "modifierExtension", "relationship", "telecom", "gender", "period", "_gender")
_IDENTITY = ("name", "relationship")
_ID_BYTES = 16


_NAMED = frozenset({"text", "family", "given"})
_CODED = frozenset({"code", "display"})
_SAID = _CODED | {"coding", "text"}
UNTELLABLE = "cannot be told from the chart's other contacts, since its name or relationship is damaged"
"""Stands for such an entry: it may be any of the contacts that are known, so none of them counts as gone."""


class _Identity(Shape):
    name: HumanName | UnsetType = UNSET
    relationship: Annotated[list[CodeableConcept], Some] | UnsetType = UNSET


def contacts_in(patient: dict[str, Any]) -> Iterator[Any]:
    """Each entry as a decoded RelatedPerson; one that cannot be told from others comes as ``UNTELLABLE``.

    The RelatedPerson has the chart's own ``meta`` and ``implicitRules``, so that a decision leads back to the
    version of the chart it came from.
    """
    entries, key = patient.get("contact"), patient.get("id")
    if "contact" not in patient:
        return
    if not isinstance(entries, list) or not isinstance(key, str):
        yield UNTELLABLE
        return
    seen: dict[str, int] = {}
    for entry in entries:
        if not isinstance(entry, dict) or not _can_be_told(entry):
            yield UNTELLABLE
            continue
        name = contact_id(key, entry)
        seen[name] = seen.get(name, 0) + 1
        if seen[name] > 1:  # twice the same words: two contacts, told apart by their number
            name = contact_id(key, {**entry, "id": f"{name}.{seen[name]}"})
        yield _related_person(patient, key, entry, name)


def _can_be_told(entry: dict[str, Any]) -> bool:
    """Whether name and relationship are whole, so that the same person gets the same id.

    A damaged name would give another id. The entry with it would be put aside, the contact it was taken for gone, and
    with the contact an exclusive right that keeps others out.
    """
    if isinstance(entry.get("id"), str) and entry["id"]:
        return True
    try:
        convert({name: entry[name] for name in _IDENTITY if name in entry}, _Identity, "Patient.contact")
    except Damaged:
        return False
    if "name" in entry and _NAMED.isdisjoint(entry["name"]):
        return False
    concepts = entry.get("relationship", [])
    codings = [coding for concept in concepts for coding in concept.get("coding", ())]
    if any(_CODED.isdisjoint(each) for each in codings) or any(_SAID.isdisjoint(each) for each in concepts):
        return False
    return all(_is_whole(entry[name]) for name in _IDENTITY if name in entry)


def _is_whole(value: Any) -> bool:
    """Whether nothing in there is empty, null or unprintable."""
    if isinstance(value, dict | list):
        return bool(value) and all(map(_is_whole, value.values() if isinstance(value, dict) else value))
    if isinstance(value, str):
        return value.isprintable() and bool(value.strip())
    return value is not None


def contact_id(patient_id: str, entry: dict[str, Any]) -> str:
    """The id of an entry: from the element's own ``id`` where it has one, else from name and relationship."""
    own = entry.get("id")
    words: Any = own if isinstance(own, str) and own else {name: entry.get(name) for name in _IDENTITY}
    text = json.dumps([patient_id, words], sort_keys=True)
    return f"contact-{hashlib.blake2b(text.encode(), digest_size=_ID_BYTES).hexdigest()}"


def _related_person(patient: dict[str, Any], key: str, entry: dict[str, Any], name: str) -> dict[str, Any]:
    person: dict[str, Any] = {"resourceType": "RelatedPerson", "id": name}
    person |= {each: patient[each] for each in ("meta", "implicitRules", "_implicitRules") if each in patient}
    person |= {each: entry[each] for each in _SAME if each in entry}
    person["patient"] = {"reference": f"Patient/{key}"}
    if "name" in entry:
        person["name"] = [entry["name"]]
    return person
