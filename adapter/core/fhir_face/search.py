"""What a search asks for (http://hl7.org/fhir/R4/search.html): parameters as values, or what is wrong with them.

Each type has a table of the parameters it knows. One that is not in it is left out, of the answer's self link too, or
refused when the client prefers strict handling. A known parameter with a modifier or a value that is not understood is
always an error: leaving it out would answer another question.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from enum import StrEnum

import msgspec

from adapter.core.dates import ends_at, starts_at
from adapter.core.fhir_face.elements import Ehr

MOST_VALUES = 100
"""Of one parameter, and of all parameters together."""
DEFAULT_COUNT, MOST_COUNT = 50, 500
_PREFIXES = ("eq", "ne", "gt", "lt", "ge", "le")


class Kind(StrEnum):
    """How a parameter's values are written."""

    ID = "id"
    TOKEN = "token"  # noqa: S105  # FHIR's name of a kind of parameter
    DATE = "date"
    REFERENCE = "reference"


class Param(msgspec.Struct, frozen=True):
    """One search parameter; ``targets`` are the types that a reference may lead to."""

    kind: Kind
    targets: tuple[str, ...] = ()
    documentation: str = ""


_COMMON = {"_id": Param(Kind.ID), "_lastUpdated": Param(Kind.DATE)}
_PATIENT = ("Patient",)
_CONTACT = ("RelatedPerson",)
PARAMS: dict[str, dict[str, Param]] = {
    "Person": _COMMON
    | {
        "email": Param(Kind.TOKEN, documentation="The account's e-mail address, whole; case does not matter."),
        "patient": Param(Kind.REFERENCE, _PATIENT, "The user is this patient. Whose chart they may see: Consent."),
        "relatedperson": Param(Kind.REFERENCE, _CONTACT, "The user is this Family Contact."),
    },
    "Consent": _COMMON
    | {
        "actor": Param(Kind.REFERENCE, _CONTACT, "The Family Contact who may, or may not, open the chart."),
        "patient": Param(Kind.REFERENCE, _PATIENT, "The chart."),
        "status": Param(Kind.TOKEN, documentation="active: may open the chart; proposed: held; inactive."),
    },
    "Communication": _COMMON
    | {
        "patient": Param(Kind.REFERENCE, _PATIENT, "A chart of the account, open or not: Communication.about."),
        "recipient": Param(Kind.REFERENCE, _CONTACT, "The Family Contact whom the Welcome email is for."),
        "sent": Param(Kind.DATE, documentation="When it was sent."),
        "status": Param(Kind.TOKEN, documentation="preparation, in-progress, completed, unknown, stopped …"),
    },
    "Task": _COMMON
    | {
        "code": Param(Kind.TOKEN, documentation="The reason code, such as email-missing."),
        "focus": Param(Kind.REFERENCE, _CONTACT, "The Family Contact it is about."),
        "patient": Param(Kind.REFERENCE, _PATIENT, "The chart it is about."),
        "status": Param(Kind.TOKEN, documentation="requested: open; completed: settled."),
    },
    "AuditEvent": _COMMON
    | {
        "date": Param(Kind.DATE, documentation="When it happened."),
        "patient": Param(Kind.REFERENCE, _PATIENT, "The chart it is about."),
    },
}
"""Every type's parameters."""
RESULT = ("_count", "_summary", "_page", "_format", "_pretty")
"""Parameters about the answer, which every search knows."""


class BadSearch(Exception):
    """A search that cannot be answered; the message says why and quotes no value."""


class Span(msgspec.Struct, frozen=True):
    """One condition on a time: ``start`` is the first moment that the value can mean, ``end`` the first after it."""

    prefix: str
    start: datetime
    end: datetime


class Search(msgspec.Struct, frozen=True):
    """Conditions that must all hold; of each one's values any. ``kept`` is what the self link repeats."""

    words: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """Ids, tokens and references (``Type/id``). No values at all: nothing can match."""
    spans: tuple[tuple[str, tuple[Span, ...]], ...] = ()
    count: int = DEFAULT_COUNT
    only_total: bool = False
    page: str = ""
    kept: tuple[tuple[str, str], ...] = ()
    ignored: tuple[str, ...] = ()


def parse(kind: str, given: Iterable[tuple[str, str]], ehr: Ehr, *, strict: bool) -> Search:
    """Reads a search of one type. Raises BadSearch."""
    known = PARAMS[kind]
    words: list[tuple[str, tuple[str, ...]]] = []
    spans: list[tuple[str, tuple[Span, ...]]] = []
    result: dict[str, str] = {}
    kept: list[tuple[str, str]] = []
    ignored: list[str] = []
    for name, text in given:
        bare, colon, modifier = name.partition(":")
        param = known.get(bare)
        if name in RESULT:
            result[name] = text
            continue
        if param is None:
            ignored.append(name)
            continue
        if colon and (param.kind is not Kind.REFERENCE or modifier not in param.targets):
            raise BadSearch(f'The modifier of "{bare}" is not supported.')
        values = [value for value in text.split(",") if value]
        if not values:
            continue  # an empty parameter is as good as none (R4 search, 3.1.1.4)
        kept.append((name, text))
        if param.kind is Kind.DATE:
            spans.append((bare, tuple(_span(bare, value) for value in values)))
        elif param.kind is Kind.REFERENCE:
            targets = (modifier,) if colon else param.targets
            words.append((bare, tuple(ref for value in values for ref in ehr.named(value, targets))))
        else:
            words.append((bare, tuple(_token(value) for value in values)))
    if sum(len(values) for _, values in [*words, *spans]) > MOST_VALUES:
        raise BadSearch(f"A search may name at most {MOST_VALUES} values.")
    if ignored and strict:
        raise BadSearch(f"Not supported for {kind}: {_listed(ignored)}.")
    count, only_total = _count(result)
    if "_count" in result:
        kept.append(("_count", str(count)))
    return Search(
        tuple(words), tuple(spans), count, only_total, result.get("_page", ""), tuple(kept), tuple(sorted(set(ignored)))
    )


def _span(name: str, value: str) -> Span:
    prefix = value[:2] if value[:2] in _PREFIXES else "eq"
    text = value.removeprefix(prefix) if value[:2] in _PREFIXES else value
    now = datetime(2000, 1, 1, tzinfo=UTC)  # for its time zone alone
    try:
        start, end = starts_at(text, now), ends_at(text, now)
        return Span(prefix, start.astimezone(UTC), end.astimezone(UTC))
    except (ValueError, OverflowError):
        raise BadSearch(f'"{name}" takes a date or dateTime, with one of {", ".join(_PREFIXES)} before it.') from None


def _token(value: str) -> str:
    """The code of ``system|code``: each of our token parameters has one system only."""
    return value.rpartition("|")[2]


def _count(result: dict[str, str]) -> tuple[int, bool]:
    summary = result.get("_summary", "false")
    if summary not in ("false", "count"):
        raise BadSearch('"_summary" can be "count" or "false" here.')
    text = result.get("_count", str(DEFAULT_COUNT))
    if not text.isascii() or not text.isdecimal() or len(text) > 9:
        raise BadSearch('"_count" takes a whole number.')
    return min(int(text), MOST_COUNT), summary == "count" or int(text) == 0


def _listed(names: list[str]) -> str:
    shown = [name for name in sorted(set(names)) if name.isascii() and name.isprintable() and len(name) <= 40]
    return ", ".join(shown[:10]) or "a parameter"
