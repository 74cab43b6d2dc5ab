"""The table [practice.portal]: where parents sign in, and how the adapter is known there."""

import re
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Discriminator, Field, SecretStr, Tag, model_validator

from adapter.errors import ConfigError, Fault
from adapter.settings.sections import SecretSection, Section, WebUrl

Word = Annotated[str, Field(min_length=1, max_length=500, pattern=r"^[!-~]+$")]
"""Printable, without blanks."""
_STRONG = 24
"""Characters of a secret that signs, at least."""
_NEEDED = {
    "none": (),
    "bearer": (("token_env", "token_file"),),
    "client_secret": (("client_id",), ("client_secret_env", "client_secret_file"), ("token_url",)),
    "smart": (("client_id",), ("private_key_file",), ("token_url",)),
    "signature": (("key_id",), ("secret_env", "secret_file")),
}


class EmbeddedPortal(Section):
    """The portal that comes with the adapter: a directory of accounts, grants and home pages in its own tables."""

    kind: Literal["embedded"] = "embedded"
    registration_url: WebUrl = "https://portal.example/register"
    store_url: SecretStr | None = None
    """Where the portal keeps its tables; the adapter's own database when left out."""
    show_after_minutes: int = Field(default=15, ge=0, le=24 * 60)
    """How long the portal takes to show a published widget."""


class RemotePortal(SecretSection):
    """A portal that somebody else runs, and how the adapter is known there."""

    base_url: WebUrl
    registration_url: WebUrl = "https://portal.example/register"
    auth: Literal["none", "bearer", "client_secret", "smart", "signature"] = "bearer"
    token_env: str | None = None
    token_file: Path | None = None
    client_id: Word | None = None
    client_secret_env: str | None = None
    client_secret_file: Path | None = None
    client_auth: Literal["client_secret_basic", "client_secret_post"] = "client_secret_basic"
    token_url: WebUrl | None = None
    scopes: tuple[Word, ...] = ()
    private_key_file: Path | None = None
    algorithm: Literal["RS384", "ES384"] | None = None
    """What the key is for when left out."""
    key_id: Word | None = None
    """Of the private key (its thumbprint when left out), or of the secret that signs."""
    secret_env: str | None = None
    secret_file: Path | None = None
    concurrency: int = Field(default=4, ge=1, le=32)
    timeout_seconds: float = Field(default=30, gt=0, le=600)

    @model_validator(mode="after")
    def _has_what_it_needs(self) -> Self:
        lacking = [" or ".join(keys) for keys in _NEEDED[self.auth] if all(getattr(self, key) is None for key in keys)]
        if lacking:
            raise ValueError(f'auth = "{self.auth}" needs {", and ".join(lacking)}')
        return self

    @property
    def token(self) -> SecretStr | None:
        """The bearer token. Raises ConfigError when it cannot be read, or could not stand in a header."""
        if self.auth != "bearer":
            return None
        found = self.read_secret(env=self.token_env, file=self.token_file)
        if found and not re.fullmatch(r"[!-~]+", found.get_secret_value()):
            remedy = "Copy it again: one line of letters, digits and signs, without blanks."
            place = self.token_env or str(self.token_file)
            raise ConfigError([Fault(file=place, key="token", problem="is not a token.", remedy=remedy)])
        return found

    @property
    def client_secret(self) -> SecretStr | None:
        """The client's secret. Raises ConfigError when it cannot be read."""
        return self.read_secret(env=self.client_secret_env, file=self.client_secret_file)

    @property
    def signing_secret(self) -> SecretStr | None:
        """The secret that requests are signed with. Raises ConfigError when it cannot be read, or is too weak."""
        if self.auth != "signature":
            return None
        found = self.read_secret(env=self.secret_env, file=self.secret_file)
        if found and len(found.get_secret_value()) < _STRONG:
            problem, remedy = f"must have at least {_STRONG} characters.", "Take a random one: openssl rand -base64 32"
            place = self.secret_env or str(self.secret_file)
            raise ConfigError([Fault(file=place, key="secret", problem=problem, remedy=remedy)])
        return found


class ScimPortal(RemotePortal):
    """A portal, or the identity provider in front of it, that speaks SCIM 2.0."""

    kind: Literal["scim"]


class FhirPortal(RemotePortal):
    """A portal that is built on a FHIR R4 server."""

    kind: Literal["fhir"]


class HttpPortal(RemotePortal):
    """Any other portal: it keeps the contract in adapter/portal/http/openapi.json."""

    kind: Literal["http"]

    @model_validator(mode="before")
    @classmethod
    def _signed_unless_said(cls, value: Any) -> Any:
        return {"auth": "signature", **value} if isinstance(value, dict) else value


def _kind(value: Any) -> str:
    """A table that names no kind is the embedded portal's."""
    return str(value.get("kind", "embedded") if isinstance(value, dict) else value.kind)


PortalSettings = Annotated[
    Annotated[EmbeddedPortal, Tag("embedded")]
    | Annotated[ScimPortal, Tag("scim")]
    | Annotated[FhirPortal, Tag("fhir")]
    | Annotated[HttpPortal, Tag("http")],
    Discriminator(_kind),
]
