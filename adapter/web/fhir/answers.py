"""FHIR answers over HTTP: resources, Bundles, and an OperationOutcome for everything that is refused."""

from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

import orjson
from fastapi import Request, Response

from adapter.core.fhir_face.elements import Element

MEDIA_TYPE = "application/fhir+json"
_FORMATS = ("json", "application/json", MEDIA_TYPE, "text/json", "application/json+fhir")
_WILD = ("*/*", "application/*", "")
_VERSIONS = ("4.0", "4.0.1")


class Refused(Exception):
    """A request that is not answered. ``code`` is of http://hl7.org/fhir/R4/valueset-issue-type.html."""

    def __init__(self, status: int, code: str, why: str, headers: dict[str, str] | None = None) -> None:
        self.status, self.code, self.why, self.headers = status, code, why, headers or {}
        super().__init__(why)


def told(content: Element, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """One resource."""
    return Response(orjson.dumps(content), status, headers, media_type=MEDIA_TYPE)


def outcome(refused: Refused) -> Response:
    """Why there is nothing else."""
    issue = {"severity": "error", "code": refused.code, "diagnostics": refused.why}
    return told({"resourceType": "OperationOutcome", "issue": [issue]}, refused.status, refused.headers)


def one(request: Request, resource: Element) -> Response:
    """A resource that was read; 304 where the client has this version already."""
    meta = resource["meta"]
    etag, changed = f'W/"{meta["versionId"]}"', datetime.fromisoformat(meta["lastUpdated"])
    headers = {"ETag": etag, "Last-Modified": format_datetime(changed.astimezone(UTC), usegmt=True)}
    if etag in [tag.strip() for tag in request.headers.get("if-none-match", "").split(",")]:
        return Response(status_code=304, headers=headers)
    return told(resource, headers=headers)


def check_format(request: Request, params: list[tuple[str, str]]) -> None:
    """Raises Refused (406) for a client that takes no JSON, or another version of FHIR."""
    named = next((value for name, value in params if name == "_format"), None)
    accepted = [named] if named else request.headers.get("accept", "*/*").split(",")
    if not any(_takes(one) for one in accepted):
        raise Refused(406, "not-supported", "FHIR R4 (4.0) as JSON is what there is.")


def _takes(accepted: str) -> bool:
    kind, *rest = (part.strip() for part in accepted.lower().split(";"))
    given: dict[str, Any] = dict(part.split("=", 1) for part in rest if "=" in part)
    if given.get("q", "1").strip("0.") == "" or given.get("fhirversion", "4.0") not in _VERSIONS:
        return False
    return kind in _FORMATS or kind in _WILD
