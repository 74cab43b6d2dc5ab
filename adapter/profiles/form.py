"""The shape of a profile's file, and reading a TOML file as such a shape. docs/mappings.md explains every key."""

import tomllib
from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from adapter.errors import Fault
from adapter.profiles.folders import NAME
from adapter.profiles.search import SearchTable

NOT_RECORDED = "not-recorded"
HELP = "docs/mappings.md explains every key."

Expression = Annotated[
    str, Field(min_length=1, max_length=1000), AfterValidator(lambda text: " ".join(text.split("\n")).strip())
]
"""FHIRPath; it may go over several lines."""
RoleName = Literal[
    "self", "mother", "father", "parent", "step_parent", "foster_parent", "grandparent", "guardian",
    "sibling", "spouse", "child", "other_relative", "other", "unknown",
]  # fmt: skip
NOT_STATED = "not-stated"
AuthorityName = Literal["joint", "exclusive", "none", "not-stated"]


class Table(BaseModel):
    """A TOML table in which every key is known."""

    model_config = ConfigDict(extra="forbid", frozen=True)


Form = TypeVar("Form", bound=Table)


class PathsTable(Table):
    """Expressions that are asked of patients and contacts alike."""

    names: Expression | None = None
    birth_date: Expression | None = None
    telecom: Expression | None = None
    language: Expression | None = None


class PatientTable(PathsTable):
    mrn: Expression | None = None
    organization: Expression | None = None


class ContactTable(PathsTable):
    period: Expression | None = None


class KinshipTable(Table):
    """Codes and words that become Roles; also the whole of a shared table's file."""

    codes: dict[str, dict[str, RoleName]] = {}
    words: dict[str, RoleName] = {}
    contact_systems: tuple[str, ...] = ()
    contact_codes: dict[str, tuple[str, ...]] = {}


class RolesTable(KinshipTable):
    source: Expression
    tables: tuple[Annotated[str, Field(pattern=f"^{NAME}$")], ...] = ()


class AuthorityForm(Table):
    source: Expression
    systems: tuple[Annotated[str, Field(min_length=1)], ...] = ()
    by: Literal["code", "text"] = "code"
    codes: dict[str, AuthorityName] = {}
    consent: "ConsentForm | None" = None


class ConsentForm(Table):
    """``[authority.consent]``: the EHR's Consents say who may decide."""

    permit: Literal["joint", "exclusive"] = "joint"
    categories: tuple[Annotated[str, Field(pattern=r"^\S+\|\S+$")], ...] = ()


class ProfileFile(Table):
    """A whole profile."""

    title: str
    description: str = ""
    understood_modifier_extensions: tuple[str, ...] = ()
    patient: PatientTable = PatientTable()
    contact: ContactTable = ContactTable()
    roles: RolesTable
    authority: AuthorityForm
    search: SearchTable = SearchTable()


def read(path: Path, form: type[Form], faults: list[Fault]) -> Form | None:
    """The file as ``form``, or None after noting its faults."""
    try:
        return form.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError):
        remedy = "Check the file and its permissions."
        faults.append(Fault(file=str(path), key="file", problem="cannot be read as UTF-8 text.", remedy=remedy))
    except tomllib.TOMLDecodeError as error:
        remedy = "Correct the TOML at that place."
        faults.append(Fault(file=str(path), key="syntax", problem=f"{error}.", remedy=remedy))
    except ValidationError as error:
        faults.extend(_shape_faults(path, error))
    return None


def _shape_faults(path: Path, error: ValidationError) -> list[Fault]:
    faults = []
    for item in error.errors(include_url=False, include_context=False, include_input=False):
        key = ".".join(str(part) for part in item["loc"]) or "file"
        problem = {"extra_forbidden": "is not a known key.", "missing": "is missing."}.get(item["type"])
        problem = problem or f"{item['msg'][:1].lower()}{item['msg'][1:]}."
        faults.append(Fault(file=str(path), key=key, problem=problem, remedy=HELP))
    return faults
