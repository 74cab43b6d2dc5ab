"""vendors/<id>.toml as typed values: the payment vendors a practice may name. Every fault is reported at once."""

import re
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from adapter.core.merchant import TITLE_LENGTH, WidgetFault, link_faults, title_faults
from adapter.core.vendors import Vendor
from adapter.errors import ConfigError, Fault

_PACKAGE = Path(__file__).parent
_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
_HELP = "docs/widgets.md explains every key."


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class _Title(_Table):
    en: str = Field(min_length=1, max_length=TITLE_LENGTH)
    es: str = Field(min_length=1, max_length=TITLE_LENGTH)


class _VendorFile(_Table):
    name: str = Field(min_length=1, max_length=60)
    preferred: bool = False
    link: Literal["required", "optional"] = "required"
    hosts: list[str] = []
    title: _Title

    @field_validator("hosts")
    @classmethod
    def _are_hosts(cls, hosts: list[str]) -> list[str]:
        for number, host in enumerate(hosts):
            if host != host.lower() or any(True for _ in link_faults("hosts", f"https://{host}/", (host,))):
                raise ValueError(f'entry {number + 1} is not a host in small letters, such as "pay.example.org"')
        return hosts


def vendor_folders(config_folder: Path) -> list[Path]:
    """Where vendors are looked for: beside config.toml first, then those that come with the adapter."""
    packaged = _PACKAGE / "_data" / "vendors"
    return [config_folder / "vendors", packaged if packaged.is_dir() else _PACKAGE.parent / "vendors"]


def load_vendors(folders: Iterable[Path]) -> dict[str, Vendor]:
    """Every vendor by id, those that are preferred first; of two files with one name the first folder's counts.

    Raises ConfigError listing every fault of every file at once.
    """
    files: dict[str, Path] = {}
    for folder in folders:
        for file in sorted(folder.glob("*.toml")):
            files.setdefault(file.stem, file)
    faults: list[Fault] = []
    found = [vendor for id, file in files.items() if (vendor := _read(id, file, faults))]
    if faults:
        raise ConfigError(faults)
    return {vendor.id: vendor for vendor in sorted(found, key=lambda vendor: (not vendor.preferred, vendor.id))}


def _read(id: str, path: Path, faults: list[Fault]) -> Vendor | None:
    """The vendor of one file, or None after noting its faults."""

    def fault(key: str, problem: str, remedy: str = _HELP) -> None:
        faults.append(Fault(file=str(path), key=key, problem=problem, remedy=remedy))

    if not _ID.fullmatch(id):
        fault("file", "has a name that cannot be an id.", "Use lower-case letters, digits and hyphens.")
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError):
        fault("file", "cannot be read as UTF-8 text.", "Check the file and its permissions.")
        return None
    except tomllib.TOMLDecodeError as error:
        fault("syntax", f"{error}.", "Correct the TOML at that place.")
        return None
    for key, problem in _text_faults(data):
        fault(key, f"{problem}.")
    try:
        file = _VendorFile.model_validate(data)
    except ValidationError as error:
        for item in error.errors(include_url=False, include_context=False, include_input=False):
            told = {"extra_forbidden": "is not a known key", "missing": "is missing"}.get(item["type"])
            told = told or item["msg"].removeprefix("Value error, ")
            fault(".".join(map(str, item["loc"])) or "file", f"{told[:1].lower()}{told[1:]}.")
        return None
    return Vendor(
        id=id,
        name=file.name,
        title=file.title.en,
        title_es=file.title.es,
        preferred=file.preferred,
        link_required=file.link == "required",
        hosts=tuple(file.hosts),
    )


def _text_faults(data: Mapping[str, Any]) -> Iterable[WidgetFault]:
    """What parents may not be shown: markup, control characters, addresses. Lengths are the shape's affair."""
    title = data.get("title")
    texts = {"name": data.get("name")} | (
        {f"title.{key}": title.get(key) for key in ("en", "es")} if isinstance(title, dict) else {}
    )
    for key, text in texts.items():
        if isinstance(text, str):
            yield from title_faults(key, text[:TITLE_LENGTH])
