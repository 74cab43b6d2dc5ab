"""What makes a FHIR resource usable at all: its structure, its identity, its references, periods and text."""

import re
import unicodedata
from datetime import datetime
from typing import Any, TypeVar
from urllib.parse import urlsplit

import msgspec

from adapter.core import shapes

FHIR_ID = r"[A-Za-z0-9\-.]{1,64}"
OPEN_END = "9999"
"""EHRs write the year 9999 for "no end"."""

_ID = re.compile(rf"{FHIR_ID}\Z")
_TYPE = re.compile(r"[A-Z][A-Za-z]{1,40}\Z")
_VERSION = re.compile(r"[A-Za-z0-9\-._=+]{1,64}\Z")
"""Wider than a FHIR id: some servers count versions in base64."""
_LOCAL = re.compile(rf"([A-Z][A-Za-z]{{1,40}})/({FHIR_ID})(?:/_history/{FHIR_ID})?\Z")
_DATE = re.compile(r"(\d{4})(?:-(0[1-9]|1[0-2])(?:-(\d\d))?)?\Z", re.ASCII)
_MOMENT = re.compile(
    r"\d{4}-\d\d-\d\dT([01]\d|2[0-3]):[0-5]\d(:[0-5]\d(\.\d{1,9})?)?(Z|[+-](0\d|1[0-3]):[0-5]\d|[+-]14:00)\Z",
    re.ASCII,
)
_EXPECTED = re.compile(r"Expected `([a-z]+)[^`]*`(?:, got `([a-z]+)`)?")
_WORDS = {"str": "text", "bool": "true or false", "int": "a whole number", "array": "a list", "object": "an object"}
_FOUND = _WORDS | {"null": "null", "float": "a fraction", "int": "a number", "bool": "true or false"}
_LAYOUT = "\t\r\n"

_TELL_SOMETHING = frozenset({"use", "rank", "period", "extension"})
_SHAPES: dict[str, type[shapes.Resource]] = {"Patient": shapes.Patient, "RelatedPerson": shapes.RelatedPerson}


T = TypeVar("T")


class Damaged(Exception):
    """A record cannot be used: ``path`` names the element, ``problem`` what is wrong; neither quotes a value."""

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(f"{path}: {problem}")
        self.path = path
        self.problem = problem


def check(resource: dict[str, Any], kind: str, understood: frozenset[str]) -> None:
    """Checks everything the rules read of one Patient or RelatedPerson; see ``shapes`` for what is insisted on.

    ``understood`` are the URLs of modifier extensions that change nothing the rules depend on.
    Raises Damaged at the first thing that is wrong.
    """
    convert(resource, _SHAPES[kind], kind)
    if "implicitRules" in resource or "_implicitRules" in resource:
        raise Damaged(f"{kind}.implicitRules", "the record follows rules of its own that the adapter does not know")
    if "modifierExtension" in resource and not all(each["url"] in understood for each in resource["modifierExtension"]):
        raise Damaged(f"{kind}.modifierExtension", "the record's meaning is changed in a way the adapter does not know")
    if "_active" in resource and "active" not in resource:
        raise Damaged(f"{kind}.active", "has no value")
    if "telecom" in resource:
        for index, point in enumerate(resource["telecom"]):
            if "system" not in point or "_use" in point or "_rank" in point:
                _check_odd_telecom(point, f"{kind}.telecom[{index}]")
    if kind == "Patient":
        _check_chart(resource)


def _check_chart(patient: dict[str, Any]) -> None:
    if "_deceasedBoolean" in patient and "deceasedBoolean" not in patient:
        raise Damaged("Patient.deceasedBoolean", "has no value")
    for index, link in enumerate(patient.get("link", ())):
        if "modifierExtension" in link:
            problem = "the link's meaning is changed in a way the adapter does not know"
            raise Damaged(f"Patient.link[{index}].modifierExtension", problem)


def _check_odd_telecom(point: dict[str, Any], path: str) -> None:
    if "system" not in point:
        if "value" in point:
            raise Damaged(f"{path}.system", "is missing, so nobody can tell an e-mail address from a telephone number")
        if point.keys().isdisjoint(_TELL_SOMETHING):
            raise Damaged(path, "is empty")
    for name in ("use", "rank"):
        if f"_{name}" in point and name not in point:
            raise Damaged(f"{path}.{name}", "has no value")


def convert(value: object, shape: type[T], path: str) -> T:
    """``value`` as ``shape``. Raises Damaged naming the element below ``path`` and what was expected there."""
    try:
        return msgspec.convert(value, shape)
    except msgspec.ValidationError as error:
        raise _damaged(str(error), path) from None
    except UnicodeEncodeError:
        raise Damaged(path, "contains unpaired surrogates") from None
    except RecursionError:
        raise Damaged(path, "is nested too deeply") from None


def _damaged(message: str, path: str) -> Damaged:
    what, _, where = message.partition(" - at `$")
    full = path + where.rstrip("`")
    if what.startswith("Object missing required field"):
        return Damaged(f"{full}.{what.split('`')[1]}", "is missing")
    if what.startswith("Invalid enum value"):
        return Damaged(full, "is not one of the codes FHIR allows here")
    if "length >=" in what:
        return Damaged(full, "is empty")
    if "length <=" in what:
        return Damaged(full, "is too long")
    expected = _EXPECTED.match(what)
    if expected is None or expected[2] is None:
        return Damaged(full, "is out of range")
    return Damaged(
        full, f"should be {_WORDS.get(expected[1], 'something else')}, is {_FOUND.get(expected[2], 'something else')}"
    )


def ref_of(resource: dict[str, Any]) -> str:
    """``Type/id``, or empty when either is not what FHIR allows."""
    kind, id_ = resource.get("resourceType"), resource.get("id")
    if type(id_) is not str or _ID.match(id_) is None or not (kind in _SHAPES or _TYPE.match(str(kind))):
        return ""
    return f"{kind}/{id_}"


def source_of(resource: dict[str, Any], ref: str) -> str:
    """The version that was read: ``Type/id/_history/version`` where the EHR gives versions, else ``Type/id``."""
    meta = resource.get("meta")
    version = meta.get("versionId") if type(meta) is dict else None
    return f"{ref}/_history/{version}" if ref and type(version) is str and _VERSION.match(version) else ref


def updated_at(resource: object) -> datetime | None:
    """``meta.lastUpdated`` as an aware time; None when missing, malformed or without a time zone."""
    meta = resource.get("meta") if isinstance(resource, dict) else None
    text = meta.get("lastUpdated") if isinstance(meta, dict) else None
    if not isinstance(text, str) or not _MOMENT.match(text):
        return None
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def clean(text: str, path: str) -> str:
    """Text fit for people: layout characters become single spaces, the ends are trimmed.

    Raises Damaged for control characters, unpaired surrogates and text longer than anything real.
    """
    if len(text) > shapes.MAX_TEXT:
        raise Damaged(path, "is too long")
    if not text.isprintable() and any(unicodedata.category(c) in ("Cc", "Cs") and c not in _LAYOUT for c in text):
        raise Damaged(path, "contains control characters")
    words = text.split()
    return " ".join(words) if len(words) != 1 else words[0]


def period_of(period: dict[str, Any], path: str) -> tuple[str, str]:
    """Start and end as recorded, empty when open. Raises Damaged unless both are FHIR dates and in order."""
    for side in ("start", "end"):
        if f"_{side}" in period and side not in period:
            raise Damaged(f"{path}.{side}", "has no value")
    if not period.keys() & {"start", "end", "extension"}:
        raise Damaged(path, "has neither start nor end")
    start, end = period.get("start", ""), period.get("end", "")
    for side, text in (("start", start), ("end", end)):
        if text and not _is_date(text):
            raise Damaged(f"{path}.{side}", "is not a FHIR date")
    if start and end and _after(start, end):
        raise Damaged(path, "ends before it begins")
    return start, "" if end.startswith(OPEN_END) else end


def _is_date(text: str) -> bool:
    day = _DATE.match(text)
    if day is None and not _MOMENT.match(text):
        return False
    try:
        datetime.fromisoformat(f"{day[1]}-{day[2] or '01'}-{day[3] or '01'}" if day else text)
    except ValueError:
        return False
    return True


def _after(start: str, end: str) -> bool:
    if "T" in start and "T" in end:
        return datetime.fromisoformat(start) > datetime.fromisoformat(end)
    shared = min(len(start), len(end), 10)
    return start[:shared] > end[:shared]


class References:
    """Tells which references point into this EHR. ``base_url`` is its FHIR base, where it has one."""

    def __init__(self, base_url: str | None) -> None:
        self._base = _base_key(base_url) if base_url else None

    def chart(self, reference: dict[str, Any] | None) -> tuple[str, str]:
        """As ``resolve``, for a reference that must be to a Patient."""
        ref, problem = self.resolve(reference)
        return ("", "it is not a Patient") if ref and not ref.startswith("Patient/") else (ref, problem)

    def resolve(self, reference: dict[str, Any] | None) -> tuple[str, str]:
        """``("Type/id", "")``, or ``("", problem)`` saying why the reference does not resolve inside this EHR."""
        if reference is None:
            return "", "the record names none"
        text = reference.get("reference")
        if text is None:
            return "", "it is given by an identifier only" if "identifier" in reference else "the reference is empty"
        local = _LOCAL.match(text)
        if local is None:
            local, problem = self._absolute(text)
            if local is None:
                return "", problem
        kind = local[1]
        if reference.get("type", kind) != kind:
            return "", "the reference says two different types"
        return f"{kind}/{local[2]}", ""

    def _absolute(self, text: str) -> tuple[re.Match[str] | None, str]:
        if text.startswith("#"):
            return None, "it is contained in the record itself"
        if text.lower().startswith("urn:"):
            return None, "it is a URN that only its own bundle could resolve"
        for kind in ("Patient", "RelatedPerson", "Organization"):
            base, found, rest = text.rpartition(f"/{kind}/")
            if found:
                break
        local = _LOCAL.match(f"{found[1:]}{rest}") if found else None
        if local is None:
            return None, "the reference is not one to a record"
        if self._base is None or _base_key(base) != self._base:
            return None, "it belongs to another system"
        return local, ""


def _base_key(url: str) -> tuple[str, str, int | None, str] | None:
    try:
        parts = urlsplit(url)
        port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    except ValueError:
        return None
    if not parts.hostname or parts.query or parts.fragment or parts.username is not None:
        return None
    return parts.scheme, parts.hostname, port, parts.path.rstrip("/")
