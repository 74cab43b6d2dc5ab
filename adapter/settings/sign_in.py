"""The keys of [practice.ehr] that say how the adapter is known to a FHIR EHR."""

import re
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, SecretStr, model_validator

from adapter.errors import ConfigError, Fault
from adapter.settings.sections import SecretSection, WebUrl

Word = Annotated[str, Field(min_length=1, max_length=4000, pattern=r"^[!-~]+$")]
"""Printable, without blanks."""

_NEEDED = {
    "none": (),
    "bearer": (("token_env", "token_file"),),
    "basic": (("username",), ("password_env", "password_file")),
    "client_secret": (("client_id",), ("client_secret_env", "client_secret_file")),
    "smart": (("client_id",), ("private_key_file",)),
}
"""For each way the keys it cannot do without; of several in one pair of brackets, one."""


class SignIn(SecretSection):
    """How the adapter is known to the EHR. Keys of another way than ``auth`` are left alone."""

    auth: Literal["none", "bearer", "basic", "client_secret", "smart"] = "none"
    token_env: str | None = None
    token_file: Path | None = None
    username: str | None = Field(default=None, min_length=1, max_length=500, pattern=r"^[^:\x00-\x1f]+$")
    password_env: str | None = None
    password_file: Path | None = None
    client_id: Word | None = None
    client_secret_env: str | None = None
    client_secret_file: Path | None = None
    client_auth: Literal["client_secret_basic", "client_secret_post"] = "client_secret_basic"
    private_key_file: Path | None = None
    key_id: Word | None = None
    """The key's thumbprint when left out."""
    algorithm: Literal["RS384", "ES384"] | None = None
    """What the key is for when left out."""
    token_url: WebUrl | None = None
    """The EHR's smart-configuration says it when left out."""
    scopes: tuple[Word, ...] | None = None
    """What reading needs when left out."""

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
    def password(self) -> SecretStr | None:
        """The password. Raises ConfigError when it cannot be read."""
        return self.read_secret(env=self.password_env, file=self.password_file)

    @property
    def client_secret(self) -> SecretStr | None:
        """The client's secret. Raises ConfigError when it cannot be read."""
        return self.read_secret(env=self.client_secret_env, file=self.client_secret_file)
