"""Reading config.toml: every fault at once, relative paths counted from its own folder."""

import os
import tomllib
from pathlib import Path

from pydantic import SecretStr, ValidationError

from adapter.errors import ConfigError, Fault
from adapter.settings.portal import EmbeddedPortal, RemotePortal
from adapter.settings.practice import Settings
from adapter.settings.sections import FolderMail, SmtpMail

CONFIG_ENV = "ADAPTER_CONFIG"
DEFAULT_CONFIG = Path("config.toml")


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
        raise ConfigError(
            [Fault(file=str(path), key="file", problem="does not exist.", remedy="Run `adapter init` to write one.")]
        ) from None
    except (OSError, UnicodeDecodeError):
        raise ConfigError(
            [
                Fault(
                    file=str(path),
                    key="file",
                    problem="cannot be read as UTF-8 text.",
                    remedy="Check the path and its permissions.",
                )
            ]
        ) from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(
            [Fault(file=str(path), key="syntax", problem=f"{error}.", remedy="Correct the TOML at that place.")]
        ) from None
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
            faults.append(
                Fault(
                    file=file,
                    key=key,
                    problem="is not a known key.",
                    remedy="Check the spelling against config.example.toml.",
                )
            )
        elif item["type"] == "missing":
            faults.append(
                Fault(file=file, key=key, problem="is missing.", remedy="Add it; config.example.toml shows it.")
            )
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
        paths = {key: value for key, value in practice.ehr if isinstance(value, Path)}
        ehr = practice.ehr.model_copy(update={key: file(path) for key, path in paths.items()})
        portal = _anchored_portal(practice.portal, folder)
        push = practice.push
        if push is not None and push.secret_file:
            push = push.model_copy(update={"secret_file": file(push.secret_file)})
        registration = practice.registration
        if registration.secret_file:
            registration = registration.model_copy(update={"secret_file": file(registration.secret_file)})
        authorities = file(practice.authority_file) if practice.authority_file else None
        updates: dict[str, object] = {"ehr": ehr, "portal": portal, "push": push, "authority_file": authorities}
        updates["registration"] = registration
        own: dict[str, object] = {"texts": file(practice.mail.texts)} if practice.mail.texts else {}
        if dkim := practice.mail.dkim:
            own["dkim"] = dkim.model_copy(update={"private_key_file": file(dkim.private_key_file)})
        updates["mail"] = practice.mail.model_copy(update=own)
        practices.append(practice.model_copy(update=updates))
    mail: FolderMail | SmtpMail
    if isinstance(settings.mail, FolderMail):
        mail = settings.mail.model_copy(update={"path": file(settings.mail.path)})
    elif settings.mail.password_file:
        mail = settings.mail.model_copy(update={"password_file": file(settings.mail.password_file)})
    else:
        mail = settings.mail
    store = settings.store.model_copy(
        update={"url": _anchored_url(settings.store.url, folder), "key_file": file(settings.store.key_file)}
    )
    web = settings.web
    if web.metrics is not None and web.metrics.secret_file:
        metrics = web.metrics.model_copy(update={"secret_file": file(web.metrics.secret_file)})
        web = web.model_copy(update={"metrics": metrics})
    vendors = tuple(
        vendor.model_copy(update={"jwks_file": file(vendor.jwks_file)}) if vendor.jwks_file else vendor
        for vendor in settings.vendor
    )
    box = settings.bounces
    paths = {key: value for key in ("maildir", "imap_password_file", "secret_file") if (value := getattr(box, key))}
    bounces = box.model_copy(update={key: file(path) for key, path in paths.items()})
    updated = {"practice": tuple(practices), "mail": mail, "store": store, "vendor": vendors, "web": web}
    return settings.model_copy(update=updated | {"bounces": bounces})


def _anchored_portal(portal: EmbeddedPortal | RemotePortal, folder: Path) -> EmbeddedPortal | RemotePortal:
    updates: dict[str, object] = {key: folder / value for key, value in portal if isinstance(value, Path)}
    if isinstance(portal, EmbeddedPortal) and portal.store_url is not None:
        updates["store_url"] = _anchored_url(portal.store_url, folder)
    return portal.model_copy(update=updates)


def _anchored_url(url: SecretStr, folder: Path) -> SecretStr:
    prefix = "sqlite:///"
    text = url.get_secret_value()
    if text.startswith(prefix) and not text.startswith(prefix + "/") and text != prefix + ":memory:":
        return SecretStr(prefix + str(folder / text.removeprefix(prefix)))
    return url
