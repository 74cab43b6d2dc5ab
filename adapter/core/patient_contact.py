"""``Patient.contact`` entries as RelatedPersons, for EHRs that have no others (https://hl7.org/fhir/R4/patient.html).

Everything behind this sees one kind of contact. FHIR gives an entry no id that lasts, so it gets one made of its chart
and its own words: the same entry keeps it wherever it stands in the list and whatever address or Authority it gets.
One whose name or relationship is corrected becomes another contact; its predecessor is no longer on the chart.
"""

import hashlib
import json
from collections.abc import Iterator
from typing import Any

_SAME = ("extension", "modifierExtension", "relationship", "telecom", "gender", "period", "_gender")
_IDENTITY = ("name", "relationship")
_ID_BYTES = 16


def contacts_in(patient: dict[str, Any]) -> Iterator[Any]:
    """Each entry as a decoded RelatedPerson; what is no JSON object comes as it is, for intake to refuse.

    The RelatedPerson has the chart's own ``meta`` and ``implicitRules``, so that a decision leads back to the
    version of the chart it came from.
    """
    entries, key = patient.get("contact"), patient.get("id")
    if "contact" not in patient:
        return
    if not isinstance(entries, list) or not isinstance(key, str):
        yield {"resourceType": "RelatedPerson", "contact": entries}
        return
    seen: dict[str, int] = {}
    for entry in entries:
        if not isinstance(entry, dict):
            yield entry
            continue
        name = contact_id(key, entry)
        seen[name] = seen.get(name, 0) + 1
        if seen[name] > 1:  # twice the same words: two contacts, told apart by their number
            name = contact_id(key, {**entry, "id": f"{name}.{seen[name]}"})
        yield _related_person(patient, key, entry, name)


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
