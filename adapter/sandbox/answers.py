"""The FHIR documents the demo EHR answers with: Bundle, OperationOutcome, CapabilityStatement (all R4)."""

from datetime import datetime
from email.utils import format_datetime

import orjson
from fastapi import Response

from adapter.sandbox.charts import Resource
from adapter.sandbox.ehr_store import TYPES, Version, instant
from adapter.sandbox.search import REVINCLUDE, SEARCH_PARAMETERS, Page

FHIR_JSON = "application/fhir+json; charset=utf-8"
_INTERACTIONS = ("read", "vread", "update", "delete", "history-instance", "search-type")
_DEFINITIONS = {
    "_id": "http://hl7.org/fhir/SearchParameter/Resource-id",
    "_lastUpdated": "http://hl7.org/fhir/SearchParameter/Resource-lastUpdated",
    "patient": "http://hl7.org/fhir/SearchParameter/RelatedPerson-patient",
}


def fhir(body: bytes | Resource, *, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """An answer in FHIR JSON."""
    content = body if isinstance(body, bytes) else orjson.dumps(body)
    return Response(content, status, headers, media_type=FHIR_JSON)


def outcome(status: int, code: str, diagnostics: str, *, headers: dict[str, str] | None = None) -> Response:
    """An error as an OperationOutcome; ``code`` is a FHIR issue type."""
    issue = {"severity": "error", "code": code, "diagnostics": diagnostics}
    return fhir({"resourceType": "OperationOutcome", "issue": [issue]}, status=status, headers=headers)


def resource(version: Version, *, status: int = 200, location: str | None = None) -> Response:
    """One version of a resource with its ETag and Last-Modified (https://hl7.org/fhir/R4/http.html#read)."""
    headers = {"ETag": _etag(version), "Last-Modified": format_datetime(version.at, usegmt=True)}
    if location is not None:
        headers["Location"] = location
    return fhir(version.body or b"", status=status, headers=headers)


def searchset(page: Page, *, base_url: str, links: dict[str, str], at: datetime) -> bytes:
    """A page as a Bundle. Resources are put in as the bytes they are stored in: that is what makes a page quick."""
    entries = [_entry(version, base_url, b"match") for version in page.matches]
    entries += [_entry(version, base_url, b"include") for version in page.included]
    head = {
        "resourceType": "Bundle",
        "type": "searchset",
        "meta": {"lastUpdated": instant(at)},
        "total": page.total,
        "link": [{"relation": relation, "url": url} for relation, url in links.items()],
    }
    if not entries:  # FHIR has no empty arrays
        return orjson.dumps(head)
    return orjson.dumps(head)[:-1] + b',"entry":[' + b",".join(entries) + b"]}"


def history(versions: list[Version], *, base_url: str) -> Resource:
    """Every version of one resource, newest first (https://hl7.org/fhir/R4/http.html#history)."""
    entries = [_past(version, base_url) for version in reversed(versions)]
    link = {"relation": "self", "url": f"{base_url}/{versions[0].ref}/_history"}
    return {"resourceType": "Bundle", "type": "history", "total": len(entries), "link": [link], "entry": entries}


def capability_statement(*, base_url: str, since: datetime, revinclude: bool, token: bool) -> Resource:
    """What this server can do, and nothing it cannot."""
    rest: Resource = {"mode": "server", "resource": [_capability(kind, revinclude=revinclude) for kind in TYPES]}
    if token:
        rest["security"] = {"description": "Every request but this one needs an Authorization header: Bearer <token>."}
    return {
        "resourceType": "CapabilityStatement",
        "status": "active",
        "experimental": True,
        "date": instant(since),
        "kind": "instance",
        "software": {"name": "fhir-portal-adapter sandbox EHR"},
        "implementation": {"description": "A demo EHR with made-up families, in memory", "url": base_url},
        "fhirVersion": "4.0.1",
        "format": ["json"],
        "rest": [rest],
    }


def _capability(kind: str, *, revinclude: bool) -> Resource:
    resource: Resource = {
        "type": kind,
        "interaction": [{"code": code} for code in _INTERACTIONS],
        "versioning": "versioned",
        "readHistory": True,
        "updateCreate": True,
        "searchParam": [
            {"name": name, "definition": _DEFINITIONS[name], "type": type_}
            for name, type_ in SEARCH_PARAMETERS[kind].items()
        ],
    }
    if revinclude and kind == "Patient":
        resource["searchRevInclude"] = [REVINCLUDE]
    return resource


def _entry(version: Version, base_url: str, mode: bytes) -> bytes:
    url = f"{base_url}/{version.ref}".encode()
    body = version.body or b"{}"
    return b'{"fullUrl":"' + url + b'","resource":' + body + b',"search":{"mode":"' + mode + b'"}}'


def _past(version: Version, base_url: str) -> Resource:
    entry: Resource = {
        "fullUrl": f"{base_url}/{version.ref}",
        "request": {"method": "PUT" if version.body else "DELETE", "url": version.ref},
        "response": {
            "status": "204" if version.body is None else "201" if version.number == 1 else "200",
            "etag": _etag(version),
            "lastModified": instant(version.at),
        },
    }
    if version.body:
        entry["resource"] = orjson.loads(version.body)
    return entry


def _etag(version: Version) -> str:
    return f'W/"{version.number}"'
