"""The bench for mapping profiles: one record, expression by expression, and why a fact came out as it did.

Nothing here decides anything: the facts are the mapper's own, and this says where they come from.
"""

from collections.abc import Iterator
from typing import Any

import msgspec

from adapter.core.authority import authority_of
from adapter.core.consent import Consent, ConsentRules, read_consent
from adapter.core.facts import Authority, Contact, Ignored, Patient, Reading, Role
from adapter.core.fhirpath import compile_path
from adapter.core.intake import Damaged, References, ref_of
from adapter.core.kinship import fold, parts_of, roles_of
from adapter.core.mapping import ContactPaths, Mapper, MappingProfile, PatientPaths

_ALWAYS_READ = {"Patient": ("active", "deceased", "link"), "RelatedPerson": ("patient", "active")}


class Line(msgspec.Struct, frozen=True):
    """One fact: the profile's key, its expression, what that found, the fact it became, and what is to be said.

    ``fact`` is empty where there is none; ``notes`` say why a fact is unknown or less than one might expect.
    """

    key: str
    expression: str
    found: tuple[Any, ...]
    fact: str
    notes: tuple[str, ...] = ()


class Sheet(msgspec.Struct, frozen=True):
    """One record on the bench: what the mapper made of it, and the lines behind that."""

    reading: Reading | Consent
    lines: tuple[Line, ...]


def sheet_of(profile: MappingProfile, mapper: Mapper, resource: object, origin: str) -> Sheet:
    """What ``mapper``, which reads by ``profile``, makes of one decoded resource."""
    reading = mapper.read(resource, origin)
    if isinstance(reading, Contact) and isinstance(resource, dict):
        return Sheet(reading, tuple(_contact_lines(profile, resource, reading)))
    if isinstance(reading, Patient) and isinstance(resource, dict):
        return Sheet(reading, tuple(_patient_lines(profile, resource, reading)))
    return Sheet(reading, ())


def consent_sheet(resource: dict[str, Any], origin: str, rules: ConsentRules, references: References) -> Sheet:
    """What one Consent says of whom; the contacts of the file are decided with it."""
    read = read_consent(resource, rules, references)
    ref = ref_of(resource)
    status, categories = resource.get("status"), tuple(resource.get("category") or ())
    if read is None:
        why = (
            "a Consent of another category"
            if status == "active"
            else f"a Consent that is {status}, so it permits nothing"
        )
        return Sheet(Ignored(ref, why, origin), (Line("authority.consent", "category", categories, ""),))
    if read.problem:  # it stays a Consent: it holds the contacts of its chart
        return Sheet(read, (Line("authority.consent", "patient", (), "unknown", (f"damaged: {read.problem}",)),))
    lines = [Line("authority.consent", "patient", (resource.get("patient"),), read.patient)]
    for statement in read.statements:
        period = f", {statement.start or '…'} to {statement.end or '…'}" if statement.start or statement.end else ""
        whom = ", ".join(sorted(statement.actors)) or "everybody on the chart"
        lines.append(Line("authority.consent", "provision", (), f"{statement.says} {whom}{period}"))
    return Sheet(read, tuple(lines))


def _patient_lines(profile: MappingProfile, resource: dict[str, Any], patient: Patient) -> Iterator[Line]:
    merged = ", ".join(patient.replaced_by)
    state = [
        "active" if patient.active else "inactive",
        *(["deceased"] if patient.deceased else []),
        *([f"merged into {merged}"] if merged else []),
    ]
    yield Line("(always read)", "active, deceased[x], link", _fixed(resource), ", ".join(state))
    paths = profile.patient
    facts = {
        "names": ", ".join(patient.names),
        "birth_date": patient.birth_date,
        "telecom": ", ".join(patient.emails),
        "language": patient.language,
        "mrn": patient.mrn,
        "organization": patient.organization,
    }
    for name in PatientPaths.__struct_fields__:
        yield _line(f"patient.{name}", getattr(paths, name), resource, facts[name])


def _contact_lines(profile: MappingProfile, resource: dict[str, Any], contact: Contact) -> Iterator[Line]:
    chart = contact.patient or "no chart"
    no_chart = (f"the chart: {contact.patient_problem}",) if contact.patient_problem else ()
    state = "" if contact.active else ", inactive"
    yield Line("(always read)", "patient, active", _fixed(resource), f"{chart}{state}", no_chart)
    yield _role_line(profile, resource, contact)
    yield _authority_line(profile, resource, contact)
    paths = profile.contact
    facts = {
        "names": ", ".join(contact.names),
        "birth_date": contact.birth_date,
        "telecom": contact.email,
        "period": f"{contact.start or '…'} to {contact.end or '…'}" if contact.start or contact.end else "",
        "language": contact.language,
    }
    for name in (name for name in ContactPaths.__struct_fields__ if name in facts):
        problem = contact.email_problem if name == "telecom" else None
        notes = (f"the e-mail address is {problem}",) if problem else ()
        yield _line(f"contact.{name}", getattr(paths, name), resource, facts[name], notes)


def _fixed(resource: dict[str, Any]) -> tuple[Any, ...]:
    names = _ALWAYS_READ[resource["resourceType"]]
    return tuple({name: value} for name, value in resource.items() if name.startswith(names))


def _line(key: str, expression: str, resource: dict[str, Any], fact: str, notes: tuple[str, ...] = ()) -> Line:
    return Line(key, _shown(expression), tuple(_find(expression, resource)), fact, notes)


def _find(expression: str, resource: dict[str, Any]) -> list[Any]:
    return compile_path(expression, resource["resourceType"]).find(resource) if expression else []


def _shown(expression: str) -> str:
    return " ".join(expression.split())


def _role_line(profile: MappingProfile, resource: dict[str, Any], contact: Contact) -> Line:
    expression = profile.contact.role
    found = _find(expression, resource)
    notes: list[str] = []
    kin: set[Role] = set()
    for value in found:
        codings, text = parts_of(value, expression, checked=False)
        for coding in codings:
            said = set(roles_of(coding, profile.roles, expression))
            kin |= said
            notes += _coding_notes(coding, said, profile)
        if text:
            role = profile.roles.words.get(fold(text))
            kin |= {role} if role else set()
            notes += [] if role else [f'"{text}" is not among the words ([roles.words]), so it says nothing']
    certain = sorted(kin - {Role.UNKNOWN})
    if contact.role is Role.UNKNOWN and len(certain) > 1:
        notes.append(f"{' and '.join(certain)} contradict each other")
    if not found:
        notes.append("the expression finds nothing")
    return Line("roles.source", _shown(expression), tuple(found), contact.role, tuple(dict.fromkeys(notes)))


def _coding_notes(coding: dict[str, Any], said: set[Role], profile: MappingProfile) -> Iterator[str]:
    """Why one coding says less than one might expect."""
    tables = profile.roles
    system, code = coding.get("system", ""), coding.get("code", "")
    if Role.UNKNOWN in said and not system:
        yield f'the code "{code}" has no system, so nobody can tell what it means'
    elif Role.UNKNOWN in said and code not in tables.codes.get(system, {}):
        yield f'the code "{code}" is not in [roles.codes."{system}"], so the Role cannot be told'
    elif Role.UNKNOWN in said:
        yield f'the code "{code}" of {system} says nothing certain'
    elif not said and (system in tables.contact_systems or code in tables.contact_codes.get(system, ())):
        yield f'the code "{code}" of {system} says whom to call or bill, not who is kin'
    elif not said:
        yield f'nobody mapped the code system {system}, so "{code}" says nothing'


def _authority_line(profile: MappingProfile, resource: dict[str, Any], contact: Contact) -> Line:
    expression = profile.contact.authority
    if not expression and profile.consents is not None:
        silent = contact.authority is Authority.UNKNOWN and not contact.authority_text
        notes = ("no Consent in this file says anything of this contact",) if silent else ()
        return Line("authority.source", "Consents ([authority.consent])", (), contact.authority, notes)
    if not expression:
        notes = ("the profile says that this EHR records none: see authority_file and authority_when_unknown",)
        return Line("authority.source", "not-recorded", (), contact.authority, notes)
    found = _find(expression, resource)
    told: list[str] = []
    stated: set[Authority] = set()
    for value in found:
        one, words = _authority_of_one(profile, value)
        if words:
            told.append(f'"{words}" is not in [authority.codes], so the Authority cannot be told')
        elif one is Authority.UNKNOWN:
            told.append("one value is known to say nothing of Authority")
        else:
            stated.add(one)
    if len(stated) > 1:
        told.append(f"{' and '.join(sorted(stated))} contradict each other")
    if not found:
        told.append("the expression finds nothing: the chart states none")
    return Line("authority.source", _shown(expression), tuple(found), contact.authority, tuple(dict.fromkeys(told)))


def _authority_of_one(profile: MappingProfile, value: Any) -> tuple[Authority, str]:
    try:
        return authority_of([value], profile.authorities, profile.contact.authority)
    except Damaged:  # then the mapper has said so, and there is no sheet
        return Authority.UNKNOWN, ""
