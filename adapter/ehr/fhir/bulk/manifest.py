"""What an export's manifest says: which files there are, what they hold, and as of when.

https://hl7.org/fhir/uv/bulkdata/STU2/export.html#response---complete-status
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from adapter.ehr.fhir.answer import instant
from adapter.ehr.fhir.client import Answer
from adapter.errors import SourceError
from adapter.http.decode import DuplicateKeys, Undecodable, decode

MOST_FILES = 100_000


@dataclass(frozen=True, slots=True)
class File:
    """One file: ``name`` is how messages call it; ``count`` its number of resources, where the EHR tells it."""

    name: str
    kind: str
    url: str
    count: int | None


@dataclass(frozen=True, slots=True)
class Manifest:
    """A finished export. ``problems`` say what of it cannot be used, so that it is not everything."""

    at: datetime | None
    """``transactionTime``: nothing that was committed before is missing."""
    needs_token: bool
    output: tuple[File, ...]
    deleted: tuple[File, ...]
    errors: tuple[File, ...]
    problems: tuple[str, ...]


def manifest(answer: Answer, what: str, *, max_bytes: int) -> Manifest:
    """Reads a manifest. Raises SourceError when there is none in the answer, or one that cannot be trusted."""
    try:
        value = decode(answer.body, max_bytes=max_bytes)
    except DuplicateKeys:
        raise SourceError(f"{what}: the manifest of the export has a key twice. Ask the EHR's support.") from None
    except Undecodable as error:
        raise SourceError(f"{what}: the manifest of the export {error.problem}. Ask the EHR's support.") from None
    if not isinstance(value, dict) or not isinstance(value.get("output"), list):
        raise SourceError(f"{what}: answered something else than the manifest of an export. Ask the EHR's support.")
    problems: list[str] = []
    lists = {key: _files(value.get(key), key, problems) for key in ("output", "deleted", "error")}
    if any(isinstance(link, dict) and link.get("relation") == "next" for link in _list(value.get("link"))):
        problems.append("The EHR gave the export in parts, which was not asked for: files are missing.")
    return Manifest(
        at=instant(value.get("transactionTime")),
        needs_token=value.get("requiresAccessToken") is True,
        output=lists["output"],
        deleted=lists["deleted"],
        errors=lists["error"],
        problems=tuple(problems),
    )


def _files(value: Any, key: str, problems: list[str]) -> tuple[File, ...]:
    if (value is not None and not isinstance(value, list)) or len(_list(value)) > MOST_FILES:
        problems.append(f"The export's list of files under `{key}` cannot be used.")
        return ()
    found: list[File] = []
    for number, item in enumerate(_list(value), 1):
        entry = item if isinstance(item, dict) else {}
        kind, url, count = entry.get("type"), entry.get("url"), entry.get("count")
        if not isinstance(url, str) or (key == "output" and not isinstance(kind, str)):
            problems.append(f"The export's file {number} under `{key}` has no usable type and url.")
            continue
        if count is not None and (isinstance(count, bool) or not isinstance(count, int)):
            problems.append(f"The export's file {number} under `{key}` has a count that is not a number.")
            count = None
        shown = kind if kind in ("Patient", "RelatedPerson") and key == "output" else key
        found.append(File(f"export file {number} ({shown})", str(kind), url, count))
    return tuple(found)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
