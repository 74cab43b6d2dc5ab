"""Deletions that an export tells of: Bundles with a DELETE for each resource (Bulk Data Access, `deleted`)."""

import re
from typing import Any

from adapter.http.urls import Base

KINDS = ("Patient", "RelatedPerson")
_REF = re.compile(r"([A-Z][A-Za-z]{0,63})/([A-Za-z0-9\-.]{1,64})(?:/_history/[A-Za-z0-9\-.]{1,64})?")


def deletions(bundle: dict[str, Any], base: Base) -> set[str] | None:
    """References of the Patients and RelatedPersons that this Bundle says were deleted; None when it cannot be told.

    An entry that is no deletion, or one of something that is nowhere below ``base``, makes the whole Bundle doubtful.
    """
    entries = bundle.get("entry", [])
    if bundle.get("resourceType") != "Bundle" or not isinstance(entries, list):
        return None
    found = set()
    for entry in entries:
        request = entry.get("request") if isinstance(entry, dict) else None
        url = request.get("url") if isinstance(request, dict) else None
        if not isinstance(request, dict) or request.get("method") != "DELETE" or not isinstance(url, str):
            return None
        match = _REF.fullmatch(url.removeprefix(base.join("")).removeprefix("/"))
        if match is None:
            return None
        if match[1] in KINDS:
            found.add(f"{match[1]}/{match[2]}")
    return found
