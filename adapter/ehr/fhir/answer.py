"""What an answer holds: a decoded FHIR resource, or one sentence on why not."""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from adapter.ehr.bundle import worst_issue
from adapter.ehr.fhir.client import Answer
from adapter.errors import SourceError
from adapter.http.decode import DuplicateKeys, Undecodable, decode

_REMEDIES = {
    401: "Check the token: it is missing, wrong or expired.",
    403: "The token does not allow this: ask the EHR for read access to Patient and RelatedPerson.",
    404: "Check base_url.",
    410: "Start again: the EHR has dropped this search.",
}
# fmt: off
_NO_ANSWER = frozenset({
    "", "unknown", "security", "login", "expired", "forbidden", "suppressed", "not-supported",
    "throttled", "timeout", "transient", "lock-error", "no-store", "exception", "incomplete",
})
# fmt: on
"""Issue codes of a 404 that say nothing about the record; ``not-supported`` is what a wrong path gets."""


class Refused(SourceError):
    """The EHR understood and will not do this (an error status, but not one about who is asking)."""


@dataclass(frozen=True, slots=True)
class Resource:
    """A decoded JSON object; ``doubled`` when it came with duplicate keys (see ``decode``)."""

    value: dict[str, Any]
    doubled: bool


def resource(answer: Answer, what: str, *, max_bytes: int) -> Resource:
    """The resource in an answer of status 200.

    Raises Refused for an error status; SourceError for 401, 403 and anything that is not a FHIR resource in JSON.
    """
    if answer.status != 200:
        remedy = _REMEDIES.get(answer.status, "Ask the EHR's support.")
        error = SourceError if answer.status in (401, 403) else Refused
        raise error(f"{what}: answered {answer.status}{shown_outcome(answer, max_bytes)}. {remedy}")
    kind = _media_type(answer)
    if kind and "json" not in kind:
        page = "a web page" if "html" in kind else "something else than FHIR JSON"
        raise SourceError(f"{what}: answered {page} ({_shown(kind)}). Check base_url.")
    try:
        value, doubled = decode(answer.body, max_bytes=max_bytes), False
    except DuplicateKeys as error:
        value, doubled = error.value, True
    except Undecodable as error:
        raise SourceError(
            f"{what}: the answer {error.problem}. Try again; if it stays, ask the EHR's support."
        ) from None
    if not isinstance(value, dict) or not isinstance(value.get("resourceType"), str):
        raise SourceError(f"{what}: answered JSON that is not a FHIR resource. Check base_url.")
    if value["resourceType"] == "OperationOutcome":
        severity, code = worst_issue(value)
        raise SourceError(f"{what}: answered an OperationOutcome ({severity}: {code}). Ask the EHR's support.")
    return Resource(value, doubled)


def is_gone(answer: Answer, *, max_bytes: int) -> bool:
    """Whether the EHR itself says that a resource does not exist (any more).

    A 404 from a proxy in between, or one that only hides the record, is no such answer (FHIR http.html#read).
    """
    if answer.status == 410:
        return True
    return answer.status == 404 and (not answer.body.strip() or _issue_code(answer, max_bytes) not in _NO_ANSWER)


def instant(value: Any) -> datetime | None:
    """A FHIR instant as an aware time; None for anything else."""
    try:
        at = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return at if at is not None and at.tzinfo else None


def _issue_code(answer: Answer, max_bytes: int) -> str:
    """The code of an OperationOutcome; empty when the body is something else."""
    try:
        value = decode(answer.body, max_bytes=max_bytes)
    except Undecodable:
        return ""
    is_outcome = isinstance(value, dict) and value.get("resourceType") == "OperationOutcome"
    return worst_issue(value)[1] if is_outcome else ""


def shown_outcome(answer: Answer, max_bytes: int) -> str:
    """The code of an OperationOutcome in brackets, for a message; empty when there is none."""
    code = _issue_code(answer, max_bytes)
    return f" (OperationOutcome: {code})" if code else ""


def _media_type(answer: Answer) -> str:
    return answer.headers.get("Content-Type", "").split(";")[0].strip().lower()


def _shown(media_type: str) -> str:
    return media_type if re.fullmatch(r"[a-z0-9.+/-]{1,60}", media_type) else "an unreadable content type"
