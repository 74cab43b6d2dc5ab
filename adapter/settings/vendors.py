"""The tables [[vendor]]: EHR vendors that may read what the adapter has decided, by FHIR."""

from pathlib import Path
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from adapter.core.fhir_face.scopes import is_scope
from adapter.settings.sections import Name, Section, WebUrl


def _scope(text: str) -> str:
    if not is_scope(text):
        raise ValueError('must be a SMART system scope such as "system/Person.rs" or "system/*.read"')
    return text


class VendorSettings(Section):
    """One registered client of /fhir (SMART Backend Services)."""

    client_id: Name
    practices: tuple[Name, ...] = Field(min_length=1)
    """The practices it may read."""
    scopes: tuple[Annotated[str, AfterValidator(_scope)], ...] = Field(min_length=1)
    """The most it may be granted."""
    jwks_url: WebUrl | None = None
    """Where it publishes its public keys; they may change there at any time."""
    jwks_file: Path | None = None

    @model_validator(mode="after")
    def _one_place_for_keys(self) -> Self:
        if (self.jwks_url is None) == (self.jwks_file is None):
            raise ValueError("needs either jwks_url or jwks_file")
        return self
