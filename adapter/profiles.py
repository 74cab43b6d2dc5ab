"""Mapping profiles: reads mappings/<name>.toml, checks all of it, and gives the value the mapper works with."""

import re
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

import adapter
from adapter.core.elements import CONCEPTS, TEXT, problems
from adapter.core.facts import Authority, Role
from adapter.core.fhirpath import compile_path
from adapter.core.fhirpath_library import PathError
from adapter.core.kinship import RoleTables, fold
from adapter.core.mapping import ContactPaths, MappingProfile, PatientPaths
from adapter.errors import ConfigError, Fault

NOT_RECORDED = "not-recorded"
NAME = "[a-z0-9][a-z0-9-]{0,63}"
HELP = "docs/mappings.md explains every key."

Kind = Literal["mappings", "schedules"]
Expression = Annotated[str, Field(min_length=1, max_length=1000)]
RoleName = Literal[
    "self", "mother", "father", "parent", "step_parent", "foster_parent", "grandparent", "guardian",
    "sibling", "spouse", "child", "other_relative", "other", "unknown",
]  # fmt: skip

_WANTED = {
    "names": frozenset({"HumanName"}),
    "telecom": frozenset({"ContactPoint"}),
    "language": frozenset({"Communication"}),
    "period": frozenset({"Period"}),
    "birth_date": frozenset({TEXT}),
    "mrn": frozenset({TEXT}),
    "roles": CONCEPTS,
    "authority": CONCEPTS,
}


_ROOTS = {"patient": "Patient", "contact": "RelatedPerson", "roles": "RelatedPerson", "authority": "RelatedPerson"}


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Paths(_Table):
    names: Expression | None = None
    birth_date: Expression | None = None
    telecom: Expression | None = None
    language: Expression | None = None


class _PatientTable(_Paths):
    mrn: Expression | None = None


class _ContactTable(_Paths):
    period: Expression | None = None


class _Kinship(_Table):
    codes: dict[str, dict[str, RoleName]] = {}
    words: dict[str, RoleName] = {}
    contact_systems: tuple[str, ...] = ()


class _RolesTable(_Kinship):
    source: Expression
    tables: tuple[Annotated[str, Field(pattern=f"^{NAME}$")], ...] = ()


class _AuthorityTable(_Table):
    source: Expression
    codes: dict[str, Literal["joint", "exclusive", "none"]] = {}


class _ProfileFile(_Table):
    title: str
    description: str = ""
    understood_modifier_extensions: tuple[str, ...] = ()
    patient: _PatientTable = _PatientTable()
    contact: _ContactTable = _ContactTable()
    roles: _RolesTable
    authority: _AuthorityTable


def data_folder(kind: Kind) -> Path:
    """The folder of profiles or schedules that comes with the adapter, in a wheel as well as in a checkout."""
    package = Path(adapter.__file__).parent
    shipped = package / "_data" / kind
    return shipped if shipped.is_dir() else package.parent / kind


def load_profile(name: str, folders: list[Path] | None = None) -> MappingProfile:
    """The profile ``<name>.toml`` from the first of ``folders`` that has it, else the one that comes with the adapter.

    Raises ConfigError listing every fault at once, each with file, key, what was expected and what to do.
    """
    if not re.fullmatch(NAME, name):
        remedy = "Use lower-case letters, digits and hyphens."
        raise ConfigError([Fault(file="config.toml", key="mapping", problem="is not a profile's name.", remedy=remedy)])
    places = [*(folders or []), data_folder("mappings")]
    path = _find(f"{name}.toml", places)
    if path is None:
        known = ", ".join(sorted({file.stem for place in places for file in place.glob("*.toml")}))
        remedy = f"Choose one of {known}, or put the file into a mappings folder beside config.toml."
        raise ConfigError([Fault(file=f"{name}.toml", key="file", problem="does not exist.", remedy=remedy)])
    faults: list[Fault] = []
    file = _read(path, _ProfileFile, faults)
    if file is None:
        raise ConfigError(faults)
    roles = _roles(file.roles, path, places, faults)
    patient = PatientPaths(**_given(file.patient))
    contact = ContactPaths(
        role=file.roles.source, authority=_authority_source(file.authority, path, faults), **_given(file.contact)
    )
    authorities = _authorities(file.authority, path, faults)
    faults.extend(_expression_faults(path))
    if faults:
        raise ConfigError(faults)
    return MappingProfile(
        name=name,
        title=file.title,
        patient=patient,
        contact=contact,
        roles=roles,
        authorities=authorities,
        understood_modifiers=file.understood_modifier_extensions,
    )


def _find(relative: str, places: list[Path]) -> Path | None:
    return next((place / relative for place in places if (place / relative).is_file()), None)


def _read(path: Path, model: type[Any], faults: list[Fault]) -> Any:
    """The file as ``model``, or None after noting its faults."""
    try:
        return model.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError):
        faults.append(
            Fault(
                file=str(path),
                key="file",
                problem="cannot be read as UTF-8 text.",
                remedy="Check the file and its permissions.",
            )
        )
    except tomllib.TOMLDecodeError as error:
        faults.append(
            Fault(file=str(path), key="syntax", problem=f"{error}.", remedy="Correct the TOML at that place.")
        )
    except ValidationError as error:
        faults.extend(_shape_faults(path, error))
        if model is _ProfileFile:  # whatever else is wrong, the expressions that can be read are checked in the same go
            faults.extend(_expression_faults(path))
    return None


def _shape_faults(path: Path, error: ValidationError) -> list[Fault]:
    faults = []
    for item in error.errors(include_url=False, include_context=False, include_input=False):
        key = ".".join(str(part) for part in item["loc"]) or "file"
        problem = {"extra_forbidden": "is not a known key.", "missing": "is missing."}.get(item["type"])
        faults.append(
            Fault(
                file=str(path), key=key, problem=problem or f"{item['msg'][:1].lower()}{item['msg'][1:]}.", remedy=HELP
            )
        )
    return faults


def _given(table: _Paths) -> dict[str, str]:
    return table.model_dump(exclude_none=True)


def _authority_source(table: _AuthorityTable, path: Path, faults: list[Fault]) -> str:
    """The expression, or empty when the profile says that this EHR records no Authority."""
    if table.source == NOT_RECORDED:
        if table.codes:
            faults.append(
                Fault(
                    file=str(path),
                    key="authority.codes",
                    problem="are never used when the source is not recorded.",
                    remedy="Remove them, or give the source.",
                )
            )
        return ""
    if not table.codes:
        faults.append(
            Fault(
                file=str(path),
                key="authority.codes",
                problem="is missing.",
                remedy="Say which code means joint, exclusive and none.",
            )
        )
    return table.source


def _authorities(table: _AuthorityTable, path: Path, faults: list[Fault]) -> dict[str, Authority]:
    found: dict[str, Authority] = {}
    for code, target in table.codes.items():
        if found.setdefault(code.lower(), Authority(target)) != target:
            problem, remedy = f'has "{code}" twice with different meanings.', "Case does not matter: keep one of them."
            faults.append(Fault(file=str(path), key="authority.codes", problem=problem, remedy=remedy))
    return found


def _roles(table: _RolesTable, path: Path, places: list[Path], faults: list[Fault]) -> RoleTables:
    """The shared tables in order, then the profile's own entries, which win."""
    codes: dict[str, dict[str, Role]] = {}
    words: dict[str, Role] = {}
    systems: set[str] = set()
    for part, file in _parts(table, path, places, faults):
        for system, rows in part.codes.items():
            codes.setdefault(system, {}).update({code: Role(role) for code, role in rows.items()})
        words.update(_folded(part.words, file, faults))
        systems.update(part.contact_systems)
    if not codes and not words and not faults:
        faults.append(
            Fault(
                file=str(path),
                key="roles",
                problem="has neither codes nor words, so every role would be unknown.",
                remedy='Add tables = ["kinship"].',
            )
        )
    return RoleTables(codes=codes, words=words, contact_systems=frozenset(systems))


def _parts(table: _RolesTable, path: Path, places: list[Path], faults: list[Fault]) -> list[tuple[_Kinship, Path]]:
    parts: list[tuple[_Kinship, Path]] = []
    for name in table.tables:
        file = _find(f"tables/{name}.toml", places)
        if file is None:
            faults.append(
                Fault(
                    file=str(path),
                    key="roles.tables",
                    problem=f'"{name}" does not exist.',
                    remedy=f"Write tables/{name}.toml beside the profile, or correct the name.",
                )
            )
        elif part := _read(file, _Kinship, faults):
            parts.append((part, file))
    return [*parts, (table, path)]


def _folded(words: dict[str, RoleName], file: Path, faults: list[Fault]) -> dict[str, Role]:
    folded: dict[str, Role] = {}
    for word, role in words.items():
        if folded.setdefault(fold(word), Role(role)) != role:
            faults.append(
                Fault(
                    file=str(file),
                    key=f'words."{word}"',
                    problem="is there twice with different roles.",
                    remedy="Case, hyphens and spaces do not matter: keep one of them.",
                )
            )
    return folded


def _expression_faults(path: Path) -> list[Fault]:
    """What is wrong with the expressions of a profile's file, each asked of the type it is about."""
    data = tomllib.loads(path.read_text(encoding="utf-8"))
    faults = []
    for table, root in _ROOTS.items():
        rows = data.get(table)
        for name, expression in rows.items() if isinstance(rows, dict) else ():
            wanted = _WANTED.get(table if name == "source" else name)
            if wanted is None or not isinstance(expression, str) or expression == NOT_RECORDED:
                continue
            try:
                wrong = problems(compile_path(expression, root), wanted)
            except PathError as error:
                wrong = [str(error)]
            for problem in wrong:
                ended = problem if problem.endswith("?") else f"{problem}."
                remedy = f"Correct the expression. {HELP}"
                faults.append(Fault(file=str(path), key=f"{table}.{name}", problem=ended, remedy=remedy))
    return faults
