"""From one FHIR resource to facts, as a mapping profile says: pure, deterministic, and no JSON value makes it raise."""

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

import msgspec

from adapter.core.authority import AuthorityTable, authority_of
from adapter.core.consent import ConsentRules
from adapter.core.dates import ends_at, starts_at
from adapter.core.facts import Contact, Ignored, Patient, Quarantined, Reading
from adapter.core.fhirpath import Find, Path, compile_path
from adapter.core.fhirpath_plain import ExtensionOf
from adapter.core.intake import Damaged, References, check, clean, convert, period_of, ref_of, source_of
from adapter.core.kinship import RoleTables, role_of
from adapter.core.organization import organization_of
from adapter.core.people import language_of, mailbox_of, names_of, own_emails
from adapter.core.search import SearchRules
from adapter.core.shapes import Communication, ContactPoint, HumanName, Period, Shape

FACTS_VERSION = 2
"""Raised whenever the same resource under the same profile would give other facts, so that all are read again."""

UNRESOLVED = "elsewhere"
"""Stands in ``Patient.replaced_by`` for a chart that is not in this EHR: the merge itself must not be lost."""

_ANY_TIME = datetime(2000, 1, 1, tzinfo=UTC)
"""Gives dates without a time zone one, so that they can be compared."""
Reader = Callable[[dict[str, Any], str, str], Patient | Contact]
_DEATH = frozenset({"deceasedDateTime", "_deceasedDateTime"})


class PatientPaths(msgspec.Struct, frozen=True, kw_only=True):
    """Where a profile finds what a chart says: FHIRPath, asked of the Patient."""

    names: str = "Patient.name"
    birth_date: str = "Patient.birthDate"
    telecom: str = "Patient.telecom"
    language: str = "Patient.communication"
    mrn: str = "Patient.identifier.where(type.coding.exists(code='MR')).value"
    organization: str = "Patient.managingOrganization"


class ContactPaths(msgspec.Struct, frozen=True, kw_only=True):
    """Where a profile finds what a Family Contact says: FHIRPath, asked of the RelatedPerson."""

    role: str = "RelatedPerson.relationship"
    authority: str = ""
    """Empty when this EHR does not record an Authority."""
    names: str = "RelatedPerson.name"
    birth_date: str = "RelatedPerson.birthDate"
    telecom: str = "RelatedPerson.telecom"
    period: str = "RelatedPerson.period"
    language: str = "RelatedPerson.communication"


class MappingProfile(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """One EHR's way of saying things: expressions and code tables. ``adapter.profiles`` reads it from TOML."""

    name: str
    title: str = ""
    patient: PatientPaths = PatientPaths()
    contact: ContactPaths = ContactPaths()
    roles: RoleTables
    authorities: AuthorityTable = AuthorityTable()
    understood_modifiers: tuple[str, ...] = ()
    search: SearchRules = SearchRules()
    consents: ConsentRules | None = None
    """How Consents say who may decide; None where the EHR's Consents are not read."""

    @cached_property
    def hash(self) -> str:
        """SHA-256 over everything that decides which facts are read; title and name do not."""
        content = msgspec.structs.replace(self, name="", title="")
        text = msgspec.json.encode((FACTS_VERSION, content), order="deterministic")
        return hashlib.sha256(text).hexdigest()


class Mapper:
    """Reads resources of one EHR. ``base_url`` is its FHIR base, needed only where it writes absolute references.

    Raises PathError when the profile has an expression that cannot be compiled (``load_profile`` finds those first).
    """

    def __init__(self, profile: MappingProfile, base_url: str | None = None) -> None:
        self.profile = profile
        self._understood = frozenset(profile.understood_modifiers)
        self.references = References(base_url)
        self._read = {
            "Patient": _patient_reader(profile, self.references),
            "RelatedPerson": _contact_reader(profile, self.references),
        }

    def read(self, resource: object, origin: str = "") -> Reading:
        """Facts of one decoded resource; ``origin`` says where it came from, for people who have to repair it."""
        if not isinstance(resource, dict):
            return Quarantined(ref="", source="", path="$", problem="should be an object", origin=origin)
        kind = resource.get("resourceType")
        if not isinstance(kind, str) or not kind:
            return Quarantined(
                ref="", source="", path="$.resourceType", problem="is missing or not text", origin=origin
            )
        ref = ref_of(resource)
        read = self._read.get(kind)
        if read is None:
            return Ignored(ref=ref, why="neither a Patient nor a RelatedPerson", origin=origin)
        source = source_of(resource, ref)
        try:
            check(resource, kind, self._understood)
            if not ref:
                raise Damaged(f"{kind}.id", "is not a FHIR id")
            return read(resource, ref, source)
        except Damaged as damage:
            path, problem = damage.path, damage.problem
        except RecursionError:
            path, problem = kind, "is nested too deeply"
        return Quarantined(ref=ref, source=source, path=path, problem=problem, origin=origin)


def _patient_reader(profile: MappingProfile, references: References) -> Reader:
    """A function from a checked Patient to its facts; every expression is compiled here, once."""
    paths = profile.patient
    find_names = _shaped(paths.names, "Patient", HumanName)
    find_telecom = _shaped(paths.telecom, "Patient", ContactPoint)
    find_language = _shaped(paths.language, "Patient", Communication)
    find_birth_date = compile_path(paths.birth_date, "Patient").find
    find_mrn = compile_path(paths.mrn, "Patient").find
    find_organization = compile_path(paths.organization, "Patient").find

    def read(patient: dict[str, Any], ref: str, source: str) -> Patient:
        replaced_by, links = _links(patient["link"], references) if "link" in patient else ((), ())
        return Patient(
            ref=ref,
            source=source,
            active=patient.get("active", True),
            deceased=patient.get("deceasedBoolean", False) or not _DEATH.isdisjoint(patient),
            replaced_by=replaced_by,
            links=links,
            names=names_of(find_names(patient), paths.names),
            birth_date=_one_text(find_birth_date(patient), paths.birth_date),
            emails=own_emails(find_telecom(patient), paths.telecom),
            language=language_of(find_language(patient)),
            mrn=_first_text(find_mrn(patient), paths.mrn),
            organization=organization_of(find_organization(patient), references),
        )

    return read


def _contact_reader(profile: MappingProfile, references: References) -> Reader:
    """A function from a checked RelatedPerson to its facts; every expression is compiled here, once."""
    paths = profile.contact
    tables, authorities = profile.roles, profile.authorities
    role_path = compile_path(paths.role, "RelatedPerson")
    roles_checked = _is_checked(role_path)
    find_roles = role_path.find
    find_authority = compile_path(paths.authority, "RelatedPerson").find if paths.authority else _nothing
    find_names = _shaped(paths.names, "RelatedPerson", HumanName)
    find_telecom = _shaped(paths.telecom, "RelatedPerson", ContactPoint)
    find_language = _shaped(paths.language, "RelatedPerson", Communication)
    find_period = _shaped(paths.period, "RelatedPerson", Period)
    find_birth_date = compile_path(paths.birth_date, "RelatedPerson").find

    def read(person: dict[str, Any], ref: str, source: str) -> Contact:
        patient, patient_problem = references.chart(person.get("patient"))
        start, end = _one_period(find_period(person), paths.period)
        role, role_text = role_of(find_roles(person), tables, paths.role, checked=roles_checked)
        authority, authority_text = authority_of(find_authority(person), authorities, paths.authority)
        email, key, email_problem, email_start, email_end = mailbox_of(find_telecom(person), paths.telecom)
        return Contact(
            ref=ref,
            source=source,
            patient=patient,
            patient_problem=patient_problem,
            active=person.get("active", True),
            start=start,
            end=end,
            role=role,
            role_text=role_text,
            authority=authority,
            authority_text=authority_text,
            email=email,
            email_key=key,
            email_problem=email_problem,
            email_start=email_start,
            email_end=email_end,
            names=names_of(find_names(person), paths.names),
            birth_date=_one_text(find_birth_date(person), paths.birth_date),
            language=language_of(find_language(person)),
        )

    return read


def _shaped(expression: str, root: str, shape: type[Shape]) -> Find:
    """The expression, with its values checked unless intake has checked them already."""
    path = compile_path(expression, root)
    find = path.find
    if _is_checked(path):
        return find

    def find_and_check(resource: dict[str, Any]) -> list[Any]:
        values = find(resource)
        convert(values, list[shape], expression)  # type: ignore[valid-type]
        return values

    return find_and_check


def _is_checked(path: Path) -> bool:
    """Whether intake has checked what the expression gives: nothing inside an extension, nothing the library found."""
    if path.sides:
        return all(map(_is_checked, path.sides))
    return path.steps is not None and not any(isinstance(step, ExtensionOf) for step in path.steps)


def _nothing(_: dict[str, Any]) -> list[Any]:
    return []


def _links(links: list[dict[str, Any]], references: References) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Charts this one was merged into, and records of the same person."""
    replaced_by, same = [], []
    for link in links:
        other, _ = references.resolve(link["other"])
        if link["type"] == "replaced-by":
            replaced_by.append(other or UNRESOLVED)
        elif link["type"] in ("seealso", "refer") and other.startswith(("Patient/", "RelatedPerson/")):
            same.append(other)
    return tuple(replaced_by), tuple(same)


def _one_text(values: list[Any], path: str) -> str:
    """The one text there is, as recorded; empty when there is none."""
    if not values:
        return ""
    text = values[0]
    if len(values) > 1 or type(text) is not str:
        raise Damaged(path, "should be one text")
    if not text.isprintable():
        clean(text, path)
    return text


def _first_text(values: list[Any], path: str) -> str:
    return clean(values[0], path) if values and type(values[0]) is str else ""


def _one_period(periods: list[dict[str, Any]], path: str) -> tuple[str, str]:
    """What all periods have in common: the latest start and the earliest end."""
    if not periods:
        return "", ""
    if len(periods) == 1:
        return period_of(periods[0], path)
    starts, ends = zip(*(period_of(period, path) for period in periods), strict=True)
    start = max(filter(None, starts), key=lambda text: starts_at(text, _ANY_TIME), default="")
    end = min(filter(None, ends), key=lambda text: ends_at(text, _ANY_TIME), default="")
    return start, end
