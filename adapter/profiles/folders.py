"""Where mapping profiles and their examples lie: beside config.toml first, then what comes with the adapter."""

import re
from pathlib import Path
from typing import Literal

import adapter
from adapter.errors import ConfigError, Fault

NAME = "[a-z0-9][a-z0-9-]{0,63}"

Kind = Literal["mappings", "schedules"]


def data_folder(kind: Kind) -> Path:
    """The folder of profiles or schedules that comes with the adapter, in a wheel as well as in a checkout."""
    package = Path(adapter.__file__).parent
    shipped = package / "_data" / kind
    return shipped if shipped.is_dir() else package.parent / kind


def places_of(folders: list[Path] | None) -> list[Path]:
    """Every folder to look in, in order."""
    return [*(folders or []), data_folder("mappings")]


def find(relative: str, places: list[Path]) -> Path | None:
    """The file of that name in the first place that has it."""
    return next((place / relative for place in places if (place / relative).is_file()), None)


def profiles_in(folders: list[Path] | None) -> dict[str, Path]:
    """The file of every profile, by name, in the order of the names; the first folder that has one wins."""
    found: dict[str, Path] = {}
    for place in places_of(folders):
        for file in place.glob("*.toml"):
            found.setdefault(file.stem, file)
    return dict(sorted(found.items()))


def profile_path(name: str, places: list[Path]) -> Path:
    """The file of the profile ``name``. Raises ConfigError naming the profiles there are when there is none."""
    if not re.fullmatch(NAME, name):
        remedy = "Use lower-case letters, digits and hyphens."
        raise ConfigError([Fault(file="config.toml", key="mapping", problem="is not a profile's name.", remedy=remedy)])
    path = find(f"{name}.toml", places)
    if path is None:
        known = ", ".join(profiles_in(places))
        remedy = f"Choose one of {known}, or put the file into a mappings folder beside config.toml."
        raise ConfigError([Fault(file=f"{name}.toml", key="file", problem="does not exist.", remedy=remedy)])
    return path
