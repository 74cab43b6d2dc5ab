"""The tables of config.toml that say where things are: store, mail and portal."""

import os
import re
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, model_validator

from adapter.errors import ConfigError, Fault

LOOPBACK = ("127.0.0.1", "localhost", "::1")


def _https_or_loopback(url: str) -> str:
    parts = urlsplit(url)
    if "@" in parts.netloc or not re.fullmatch(r"[!-~]+", url):
        raise ValueError("must be a plain address, without a user name, blanks or accents")
    if parts.scheme == "https" and parts.hostname:
        return url
    if parts.scheme == "http" and parts.hostname in LOOPBACK:
        return url
    raise ValueError("must be an https:// address (http:// only on this machine)")


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError('must be a time zone such as "America/New_York"') from None
    return name


WebUrl = Annotated[str, AfterValidator(_https_or_loopback)]
TimeZone = Annotated[str, AfterValidator(_zone)]
Name = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[a-z0-9][a-z0-9-]*$")]


class Section(BaseModel):
    """A table of config.toml: unknown keys are faults, values do not change after loading."""

    # Built when first used: what is inside another section is built with that one, and not twice.
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class SecretSection(Section):
    """A table whose secrets come from the environment or from a file, never from config.toml itself."""

    def read_secret(self, *, env: str | None, file: Path | None) -> SecretStr | None:
        """The secret named by an environment variable or a file; None when neither is set.

        Raises ConfigError when the variable is empty or the file cannot be read.
        """
        if env is not None:
            value = os.environ.get(env, "").strip()
            if not value:
                raise ConfigError(
                    [Fault(file="environment", key=env, problem="is not set.", remedy="Set it, then try again.")]
                )
            return SecretStr(value)
        if file is not None:
            try:
                text = file.read_text(encoding="utf-8").strip()
            except (OSError, UnicodeDecodeError):
                raise ConfigError(
                    [
                        Fault(
                            file=str(file),
                            key="secret",
                            problem="cannot be read.",
                            remedy="Check the path and its permissions.",
                        )
                    ]
                ) from None
            if not text:
                remedy = "Write the secret into it."
                raise ConfigError([Fault(file=str(file), key="secret", problem="is empty.", remedy=remedy)])
            return SecretStr(text)
        return None


class StoreSettings(Section):
    """Where the adapter keeps its state."""

    url: SecretStr = SecretStr("sqlite:///var/adapter.db")
    key_file: Path = Path("var/adapter.key")
    """The secret that the links in Welcome emails are derived from; made on first use, for the owner's eyes only."""


class FolderMail(Section):
    """Mail as .eml files in a folder: for trying things out."""

    kind: Literal["folder"] = "folder"
    path: Path = Path("var/mail")


class SmtpMail(SecretSection):
    """Mail through an SMTP server."""

    kind: Literal["smtp"]
    host: str = Field(min_length=1)
    port: int = Field(default=587, ge=1, le=65535)
    security: Literal["starttls", "tls", "none"] = "starttls"
    username: str | None = None
    password_env: str | None = None
    password_file: Path | None = None
    timeout_seconds: float = Field(default=60, gt=0, le=600)
    """For each reply of the server; the one to a whole message may take ten minutes."""
    connections: int = Field(default=8, ge=1, le=50)
    """Mails under way at the same time, each on a connection of its own."""
    per_domain: int = Field(default=0, ge=0)
    """Of those to one domain, at most; 0: as many as there are connections."""
    nameservers: tuple[str, ...] = ()
    """Whom ``adapter check`` asks about the sender's domain; the system's when left out."""

    @model_validator(mode="after")
    def _plain_only_on_this_machine(self) -> Self:
        if self.security == "none" and self.host not in LOOPBACK:
            raise ValueError(
                'security = "none" sends mail unencrypted and is allowed on this machine only; use "starttls" or "tls"'
            )
        return self

    @property
    def password(self) -> SecretStr | None:
        return self.read_secret(env=self.password_env, file=self.password_file)
