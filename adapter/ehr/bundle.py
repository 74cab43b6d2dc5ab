"""What a JSON value holds: one resource, a list of them or a Bundle, as records, broken places and remarks."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from adapter.ehr import Broken, Record
from adapter.http.decode import Doubled, duplicate_path

_TYPE = re.compile(r"[A-Z][A-Za-z]{0,63}")
_ID = re.compile(r"[A-Za-z0-9\-.]{1,64}")
_CODE = re.compile(r"[a-z][a-z-]{0,39}")
_NO_RECORDS = ("Bundle", "OperationOutcome")
_SEVERITIES = ("fatal", "error", "warning", "information", "success")


@dataclass(frozen=True, slots=True)
class Remark:
    """Something said about the reading itself; ``serious`` when what was read cannot be everything."""

    origin: str
    problem: str
    serious: bool


Part = Record | Broken | Remark


def unfold(
    value: Any, origin: str, *, doubled: bool = False, searchset: bool = False, parts: bool = False
) -> Iterator[Part]:
    """Everything in one decoded value, in order.

    ``origin`` names the place; entries of a Bundle add ``entry 7``, items of a list ``item 7``. ``doubled`` says that
    the value came with ``DuplicateKeys``. An OperationOutcome is a remark, never a record: serious from ``error``
    upwards, and from ``warning`` inside a searchset, where it says that rows are missing (FHIR search §3.1.1.5).
    A resource that says it is only a part of itself is broken, unless ``parts`` were asked for: what it lacks could be
    what closes a chart.
    """
    if isinstance(value, list):
        for number, item in enumerate(value, 1):
            yield from unfold(item, f"{origin} item {number}", doubled=doubled, parts=parts)
    elif not isinstance(value, dict):
        yield Broken(origin, "is not a JSON object")
    elif value.get("resourceType") == "Bundle":
        yield from _entries(value, origin, doubled=doubled, parts=parts)
    elif value.get("resourceType") == "OperationOutcome":
        yield _remark(value, origin, searchset=searchset)
    elif doubled and (path := duplicate_path(value)) is not None:
        yield Broken(origin, "has a key twice, so what was meant cannot be known", path=path, ref=reference(value))
    elif "meta" in value and not parts and _is_a_part(value["meta"]):
        problem = "is only a part of the record (SUBSETTED), and what it lacks cannot be known"
        yield Broken(origin, problem, path="$.meta.tag", ref=reference(value))
    else:
        yield Record(value, origin)


def is_plain(value: Any) -> bool:
    """Whether ``unfold`` of a value without duplicate keys is that one record: nearly always it is."""
    if type(value) is not dict or value.get("resourceType") in _NO_RECORDS:
        return False
    meta = value.get("meta")
    return type(meta) is not dict or "tag" not in meta or not _is_a_part(meta)


def reference(resource: dict[str, Any]) -> str:
    """``Type/id`` of a resource when both are well formed and there once, else an empty string."""
    kind, key = resource.get("resourceType"), resource.get("id")
    if isinstance(resource, Doubled) and resource.twice & {"resourceType", "id"}:
        return ""
    if isinstance(kind, str) and isinstance(key, str) and _TYPE.fullmatch(kind) and _ID.fullmatch(key):
        return f"{kind}/{key}"
    return ""


def patient_of(resource: dict[str, Any]) -> str:
    """``Patient/<id>`` that a RelatedPerson points to, whatever the form of the reference; empty when none."""
    patient = resource.get("patient")
    target = patient.get("reference") if isinstance(patient, dict) else None
    if resource.get("resourceType") != "RelatedPerson" or not isinstance(target, str):
        return ""
    steps = target.split("/_history/")[0].rsplit("/", 2)
    return "/".join(steps[-2:]) if len(steps) > 1 and steps[-2] == "Patient" else ""


def worst_issue(outcome: dict[str, Any]) -> tuple[str, str]:
    """Severity and code of the gravest issue of an OperationOutcome; nothing else of it may reach a message."""
    issues = outcome.get("issue")
    pairs = [
        (_severity(issue.get("severity")), _code(issue.get("code")))
        for issue in (issues if isinstance(issues, list) else [])
        if isinstance(issue, dict)
    ]
    return min(pairs, key=lambda pair: _SEVERITIES.index(pair[0]), default=("error", "unknown"))


def _entries(bundle: dict[str, Any], origin: str, *, doubled: bool, parts: bool) -> Iterator[Part]:
    kind, entries = bundle.get("type"), bundle.get("entry", [])
    path = duplicate_path(_without_entries(bundle)) if doubled else None
    if path is not None:
        yield Remark(
            origin, f"the Bundle has a key twice at {path}, so it may hold more than could be read", serious=True
        )
    if not isinstance(entries, list):
        yield Remark(origin, "the Bundle's entry is not a list", serious=True)
        return
    seen: set[str] = set()
    for number, entry in enumerate(entries, 1):
        place = f"{origin} entry {number}"
        if not isinstance(entry, dict):
            yield Broken(place, "is not a JSON object")
        elif doubled and isinstance(entry, Doubled):
            yield Broken(place, "has a key twice, so what was meant cannot be known", path=duplicate_path(entry) or "$")
        elif kind == "history" and _is_older(entry, seen):
            continue
        elif kind in ("batch-response", "transaction-response") and _failed(entry):
            yield Remark(place, "the EHR answered this part of the batch with an error", serious=True)
        elif "resource" in entry:
            yield from unfold(entry["resource"], place, doubled=doubled, searchset=kind == "searchset", parts=parts)
        elif kind == "searchset":
            yield Broken(place, "has no resource")


def _is_a_part(meta: Any) -> bool:
    """Whether the tag is there that a shortened resource must have (FHIR search §3.1.1.5.9); nobody asked for that."""
    tags = meta.get("tag") if isinstance(meta, dict) else None
    return isinstance(tags, list) and any(isinstance(tag, dict) and tag.get("code") == "SUBSETTED" for tag in tags)


def _without_entries(bundle: dict[str, Any]) -> dict[str, Any]:
    """The Bundle's own elements: a duplicate key inside one entry spoils that entry only."""
    return bundle if isinstance(bundle, Doubled) else {key: value for key, value in bundle.items() if key != "entry"}


def _is_older(entry: dict[str, Any], seen: set[str]) -> bool:
    """A history lists the newest version first (FHIR http.html#history): only that one says how things are now."""
    request, resource = entry.get("request"), entry.get("resource")
    ref = reference(resource) if isinstance(resource, dict) else ""
    if not ref and isinstance(request, dict):
        ref = "/".join(str(request.get("url", "")).split("/_history")[0].split("/")[-2:])
    if not ref:
        return False
    older = ref in seen
    seen.add(ref)
    return older


def _failed(entry: dict[str, Any]) -> bool:
    response = entry.get("response")
    return not (isinstance(response, dict) and str(response.get("status", "")).startswith(("1", "2", "3")))


def _remark(outcome: dict[str, Any], origin: str, *, searchset: bool) -> Remark:
    severity, code = worst_issue(outcome)
    limit = "warning" if searchset else "error"
    serious = _SEVERITIES.index(severity) <= _SEVERITIES.index(limit)
    return Remark(origin, f"the EHR reports {severity}: {code}", serious)


def _severity(severity: Any) -> str:
    return severity if severity in _SEVERITIES else "error"


def _code(code: Any) -> str:
    return code if isinstance(code, str) and _CODE.fullmatch(code) else "unknown"
