"""``_elements``: asking for what the rules read alone, and what a record lost by it (FHIR search §3.1.1.5.9)."""

from typing import Any

from adapter.ehr import Record
from adapter.ehr.bundle import Part, reference
from adapter.ehr.fhir.answer import is_gone, resource
from adapter.ehr.fhir.client import Client
from adapter.errors import SourceError

NEEDED: dict[str, tuple[str, ...]] = {
    "Patient": (
        "id", "meta", "implicitRules", "extension", "modifierExtension", "identifier", "active", "name", "telecom",
        "birthDate", "deceased", "contact", "communication", "managingOrganization", "link",
    ),
    "RelatedPerson": (
        "id", "meta", "implicitRules", "extension", "modifierExtension", "identifier", "active", "patient",
        "relationship", "name", "telecom", "birthDate", "period", "communication",
    ),
}  # fmt: skip
"""Every element that is read, by type. Left behind: address, gender, photo, narrative, practitioners and more."""

CLOSING = {"Patient": ("active", "deceased", "link"), "RelatedPerson": ("active", "period")}
"""What shuts a chart or ends a contact: were it lost on the way, somebody would see too much."""


DECEASED = ("deceased", "deceasedBoolean,deceasedDateTime")
"""How a choice is named: FHIR says without its type; some servers compare with the JSON keys (sekmet 0.1.1, 2026)."""


def parameter(*kinds: str, deceased: str) -> str:
    """The value of ``_elements`` for a search that brings these types; ``deceased`` is one of ``DECEASED``."""
    names = dict.fromkeys(name for kind in kinds for name in NEEDED[kind])
    return ",".join(deceased if name == "deceased" else name for name in names)


def element_of(key: str) -> str:
    """The element that a JSON key belongs to: ``_active`` is active's, ``deceasedDateTime`` is deceased's."""
    name = key.removeprefix("_")
    return "deceased" if name.startswith("deceased") else name


def lost(whole: dict[str, Any], part: dict[str, Any]) -> set[str]:
    """The needed elements of a whole record that are not the same in its part. Of meta, the version counts."""
    needed = set(NEEDED[whole["resourceType"]]) - {"meta"}
    keys = {key for key in (*whole, *part) if element_of(key) in needed}
    gone = {element_of(key) for key in keys if whole.get(key) != part.get(key)}
    return gone | ({"meta"} if version(whole) != version(part) else set())


def version(resource: dict[str, Any]) -> tuple[Any, Any]:
    """What tells two versions of a record apart."""
    meta = resource.get("meta")
    return (meta.get("versionId"), meta.get("lastUpdated")) if isinstance(meta, dict) else (None, None)


def watch(client: Client, parts: list[Part], number: int) -> None:
    """Reads one record of a page whole, another one on each page. Raises SourceError when the page lost some of it.

    A record that has changed or gone meanwhile proves nothing.
    """
    rows = [part.resource for part in parts if isinstance(part, Record) and reference(part.resource)]
    rows = [row for row in rows if row["resourceType"] in NEEDED]
    if not rows:
        return
    part = rows[(number * 31) % len(rows)]
    what = f"GET {reference(part)}"
    answer = client.get(client.base.join(reference(part)), what)
    if is_gone(answer, max_bytes=client.max_body):
        return
    whole = resource(answer, what, max_bytes=client.max_body).value
    if reference(whole) != reference(part) or version(whole) != version(part):
        return
    gone = lost(whole, part)
    if gone:
        raise SourceError(
            f"GET {part['resourceType']}: the EHR lost {', '.join(sorted(gone))} with _elements, on page {number}. "
            "Set elements = false in [practice.ehr]."
        )
