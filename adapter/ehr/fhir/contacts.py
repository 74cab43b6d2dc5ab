"""The contacts of one chart, by ``RelatedPerson?patient=``, each row checked: a server may ignore the parameter."""

import re
from dataclasses import dataclass, field

from adapter.ehr import Broken, Record
from adapter.ehr.bundle import Remark, patient_of
from adapter.ehr.fhir.client import Client
from adapter.ehr.fhir.paging import Search
from adapter.errors import SourceError

_PATIENT = re.compile(r"Patient/([A-Za-z0-9\-.]{1,64})")


@dataclass(slots=True)
class Contacts:
    """What one chart's search gave. ``ignored``: rows of other charts came, so the parameter was not obeyed."""

    rows: list[Record | Broken] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    ignored: bool = False


def patient_id(ref: str) -> str | None:
    """The id in ``Patient/<id>``; None when it is not a FHIR id, so that it could mean something else in a URL."""
    match = _PATIENT.fullmatch(ref)
    return match[1] if match else None


def contacts_of(client: Client, ref: str, *, page_size: int) -> Contacts:
    """Every contact on one chart; what goes wrong is told in ``problems``, never raised."""
    found = Contacts()
    try:
        for page in Search(
            client, "RelatedPerson", {"patient": patient_id(ref) or "", "_count": str(page_size)}
        ).pages():
            for part in page.parts:
                if isinstance(part, Remark):
                    if part.serious:
                        found.problems.append(f"{part.origin} of {ref}: {part.problem}. Ask the EHR's support.")
                elif isinstance(part, Record) and patient_of(part.resource) not in (ref, ""):
                    found.ignored = True
                else:
                    found.rows.append(part)
            if found.ignored:
                found.problems.append(
                    f"GET RelatedPerson?patient: contacts of other charts came back for {ref} and were dropped, so "
                    "the EHR does not obey this search. Ask its support for a search of contacts by patient."
                )
                break
    except SourceError as error:
        found.problems.append(f"{error} (contacts of {ref})")
    return found
