"""The tables of config.toml about the service's HTTP door: where it listens, and who may say that a chart changed."""

import os
import re
import secrets
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, SecretStr, model_validator

from adapter.errors import ConfigError, Fault
from adapter.settings.sections import SecretSection, Section, WebUrl

_HEADER = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,63}")
_SECRET = re.compile(r"[A-Za-z0-9._~+/=-]{24,200}")
_TAKEN = frozenset({"connection", "content-encoding", "content-length", "content-type", "host", "transfer-encoding"})


def _header(name: str) -> str:
    if not _HEADER.fullmatch(name) or name.lower() in _TAKEN:
        raise ValueError('must be the name of a header, such as "Authorization" or "X-Adapter-Secret"')
    return name


class WebSettings(Section):
    """The HTTP server of ``adapter run``."""

    enabled: bool = True
    host: str = Field(default="127.0.0.1", min_length=1)
    port: int = Field(default=8480, ge=0, le=65535)
    """0 takes any free one."""
    allowed_hosts: tuple[str, ...] = ()
    """Names in the Host header that are answered, beside this machine's own and those of every ``public_url``."""
    public_url: WebUrl | None = None
    """The service as people reach it, through a server that speaks https; cookies are then for https alone."""
    healthy_minutes: int = Field(default=60, ge=1, le=7 * 24 * 60)
    """How old a practice's last complete run may be before /healthz says that something is wrong."""


class PushSettings(SecretSection):
    """FHIR Subscription notifications from one practice's EHR."""

    secret_env: str | None = None
    secret_file: Path | None = None
    """Made on first use when it does not exist."""
    header: Annotated[str, AfterValidator(_header)] = "Authorization"
    """The header that carries the secret: ``Authorization`` as ``Bearer <secret>``, any other as it is."""
    public_url: WebUrl | None = None
    """The service as the EHR reaches it; needed to create Subscriptions."""
    payload: Literal["full", "empty"] = "full"
    """What a Subscription that we create asks for."""

    @model_validator(mode="after")
    def _one_secret(self) -> Self:
        if (self.secret_env is None) == (self.secret_file is None):
            raise ValueError("needs either secret_env or secret_file")
        return self

    @property
    def header_value(self) -> SecretStr:
        """What the header must hold. Makes ``secret_file`` (mode 0600) when there is none.

        Raises ConfigError when the secret cannot be had or is too weak.
        """
        if self.secret_file is not None and not self.secret_file.exists():
            _make_secret(self.secret_file)
        secret = self.read_secret(env=self.secret_env, file=self.secret_file)
        value = secret.get_secret_value() if secret else ""
        if not _SECRET.fullmatch(value):
            where = {"file": "environment", "key": self.secret_env or ""}
            if self.secret_file is not None:
                where = {"file": str(self.secret_file), "key": "secret"}
            problem = "must have 24 to 200 letters, digits, or any of . _ ~ + / = -"
            raise ConfigError([Fault(**where, problem=f"{problem}.", remedy="Take a random one; do not make one up.")])
        return SecretStr(f"Bearer {value}" if self.header.lower() == "authorization" else value)


def _make_secret(path: Path) -> None:
    """Writes the whole file under another name, then links it into place: nobody ever sees half a secret."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(secrets.token_urlsafe(32) + "\n")
        with suppress(FileExistsError):  # another process was first; its secret counts
            path.hardlink_to(draft)
        draft.unlink()
    except OSError as error:
        problem = f"cannot be written ({error.strerror})."
        fault = Fault(file=str(path), key="secret", problem=problem, remedy="Check the folder and its permissions.")
        raise ConfigError([fault]) from None
