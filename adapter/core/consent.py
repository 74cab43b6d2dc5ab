"""What a Consent says of who may see a chart: FHIR R4 Consent, as far as it names contacts as actors.

Strict throughout. Deny beats permit; only an active Consent within its period permits; a permit that is narrowed to
some data or purpose, or that is not understood, holds the contact. A damaged Consent holds everybody on its chart.
Source: https://hl7.org/fhir/R4/consent.html
"""

from collections.abc import Iterable, Iterator
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, UnsetType

from adapter.core.dates import ends_at, starts_at
from adapter.core.facts import Authority
from adapter.core.intake import Damaged, References, clean, convert, period_of, ref_of
from adapter.core.shapes import CodeableConcept, Extension, Period, Reference, Shape, Some

Status = Literal["draft", "proposed", "active", "rejected", "inactive", "entered-in-error"]
_NARROWED = ("action", "securityLabel", "purpose", "class", "code", "dataPeriod", "data")
"""Criteria that limit a provision to part of the chart. A permit with one of them does not open all of it."""
_DEEPEST = 8
_CATEGORY = "Consent.category"


class Says(StrEnum):
    """What one provision says of one actor."""

    PERMIT = "permit"
    DENY = "deny"
    UNCLEAR = "unclear"


class ConsentRules(msgspec.Struct, frozen=True, kw_only=True):
    """What a profile knows of Consents: ``[authority.consent]``."""

    permit: Authority = Authority.JOINT
    """The Authority that a permitting Consent gives."""
    categories: frozenset[str] = frozenset()
    """Categories that count, each ``system|code``; all when empty. A Consent without any category counts."""
    identifier_system: str = ""
    """The system of the identifiers by which actors and patients may be named instead of by a reference."""


class Statement(msgspec.Struct, frozen=True):
    """One provision about some actors; ``actors`` empty: about everybody on the chart."""

    says: Says
    actors: frozenset[str]
    start: str = ""
    end: str = ""


class Consent(msgspec.Struct, frozen=True):
    """One Consent. ``patient`` and the actors are ``Type/id`` or ``system|value``.

    ``problem`` is set when it is damaged; ``patient`` may then be empty, and it may be about any chart.
    """

    ref: str
    patient: str
    statements: tuple[Statement, ...] = ()
    problem: str = ""


class _Actor(Shape):
    reference: Reference


class _Provision(Shape):
    type: Literal["permit", "deny"] | UnsetType = UNSET
    period: Period | UnsetType = UNSET
    actor: Annotated[list[_Actor], Some] | UnsetType = UNSET
    provision: Annotated[list[dict[str, Any]], Some] | UnsetType = UNSET
    modifierExtension: Annotated[list[Extension], Some] | UnsetType = UNSET


class _Consent(Shape):
    status: Status
    category: Annotated[list[CodeableConcept], Some] | UnsetType = UNSET
    patient: Reference | UnsetType = UNSET
    provision: dict[str, Any] | UnsetType = UNSET
    modifierExtension: Annotated[list[Extension], Some] | UnsetType = UNSET


def read_consent(resource: dict[str, Any], rules: ConsentRules, references: References) -> Consent | None:
    """The Consent, or None when it is certainly about something else, or not in force whatever it says."""
    ref, patient = ref_of(resource), ""
    try:
        patient = _named(resource.get("patient"), rules, references)
        shaped = convert(resource, _Consent, "Consent")
        if not _counts(resource.get("category", []), rules):
            return None
        if not ref or not patient:
            raise Damaged("Consent.patient" if ref else "Consent.id", "does not name a chart of this EHR")
        if shaped.modifierExtension is not UNSET or "implicitRules" in resource or "_implicitRules" in resource:
            raise Damaged("Consent.modifierExtension", "the record's meaning is changed in a way nobody knows")
        if shaped.status != "active":
            return None
        if "provision" not in resource:
            raise Damaged("Consent.provision", "is missing, so what was consented to cannot be told")
        return Consent(ref, patient, tuple(_statements(resource["provision"], rules, references)))
    except Damaged as damage:
        return Consent(ref, patient, problem=f"{damage.path} {damage.problem}")
    except RecursionError:
        return Consent(ref, patient, problem="Consent is nested too deeply")


def _named(reference: object, rules: ConsentRules, references: References) -> str:
    """``Type/id`` or, where the profile allows it, ``system|value``; empty when it is neither. Raises Damaged."""
    if reference is None:
        return ""
    convert(reference, Reference, "Consent.patient")
    assert isinstance(reference, dict)
    found, _ = references.resolve(reference)
    identifier = reference.get("identifier")
    if found or not rules.identifier_system or not isinstance(identifier, dict) or "reference" in reference:
        return found
    return identifier_key(identifier, rules.identifier_system)


def identifier_key(identifier: dict[str, Any], system: str) -> str:
    """``system|value`` of an identifier of that system; empty for any other."""
    value = identifier.get("value")
    return f"{system}|{value}" if identifier.get("system") == system and type(value) is str and value.strip() else ""


def _counts(categories: list[dict[str, Any]], rules: ConsentRules) -> bool:
    """Whether one of the categories is listed, or might be: it has no coding, or one without a system or code."""
    wanted = rules.categories
    if not wanted or not categories:
        return True
    for category in categories:
        codings = category.get("coding", [])
        if not codings or any("system" not in each or "code" not in each for each in codings):
            return True
        if any(f"{clean(each['system'], _CATEGORY)}|{clean(each['code'], _CATEGORY)}" in wanted for each in codings):
            return True
    return False


def _statements(
    provision: dict[str, Any],
    rules: ConsentRules,
    references: References,
    outer: tuple[str, str] = ("", ""),
    depth: int = 0,
) -> Iterator[Statement]:
    """What a provision and those inside it say; a period inside another counts within it."""
    shaped = convert(provision, _Provision, "Consent.provision")
    if shaped.modifierExtension is not UNSET or depth > _DEEPEST or ("_type" in provision and "type" not in provision):
        raise Damaged("Consent.provision", "its meaning is changed in a way nobody knows")
    start, end = period_of(provision["period"], "Consent.provision.period") if "period" in provision else ("", "")
    actors = [_named(actor["reference"], rules, references) for actor in provision.get("actor", [])]
    if not all(actors):
        raise Damaged("Consent.provision.actor", "names nobody the adapter can find")
    if shaped.type is not UNSET or actors or "provision" not in provision:
        yield Statement(_says(provision), frozenset(actors), *_within((start, end), outer))
    for inner in provision.get("provision", []):
        yield from _statements(inner, rules, references, _within((start, end), outer), depth + 1)


def _says(provision: dict[str, Any]) -> Says:
    kind = provision.get("type")
    if kind == Says.DENY:
        return Says.DENY
    return Says.PERMIT if kind == Says.PERMIT and not any(name in provision for name in _NARROWED) else Says.UNCLEAR


def _within(inner: tuple[str, str], outer: tuple[str, str]) -> tuple[str, str]:
    any_time = datetime.fromisoformat("2000-01-01T00:00:00+00:00")
    starts, ends = [each for each in (inner[0], outer[0]) if each], [each for each in (inner[1], outer[1]) if each]
    return (
        max(starts, key=lambda text: starts_at(text, any_time), default=""),
        min(ends, key=lambda text: ends_at(text, any_time), default=""),
    )


def authority_from_consents(
    contact: frozenset[str], chart: frozenset[str], consents: Iterable[Consent], rules: ConsentRules, now: datetime
) -> tuple[Authority, str] | None:
    """What the Consents about a chart state of a contact on it at ``now``: None when nothing.

    ``contact`` and ``chart`` are all the names either goes by. The strictest wins: a deny, then what is not understood,
    then a permit. The second value says what is not understood.
    """
    said: set[Says] = set()
    for consent in consents:
        if consent.patient not in chart:
            continue
        if consent.problem:
            said.add(Says.UNCLEAR)
        for statement in consent.statements:
            concerned = bool(statement.actors & contact) or (not statement.actors and statement.says is not Says.PERMIT)
            if concerned and in_force(statement, now):
                said.add(statement.says)
    if Says.DENY in said:
        return Authority.NONE, ""
    if Says.UNCLEAR in said:
        return Authority.UNKNOWN, "a Consent that is not understood"
    return (rules.permit, "") if said else None


def in_force(statement: Statement, now: datetime) -> bool:
    """Whether the statement's period has begun and not ended."""
    begun = not statement.start or starts_at(statement.start, now) <= now
    return begun and (not statement.end or ends_at(statement.end, now) > now)
