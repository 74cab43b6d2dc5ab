"""From one FHIR resource to facts, as a mapping profile says: pure, deterministic, and no JSON value makes it raise."""

import hashlib
from functools import cached_property
from typing import Any, TypeVar

import msgspec

from adapter.core.authority import authority_of
from adapter.core.facts import Authority, Contact, Ignored, Patient, Quarantined, Reading, Role
from adapter.core.fhirpath import ExtensionOf, compile_path
from adapter.core.intake import Damaged, References, check, clean, convert, period_of, ref_of, source_of
from adapter.core.kinship import RoleTables, role_of
from adapter.core.people import language_of, mailbox_of, names_of, own_emails
from adapter.core.shapes import Communication, ContactPoint, HumanName, Period

FACTS_VERSION = 1
"""Raised whenever the same resource under the same profile would give other facts, so that all are read again."""

UNRESOLVED = "elsewhere"
"""Stands in ``Patient.replaced_by`` for a chart that is not in this EHR: the merge itself must not be lost."""

T = TypeVar("T")


class PatientPaths(msgspec.Struct, frozen=True, kw_only=True):
    """Where a profile finds what a chart says: FHIRPath, asked of the Patient."""

    names: str = "Patient.name"
    birth_date: str = "Patient.birthDate"
    telecom: str = "Patient.telecom"
    language: str = "Patient.communication"
    mrn: str = "Patient.identifier.where(type.coding.exists(code='MR')).value"


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
    authorities: dict[str, Authority] = {}
    """By code in lower case."""
    understood_modifiers: tuple[str, ...] = ()

    @cached_property
    def hash(self) -> str:
        """SHA-256 over everything that decides which facts are read; title and name do not."""
        content = msgspec.structs.replace(self, name="", title="")
        text = msgspec.json.encode((FACTS_VERSION, content), order="deterministic")
        return hashlib.sha256(text).hexdigest()


class _Values:
    """One expression with the structure its values must have."""

    def __init__(self, expression: str, root: str) -> None:
        path = compile_path(expression, root) if expression else None
        self._find = path.find if path else None
        self.checked = (
            path is not None and path.steps is not None and not any(isinstance(s, ExtensionOf) for s in path.steps)
        )
        self.path = expression or root

    def all(self, resource: dict[str, Any]) -> list[Any]:
        return self._find(resource) if self._find else []

    def shaped(self, resource: dict[str, Any], shape: type[T]) -> list[Any]:
        values = self.all(resource)
        if values and not self.checked:
            convert(values, list[shape], self.path)  # type: ignore[valid-type]
        return values

    def text(self, resource: dict[str, Any]) -> str:
        """The one text there is, as recorded; empty when there is none."""
        values = self.all(resource)
        if not values:
            return ""
        if len(values) > 1 or type(values[0]) is not str:
            raise Damaged(self.path, "should be one text")
        clean(values[0], self.path)
        return values[0]

    def first_text(self, resource: dict[str, Any]) -> str:
        values = self.all(resource)
        return clean(values[0], self.path) if values and type(values[0]) is str else ""


class Mapper:
    """Reads resources of one EHR. ``base_url`` is its FHIR base, needed only where it writes absolute references.

    Raises PathError when the profile has an expression that cannot be compiled (``load_profile`` finds those first).
    """

    def __init__(self, profile: MappingProfile, base_url: str | None = None) -> None:
        self.profile = profile
        self._references = References(base_url)
        self._understood = frozenset(profile.understood_modifiers)
        self._patient = {
            name: _Values(getattr(profile.patient, name), "Patient") for name in PatientPaths.__struct_fields__
        }
        self._contact = {
            name: _Values(getattr(profile.contact, name), "RelatedPerson") for name in ContactPaths.__struct_fields__
        }

    def read(self, resource: object, origin: str = "") -> Reading:
        """Facts of one decoded resource; ``origin`` says where it came from, for people who have to repair it."""
        if not isinstance(resource, dict):
            return Quarantined(ref="", source="", path="$", problem="should be an object", origin=origin)
        kind = resource.get("resourceType")
        ref = ref_of(resource)
        if not isinstance(kind, str) or not kind:
            return Quarantined(
                ref="", source="", path="$.resourceType", problem="is missing or not text", origin=origin
            )
        if kind not in ("Patient", "RelatedPerson"):
            return Ignored(ref=ref, why="neither a Patient nor a RelatedPerson", origin=origin)
        source = source_of(resource, ref)
        try:
            check(resource, kind, self._understood)
            return (
                self._read_patient(resource, ref, source)
                if kind == "Patient"
                else self._read_contact(resource, ref, source)
            )
        except Damaged as damage:
            path, problem = damage.path, damage.problem
        except RecursionError:
            path, problem = kind, "is nested too deeply"
        return Quarantined(ref=ref, source=source, path=path, problem=problem, origin=origin)

    def _read_patient(self, patient: dict[str, Any], ref: str, source: str) -> Patient:
        values = self._patient
        replaced_by, links = self._links(patient.get("link", ()))
        return Patient(
            ref=ref,
            source=source,
            active=patient.get("active", True),
            deceased=patient.get("deceasedBoolean", False)
            or "deceasedDateTime" in patient
            or "_deceasedDateTime" in patient,
            replaced_by=replaced_by,
            links=links,
            names=names_of(values["names"].shaped(patient, HumanName), values["names"].path),
            birth_date=values["birth_date"].text(patient),
            emails=own_emails(values["telecom"].shaped(patient, ContactPoint)),
            language=language_of(values["language"].shaped(patient, Communication)),
            mrn=values["mrn"].first_text(patient),
        )

    def _links(self, links: list[dict[str, Any]]) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Charts this one was merged into, and records of the same person."""
        replaced_by, same = [], []
        for link in links:
            other, _ = self._references.resolve(link["other"])
            if link["type"] == "replaced-by":
                replaced_by.append(other or UNRESOLVED)
            elif link["type"] in ("seealso", "refer") and other.startswith(("Patient/", "RelatedPerson/")):
                same.append(other)
        return tuple(replaced_by), tuple(same)

    def _read_contact(self, person: dict[str, Any], ref: str, source: str) -> Contact:
        values = self._contact
        patient, problem = self._references.resolve(person.get("patient"))
        if patient and not patient.startswith("Patient/"):
            patient, problem = "", "it is not a Patient"
        role, role_text = role_of(
            values["role"].all(person), self.profile.roles, values["role"].path, checked=values["role"].checked
        )
        authority, authority_text = authority_of(
            values["authority"].all(person), self.profile.authorities, values["authority"].path
        )
        mailbox = mailbox_of(values["telecom"].shaped(person, ContactPoint), values["telecom"].path)
        start, end = self._period(person)
        return Contact(
            ref=ref,
            source=source,
            patient=patient,
            patient_problem=problem,
            active=person.get("active", True),
            start=start,
            end=end,
            role=role,
            role_text=role_text,
            authority=authority,
            authority_text=authority_text,
            email=mailbox.address,
            email_key=mailbox.key,
            email_problem=mailbox.problem,
            email_start=mailbox.start,
            email_end=mailbox.end,
            names=names_of(values["names"].shaped(person, HumanName), values["names"].path),
            birth_date=values["birth_date"].text(person),
            language=language_of(values["language"].shaped(person, Communication)),
        )

    def _period(self, person: dict[str, Any]) -> tuple[str, str]:
        path = self._contact["period"]
        periods = path.shaped(person, Period)
        if len(periods) > 1:
            raise Damaged(path.path, "is there more than once")
        return period_of(periods[0], path.path) if periods else ("", "")


__all__ = ["ContactPaths", "Mapper", "MappingProfile", "PatientPaths", "Role", "RoleTables"]
