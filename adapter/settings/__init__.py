"""config.toml as one typed value: every key with its default, every fault reported at once."""

from adapter.settings.ehr import FhirEhr, FilesEhr
from adapter.settings.load import CONFIG_ENV, config_path, load_settings
from adapter.settings.portal import EmbeddedPortal, FhirPortal, HttpPortal, RemotePortal, ScimPortal
from adapter.settings.practice import MerchantSettings, PolicySettings, PracticeSettings, Settings, WarningText
from adapter.settings.sections import FolderMail, SmtpMail, StoreSettings
from adapter.settings.vendors import VendorSettings
from adapter.settings.web import PushSettings, WebSettings

__all__ = [
    "CONFIG_ENV",
    "EmbeddedPortal",
    "FhirEhr",
    "FhirPortal",
    "FilesEhr",
    "FolderMail",
    "HttpPortal",
    "MerchantSettings",
    "PolicySettings",
    "PracticeSettings",
    "PushSettings",
    "RemotePortal",
    "ScimPortal",
    "Settings",
    "SmtpMail",
    "StoreSettings",
    "VendorSettings",
    "WarningText",
    "WebSettings",
    "config_path",
    "load_settings",
]
