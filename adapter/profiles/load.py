"""One profile from its file: everything is read and checked before anything is said, so all faults come at once."""

from pathlib import Path

from adapter.core.mapping import ContactPaths, MappingProfile, PatientPaths
from adapter.errors import ConfigError, Fault
from adapter.profiles.expressions import expression_faults
from adapter.profiles.folders import places_of, profile_path
from adapter.profiles.form import PathsTable, ProfileFile, read
from adapter.profiles.tables import authority_source, authority_table, consent_rules, role_tables


def load_profile(name: str, folders: list[Path] | None = None) -> MappingProfile:
    """The profile ``<name>.toml`` from the first of ``folders`` that has it, else the one that comes with the adapter.

    Raises ConfigError listing every fault at once, each with file, key, what was expected and what to do.
    """
    places = places_of(folders)
    path = profile_path(name, places)
    faults: list[Fault] = []
    file = read(path, ProfileFile, faults)
    profile = None if file is None else _profile(name, file, path, places, faults)
    faults.extend(expression_faults(path))
    if profile is None or faults:
        raise ConfigError(faults)
    return profile


def _profile(name: str, file: ProfileFile, path: Path, places: list[Path], faults: list[Fault]) -> MappingProfile:
    return MappingProfile(
        name=name,
        title=file.title,
        patient=PatientPaths(**_given(file.patient)),
        contact=ContactPaths(
            role=file.roles.source, authority=authority_source(file.authority, path, faults), **_given(file.contact)
        ),
        roles=role_tables(file.roles, path, places, faults),
        authorities=authority_table(file.authority, path, faults),
        understood_modifiers=file.understood_modifier_extensions,
        consents=consent_rules(file),
        search=file.search.to_rules(),
    )


def _given(table: PathsTable) -> dict[str, str]:
    return table.model_dump(exclude_none=True)
