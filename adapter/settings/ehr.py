"""The table [practice.ehr]: where the EHR's records come from, and how the adapter is known to it."""

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, SecretStr, model_validator

from adapter.core.search import StrategyName
from adapter.settings.sections import SecretSection, Section, WebUrl


class FilesEhr(Section):
    """An EHR export: a folder of .ndjson and .json files, resources or Bundles."""

    kind: Literal["files"]
    path: Path


class FhirEhr(SecretSection):
    """An EHR's FHIR R4 API."""

    kind: Literal["fhir"]
    base_url: WebUrl
    auth: Literal["none", "bearer"] = "none"
    token_env: str | None = None
    token_file: Path | None = None
    page_size: int = Field(default=200, ge=1, le=10_000)
    concurrency: int = Field(default=4, ge=1, le=32)
    timeout_seconds: float = Field(default=30, gt=0, le=600)
    overlap_minutes: int = Field(default=10, ge=0, le=1440)
    strategy: Literal["auto"] | StrategyName = "auto"
    max_body_megabytes: int = Field(default=64, ge=1, le=1024)
    max_pages: int = Field(default=50_000, ge=1, le=10_000_000)
    check_total: bool = True

    @model_validator(mode="after")
    def _token_where_needed(self) -> Self:
        if self.auth == "bearer" and not (self.token_env or self.token_file):
            raise ValueError('auth = "bearer" needs token_env or token_file')
        return self

    @property
    def token(self) -> SecretStr | None:
        return self.read_secret(env=self.token_env, file=self.token_file) if self.auth == "bearer" else None
