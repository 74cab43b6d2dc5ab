"""The table [practice.ehr]: where the EHR's records come from, and how the adapter is known to it."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from adapter.core.search import StrategyName
from adapter.settings.sections import Section, WebUrl
from adapter.settings.sign_in import SignIn

FhirId = Annotated[str, Field(pattern=r"^[A-Za-z0-9.-]{1,64}$")]
Host = Annotated[str, Field(pattern=r"^[A-Za-z0-9.-]+(:[0-9]{1,5})?(/[A-Za-z0-9._~/-]*)?$", max_length=300)]


class FilesEhr(Section):
    """An EHR export: a folder of .ndjson and .json files, resources or Bundles."""

    kind: Literal["files"]
    path: Path


class FhirEhr(SignIn):
    """An EHR's FHIR R4 API."""

    kind: Literal["fhir"]
    base_url: WebUrl
    page_size: int = Field(default=200, ge=1, le=10_000)
    concurrency: int = Field(default=4, ge=1, le=32)
    timeout_seconds: float = Field(default=30, gt=0, le=600)
    overlap_minutes: int = Field(default=10, ge=0, le=1440)
    strategy: Literal["auto"] | StrategyName = "auto"
    elements: bool = False
    """Ask for the elements that are needed and no others, where the EHR proves to lose nothing by it."""
    max_body_megabytes: int = Field(default=64, ge=1, le=1024)
    max_pages: int = Field(default=50_000, ge=1, le=10_000_000)
    check_total: bool = True
    group: FhirId | None = None
    """The Group to export, instead of all Patients."""
    bulk_hosts: tuple[Host, ...] = ()
    """Where the files of an export may lie, besides the EHR's own host: host, host:port or host/folder, by https."""
    bulk_hosts_get_token: bool = False
    bulk_hours: float = Field(default=6, gt=0, le=72)
    """How long an export may take."""
