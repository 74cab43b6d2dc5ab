"""The tables of config.toml about the service's HTTP door: where it listens, and who may say that a chart changed."""

import re
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, SecretStr, model_validator

from adapter.settings.oidc import OidcSettings
from adapter.settings.sections import Section, WebUrl
from adapter.settings.shared_secret import SharedSecret

_HEADER = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,63}")
_TAKEN = frozenset({"connection", "content-encoding", "content-length", "content-type", "host", "transfer-encoding"})


def _header(name: str) -> str:
    if not _HEADER.fullmatch(name) or name.lower() in _TAKEN:
        raise ValueError('must be the name of a header, such as "Authorization" or "X-Adapter-Secret"')
    return name


class MetricsSettings(SharedSecret):
    """Who may read /metrics: who brings the secret; without one, this machine alone."""


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
    metrics: MetricsSettings | None = None
    oidc: OidcSettings | None = None
    healthy_minutes: int = Field(default=60, ge=1, le=7 * 24 * 60)
    """How old a practice's last complete run may be before /healthz says that something is wrong."""

    @model_validator(mode="after")
    def _provider_can_send_back(self) -> Self:
        if self.oidc is not None and self.public_url is None:
            raise ValueError("oidc needs public_url: the provider sends people back to it")
        return self


class AlertSettings(Section):
    """Who is told when a practice's runs fail, or come no more."""

    ping_url: WebUrl | None = None
    """Called at each run: as it is for success, with /start and /fail below it (healthchecks.io)."""


class PushSettings(SharedSecret):
    """FHIR Subscription notifications from one practice's EHR."""

    header: Annotated[str, AfterValidator(_header)] = "Authorization"
    """The header that carries the secret: ``Authorization`` as ``Bearer <secret>``, any other as it is."""
    public_url: WebUrl | None = None
    """The service as the EHR reaches it; needed to create Subscriptions."""
    payload: Literal["full", "empty"] = "full"
    """What a Subscription that we create asks for."""

    @model_validator(mode="after")
    def _one_secret(self) -> Self:
        if self.secret_env is None and self.secret_file is None:
            raise ValueError("needs either secret_env or secret_file")
        return self

    @property
    def header_value(self) -> SecretStr:
        """What the header must hold. Raises ConfigError as ``secret`` does."""
        assert self.secret is not None
        value = self.secret.get_secret_value()
        return SecretStr(f"Bearer {value}" if self.header.lower() == "authorization" else value)
