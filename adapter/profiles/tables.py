"""The tables of a profile: codes and words that become Roles, codes that become Authorities."""

from pathlib import Path

from adapter.core.authority import AuthorityTable
from adapter.core.consent import ConsentRules
from adapter.core.facts import Authority, Role
from adapter.core.kinship import RoleTables, fold
from adapter.errors import Fault
from adapter.profiles.folders import find
from adapter.profiles.form import (
    NOT_RECORDED,
    NOT_STATED,
    AuthorityForm,
    KinshipTable,
    ProfileFile,
    RoleName,
    RolesTable,
    read,
)


def authority_source(table: AuthorityForm, path: Path, faults: list[Fault]) -> str:
    """The expression, or empty when the profile says that this EHR records no Authority."""
    problem = ""
    if table.source == NOT_RECORDED and (table.codes or table.systems):
        problem, remedy = "are never used when the source is not recorded.", "Remove them, or give the source."
    elif table.source != NOT_RECORDED and not table.codes:
        problem, remedy = "is missing.", "Say which code means joint, exclusive and none."
    if problem:
        faults.append(Fault(file=str(path), key="authority.codes", problem=problem, remedy=remedy))
    return "" if table.source == NOT_RECORDED else table.source


def authority_table(table: AuthorityForm, path: Path, faults: list[Fault]) -> AuthorityTable:
    """What each code means, by code in lower case, and the code systems that count."""
    found: dict[str, Authority | None] = {}
    for code, target in table.codes.items():
        meaning = None if target == NOT_STATED else Authority(target)
        if found.setdefault(code.lower(), meaning) is not meaning:
            problem, remedy = f'has "{code}" twice with different meanings.', "Case does not matter: keep one of them."
            faults.append(Fault(file=str(path), key="authority.codes", problem=problem, remedy=remedy))
    if table.by == "text" and table.systems:
        problem, remedy = 'count codes, while by = "text" goes by words.', "Leave one of the two out."
        faults.append(Fault(file=str(path), key="authority.systems", problem=problem, remedy=remedy))
    return AuthorityTable(found, frozenset(table.systems), by_text=table.by == "text")


def consent_rules(file: ProfileFile) -> ConsentRules | None:
    """How Consents are read; None when the profile says nothing of them."""
    form = file.authority.consent
    if form is None:
        return None
    return ConsentRules(
        permit=Authority(form.permit),
        categories=frozenset(form.categories),
        identifier_system=file.search.patient_identifier,
    )


def role_tables(table: RolesTable, path: Path, places: list[Path], faults: list[Fault]) -> RoleTables:
    """The shared tables in order, then the profile's own entries, which win."""
    codes: dict[str, dict[str, Role]] = {}
    words: dict[str, Role] = {}
    systems: set[str] = set()
    silent: dict[str, frozenset[str]] = {}
    for part, file in _parts(table, path, places, faults):
        for system, rows in part.codes.items():
            codes.setdefault(system, {}).update({code: Role(role) for code, role in rows.items()})
        words.update(_folded(part.words, file, faults))
        systems.update(part.contact_systems)
        silent |= {
            system: silent.get(system, frozenset()) | frozenset(rows) for system, rows in part.contact_codes.items()
        }
    if not codes and not words and not faults:
        problem, remedy = "has neither codes nor words, so every role would be unknown.", 'Add tables = ["kinship"].'
        faults.append(Fault(file=str(path), key="roles", problem=problem, remedy=remedy))
    return RoleTables(codes=codes, words=words, contact_systems=frozenset(systems), contact_codes=silent)


def _parts(table: RolesTable, path: Path, places: list[Path], faults: list[Fault]) -> list[tuple[KinshipTable, Path]]:
    parts: list[tuple[KinshipTable, Path]] = []
    for name in table.tables:
        file = find(f"tables/{name}.toml", places)
        if file is None:
            problem = f'"{name}" does not exist.'
            remedy = f"Write tables/{name}.toml beside the profile, or correct the name."
            faults.append(Fault(file=str(path), key="roles.tables", problem=problem, remedy=remedy))
        elif part := read(file, KinshipTable, faults):
            parts.append((part, file))
    return [*parts, (table, path)]


def _folded(words: dict[str, RoleName], file: Path, faults: list[Fault]) -> dict[str, Role]:
    folded: dict[str, Role] = {}
    for word, role in words.items():
        if folded.setdefault(fold(word), Role(role)) != role:
            problem = "is there twice with different roles."
            remedy = "Case, hyphens and spaces do not matter: keep one of them."
            faults.append(Fault(file=str(file), key=f'words."{word}"', problem=problem, remedy=remedy))
    return folded
