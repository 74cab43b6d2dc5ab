"""config.toml as one typed value: every key with its default, every fault reported at once."""

import os
import tomllib
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, ValidationError, model_validator

from adapter.core.facts import Authority, Role
from adapter.core.policy import DEFAULT_ROLES, Access, Band, Policy
from adapter.errors import ConfigError, Fault

CONFIG_ENV = "ADAPTER_CONFIG"
DEFAULT_CONFIG = Path("config.toml")
LOOPBACK = ("127.0.0.1", "localhost", "::1")


def _https_or_loopback(url: str) -> str:
    parts = urlsplit(url)
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

    model_config = ConfigDict(extra="forbid", frozen=True)


class SecretSection(Section):
    """A table whose secrets come from the environment or from a file, never from config.toml itself."""

    def read_secret(self, *, env: str | None, file: Path | None) -> SecretStr | None:
        """The secret named by an environment variable or a file; None when neither is set.

        Raises ConfigError when the variable is empty or the file cannot be read.
        """
        if env is not None:
            value = os.environ.get(env, "").strip()
            if not value:
                raise ConfigError([Fault(file="environment", key=env, problem="is not set.", remedy="Set it, then try again.")])
            return SecretStr(value)
        if file is not None:
            try:
                return SecretStr(file.read_text(encoding="utf-8").strip())
            except (OSError, UnicodeDecodeError):
                raise ConfigError(
                    [Fault(file=str(file), key="secret", problem="cannot be read.", remedy="Check the path and its permissions.")]
                ) from None
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

    @model_validator(mode="after")
    def _plain_only_on_this_machine(self) -> Self:
        if self.security == "none" and self.host not in LOOPBACK:
            raise ValueError('security = "none" sends mail unencrypted and is allowed on this machine only; use "starttls" or "tls"')
        return self

    @property
    def password(self) -> SecretStr | None:
        return self.read_secret(env=self.password_env, file=self.password_file)


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
    max_body_megabytes: int = Field(default=64, ge=1, le=1024)

    @model_validator(mode="after")
    def _token_where_needed(self) -> Self:
        if self.auth == "bearer" and not (self.token_env or self.token_file):
            raise ValueError('auth = "bearer" needs token_env or token_file')
        return self

    @property
    def token(self) -> SecretStr | None:
        return self.read_secret(env=self.token_env, file=self.token_file) if self.auth == "bearer" else None


class EmbeddedPortal(Section):
    """The portal that comes with the adapter: a directory of accounts, grants and home pages in its own tables."""

    kind: Literal["embedded"] = "embedded"
    registration_url: WebUrl = "https://portal.example/register"
    store_url: SecretStr | None = None
    """Where the portal keeps its tables; the adapter's own database when left out."""
    show_after_minutes: int = Field(default=15, ge=0, le=24 * 60)
    """How long the portal takes to show a published widget."""


class BandSettings(Section):
    """One age band."""

    from_age: int = Field(alias="from", ge=0, le=150)
    access: Access


class PolicySettings(Section):
    """The practice's rules; see ``adapter.core.policy.Policy`` for what each one does."""

    hold_first_welcome: bool = True
    allowed_roles: frozenset[Role] = DEFAULT_ROLES
    authority_when_unknown: dict[Role, Literal["joint", "exclusive"]] = {}
    bands: tuple[BandSettings, ...] = (
        BandSettings.model_validate({"from": 0, "access": "full"}),
        BandSettings.model_validate({"from": 18, "access": "none"}),
    )
    own_email_from_age: int = Field(default=0, ge=0, le=150)
    welcome_link_hours: int = Field(default=48, ge=1, le=24 * 30)
    widget_late_minutes: int = Field(default=60, ge=15, le=7 * 24 * 60)
    republish_drift: bool = False

    @model_validator(mode="after")
    def _bands_never_widen(self) -> Self:
        order = [Access.FULL, Access.LIMITED, Access.NONE]
        ages = [band.from_age for band in self.bands]
        widths = [order.index(band.access) for band in self.bands]
        if not ages or ages[0] != 0 or ages != sorted(set(ages)):
            raise ValueError("bands must start at age 0 and go up, each age once")
        if widths != sorted(widths):
            raise ValueError("bands must not open more of the chart at a higher age: full, then limited, then none")
        return self

    @model_validator(mode="after")
    def _roles_make_sense(self) -> Self:
        if Role.SELF in self.allowed_roles or Role.UNKNOWN in self.allowed_roles:
            raise ValueError('allowed_roles must not list "self" or "unknown": neither can ever hold a grant')
        return self

    def to_policy(self) -> Policy:
        """The same switches as the core reads them."""
        plain = self.model_dump(exclude={"bands", "authority_when_unknown"})
        return Policy(
            **plain,
            bands=tuple(Band(band.from_age, band.access) for band in self.bands),
            authority_when_unknown={role: Authority(value) for role, value in self.authority_when_unknown.items()},
        )


class WarningText(Section):
    """The warning in the portal's Billing section: text only, English and Spanish."""

    level: Literal["info", "warning", "alert"] = "info"
    en: str = Field(min_length=1, max_length=500)
    es: str | None = Field(default=None, min_length=1, max_length=500)


class MerchantSettings(Section):
    """The practice's payment widget on the portal's home page."""

    vendor: Literal["instamed", "url"]
    title: str | None = Field(default=None, min_length=1, max_length=80)
    """The vendor's usual title when left out."""
    title_es: str | None = Field(default=None, min_length=1, max_length=80)
    link: str | None = Field(default=None, max_length=2000)
    allowed_hosts: tuple[str, ...] = ()
    warning: WarningText | None = None


class PracticeSettings(Section):
    """One tenant: one EHR, one portal, one policy, one merchant."""

    id: Name
    name: str = Field(min_length=1, max_length=120)
    mapping: Name = "family-contacts"
    schedule: Name = "default"
    time_zone: TimeZone = "UTC"
    language: Literal["en", "es"] = "en"
    """Language of mail to a contact whose own language is not known."""
    mail_from: str = "no-reply@portal.example"
    phone: str = Field(default="", max_length=40)
    """Shown in mails as the number to call with questions."""
    ehr: Annotated[FilesEhr | FhirEhr, Field(discriminator="kind")]
    portal: EmbeddedPortal = EmbeddedPortal()
    policy: PolicySettings = PolicySettings()
    merchant: MerchantSettings | None = None


class Settings(Section):
    """The whole of config.toml."""

    store: StoreSettings = StoreSettings()
    mail: Annotated[FolderMail | SmtpMail, Field(discriminator="kind")] = FolderMail()
    practice: tuple[PracticeSettings, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _practice_ids_differ(self) -> Self:
        ids = [practice.id for practice in self.practice]
        if len(ids) != len(set(ids)):
            raise ValueError("two practices have the same id")
        return self


def config_path(given: Path | None) -> Path:
    """The configuration to use: ``--config``, else ``$ADAPTER_CONFIG``, else ``./config.toml``."""
    return given or Path(os.environ.get(CONFIG_ENV) or DEFAULT_CONFIG)


def load_settings(path: Path) -> Settings:
    """Reads and checks one configuration file; relative paths in it count from its own folder.

    Raises ConfigError listing every fault with its key and remedy.
    """
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError([Fault(file=str(path), key="file", problem="does not exist.", remedy="Run `adapter init` to write one.")]) from None
    except (OSError, UnicodeDecodeError):
        raise ConfigError([Fault(file=str(path), key="file", problem="cannot be read as UTF-8 text.", remedy="Check the path and its permissions.")]) from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError([Fault(file=str(path), key="syntax", problem=f"{error}.", remedy="Correct the TOML at that place.")]) from None
    try:
        settings = Settings.model_validate(data)
    except ValidationError as error:
        raise ConfigError(faults_of(error, file=str(path))) from None
    return _anchored(settings, path.resolve().parent)


def faults_of(error: ValidationError, *, file: str) -> list[Fault]:
    """Pydantic's complaints as faults: key path, what was wrong, what was expected. Never the value itself."""
    faults = []
    for item in error.errors(include_url=False, include_context=False, include_input=False):
        key = ".".join(str(part) for part in item["loc"]) or "file"
        if item["type"] == "extra_forbidden":
            faults.append(Fault(file=file, key=key, problem="is not a known key.", remedy="Check the spelling against config.example.toml."))
        elif item["type"] == "missing":
            faults.append(Fault(file=file, key=key, problem="is missing.", remedy="Add it; config.example.toml shows it."))
        else:
            message = item["msg"].removeprefix("Value error, ").rstrip(".")
            faults.append(Fault(file=file, key=key, problem=f"{message[:1].lower()}{message[1:]}.", remedy=""))
    return faults


def _anchored(settings: Settings, folder: Path) -> Settings:
    """The same settings with every relative path made absolute from the configuration's folder."""

    def file(path: Path) -> Path:
        return path if path.is_absolute() else folder / path

    practices = []
    for practice in settings.practice:
        ehr: FilesEhr | FhirEhr
        if isinstance(practice.ehr, FilesEhr):
            ehr = practice.ehr.model_copy(update={"path": file(practice.ehr.path)})
        elif practice.ehr.token_file:
            ehr = practice.ehr.model_copy(update={"token_file": file(practice.ehr.token_file)})
        else:
            ehr = practice.ehr
        portal = practice.portal
        if portal.store_url is not None:
            portal = portal.model_copy(update={"store_url": _anchored_url(portal.store_url, folder)})
        practices.append(practice.model_copy(update={"ehr": ehr, "portal": portal}))
    mail: FolderMail | SmtpMail
    if isinstance(settings.mail, FolderMail):
        mail = settings.mail.model_copy(update={"path": file(settings.mail.path)})
    elif settings.mail.password_file:
        mail = settings.mail.model_copy(update={"password_file": file(settings.mail.password_file)})
    else:
        mail = settings.mail
    store = settings.store.model_copy(update={"url": _anchored_url(settings.store.url, folder), "key_file": file(settings.store.key_file)})
    return settings.model_copy(update={"practice": tuple(practices), "mail": mail, "store": store})


def _anchored_url(url: SecretStr, folder: Path) -> SecretStr:
    prefix = "sqlite:///"
    text = url.get_secret_value()
    if text.startswith(prefix) and not text.startswith(prefix + "/") and text != prefix + ":memory:":
        return SecretStr(prefix + str(folder / text.removeprefix(prefix)))
    return url
