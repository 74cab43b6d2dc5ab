"""Whether ``_elements`` loses nothing that is needed: proven on records that have it, and watched on every page.

FHIR only recommends that a server keeps what changes a record's meaning, so none is believed. Whatever cannot be shown
to survive, because nobody has it, counts as lost: everything is then read whole, as without the setting.
"""

from dataclasses import replace

from adapter.ehr import Record
from adapter.ehr.bundle import reference
from adapter.ehr.fhir.answer import Refused
from adapter.ehr.fhir.elements import CLOSING, DECEASED, element_of, lost
from adapter.ehr.fhir.strategies import Unproven
from adapter.ehr.fhir.strategies.source import Source

ELEMENTS = "asked for the needed elements alone (_elements, proven, and one record of each page read whole)"
_SEEK: dict[str, tuple[dict[str, str], ...]] = {
    "Patient": ({}, {"active": "false"}, {"deceased": "true"}, {"link:missing": "false"}),
    "RelatedPerson": ({}, {"active": "false"}),
}
"""Searches that may find somebody who has what must not be lost."""


def only_needed(source: Source) -> Source:
    """The same EHR, asked with ``_elements``. Raises Unproven when that may lose something; SourceError."""
    if not source.rules.is_plain:
        raise Unproven("the profile ties contacts to charts in a way of its own, so records are read whole")
    kinds = ("Patient",) if source.rules.contacts == "Patient.contact" else ("Patient", "RelatedPerson")
    whole = [record for kind in kinds for record in _to_compare(source, kind)]
    why: list[Unproven] = []
    for deceased in DECEASED:
        asking = replace(source, elements=deceased)
        try:
            for record in whole:
                _compare(asking, record)
        except Unproven as unproven:
            why.append(unproven)
        else:
            return asking
    raise why[0]


def _to_compare(source: Source, kind: str) -> list[dict[str, object]]:
    """Records that have, together, every element that anybody has. Raises Unproven when nobody has one that closes."""
    chosen = _one_of_each(source, kind)
    missing = [name for name in CLOSING[kind] if name not in chosen]
    if missing:
        raise Unproven(
            f"no {kind} with {' or '.join(missing)} was found to show that _elements keeps it, "
            "so records are read whole"
        )
    return list({reference(one): one for one in chosen.values()}.values())


def _one_of_each(source: Source, kind: str) -> dict[str, dict[str, object]]:
    """For each element the first record that has it; of ``active`` one that is not."""
    found: dict[str, dict[str, object]] = {}
    for params in _SEEK[kind]:
        try:
            parts = source.search(kind, params).first.parts
        except Refused:
            continue
        for part in parts:
            if isinstance(part, Record) and reference(part.resource).startswith(f"{kind}/"):
                for key, value in part.resource.items():
                    if key != "active" or value is False:
                        found.setdefault(element_of(key), part.resource)
    return found


def _compare(asking: Source, whole: dict[str, object]) -> None:
    ref = reference(whole)
    kind, _, key = ref.partition("/")
    try:
        parts = asking.search(kind, {"_id": key}).first.parts
    except Refused:
        raise Unproven("the EHR refuses _elements, so records are read whole") from None
    found = [part.resource for part in parts if isinstance(part, Record) and reference(part.resource) == ref]
    if len(found) != 1:
        raise Unproven("the EHR does not find a record by _id with _elements, so records are read whole")
    gone = lost(whole, found[0])
    if gone:
        raise Unproven(f"the EHR loses {', '.join(sorted(gone))} of a {kind} with _elements, so records are read whole")
