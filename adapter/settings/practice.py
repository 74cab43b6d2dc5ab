"""The tables of config.toml about one practice: its policy, its merchant, and how they hang together."""

from pathlib import Path
from typing import Annotated, Literal, Self

import msgspec
from pydantic import Field, model_validator

from adapter.core.facts import Authority, Role
from adapter.core.policy import DEFAULT_ROLES, Access, Band, Brakes, Limit, Policy
from adapter.settings.bounces import BounceSettings
from adapter.settings.ehr import FhirEhr, FilesEhr
from adapter.settings.portal import EmbeddedPortal, PortalSettings
from adapter.settings.practice_mail import PracticeMailSettings
from adapter.settings.registration import RegistrationSettings
from adapter.settings.sections import (
    FolderMail,
    Name,
    Section,
    SmtpMail,
    StoreSettings,
    TimeZone,
)
from adapter.settings.vendors import VendorSettings
from adapter.settings.web import AlertSettings, PushSettings, WebSettings

_PRINTABLE = r"^[^\x00-\x1f\x7f<>]+$"


class BandSettings(Section):
    """One age band."""

    from_age: int = Field(alias="from", ge=0, le=150)
    access: Access


class LimitSettings(Section):
    """How many changes of one kind are ordinary; see ``adapter.core.policy.Limit``."""

    count: int = Field(ge=0)
    percent: float = Field(ge=0, le=100)
    week_count: int = Field(ge=0)
    week_percent: float = Field(ge=0, le=100)


def _limit(default: Limit) -> LimitSettings:
    return LimitSettings.model_validate(msgspec.structs.asdict(default))


class BrakeSettings(Section):
    """More changes of one kind than this wait for a human."""

    revocation: LimitSettings = _limit(Brakes().revocation)
    grant: LimitSettings = _limit(Brakes().grant)
    welcome: LimitSettings = _limit(Brakes().welcome)
    address_change: LimitSettings = _limit(Brakes().address_change)


class PolicySettings(Section):
    """The practice's rules; see ``adapter.core.policy.Policy`` for what each one does."""

    hold_first_welcome: bool = True
    allowed_roles: frozenset[Role] = DEFAULT_ROLES
    authority_when_unknown: dict[Role, Literal["joint"]] = Field(default_factory=dict)
    bands: tuple[BandSettings, ...] = (
        BandSettings.model_validate({"from": 0, "access": "full"}),
        BandSettings.model_validate({"from": 18, "access": "none"}),
    )
    own_email_from_age: int = Field(default=0, ge=0, le=150)
    welcome_link_hours: int = Field(default=48, ge=1, le=24 * 30)
    widget_late_minutes: int = Field(default=60, ge=15, le=7 * 24 * 60)
    republish_drift: bool = False
    repair_portal: bool = False
    brakes: BrakeSettings = BrakeSettings()
    release_needs_two: bool = False
    release_days: int = Field(default=7, ge=1, le=90)

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
        plain = self.model_dump(exclude={"bands", "authority_when_unknown", "brakes"})
        return Policy(
            **plain,
            bands=tuple(Band(band.from_age, band.access) for band in self.bands),
            authority_when_unknown={role: Authority(value) for role, value in self.authority_when_unknown.items()},
            brakes=msgspec.convert(self.brakes.model_dump(), Brakes),
        )


class WarningText(Section):
    """The warning in the portal's Billing section: text only, English and Spanish."""

    level: Literal["info", "warning", "alert"] = "info"
    en: str = Field(min_length=1, max_length=500)
    es: str | None = Field(default=None, min_length=1, max_length=500)


class PageSettings(Section):
    """What parents see for payments: a widget on the portal's home page, a Billing warning, or both."""

    vendor: Name | None = None
    """``vendors/<name>.toml``; without one there is only the warning."""
    title: str | None = Field(default=None, min_length=1, max_length=80)
    """The vendor's usual title when left out."""
    title_es: str | None = Field(default=None, min_length=1, max_length=80)
    link: str | None = Field(default=None, max_length=2000)
    allowed_hosts: tuple[str, ...] = ()
    warning: WarningText | None = None


class OrganizationMerchant(PageSettings):
    """The merchant of one Organization of a practice with several, instead of the practice's own."""

    id: str = Field(min_length=1, max_length=200, pattern=_PRINTABLE)
    """As the charts name it: ``Organization/<id>``, or ``system|value``."""
    name: str = Field(default="", max_length=120, pattern=_PRINTABLE + "|^$")


class MerchantSettings(PageSettings):
    """The practice's merchant, and those of its Organizations."""

    organization: tuple[OrganizationMerchant, ...] = ()

    @model_validator(mode="after")
    def _organizations_are_told_apart(self) -> Self:
        ids = [one.id for one in self.organization]
        if len(ids) != len(set(ids)):
            raise ValueError("two [[practice.merchant.organization]] tables have the same id")
        return self


class PracticeSettings(Section):
    """One tenant: one EHR, one portal, one policy, one merchant."""

    id: Name
    name: str = Field(min_length=1, max_length=120)
    mapping: Name = "family-contacts"
    authority_file: Path | None = None
    schedule: Name = "default"
    time_zone: TimeZone = "UTC"
    language: Literal["en", "es"] = "en"
    """Language of mail to a contact whose own language is not known."""
    mail_from: str = "no-reply@portal.example"
    phone: str = Field(default="", max_length=40)
    """Shown in mails as the number to call with questions."""
    ehr: Annotated[FilesEhr | FhirEhr, Field(discriminator="kind")]
    portal: PortalSettings = EmbeddedPortal()
    mail: PracticeMailSettings = PracticeMailSettings()
    registration: RegistrationSettings = RegistrationSettings()
    policy: PolicySettings = PolicySettings()
    merchant: MerchantSettings | None = None
    push: PushSettings | None = None
    alerts: AlertSettings = AlertSettings()

    @model_validator(mode="after")
    def _somebody_can_push(self) -> Self:
        if self.push is not None and isinstance(self.ehr, FilesEhr):
            raise ValueError('push needs [practice.ehr] kind = "fhir": a folder of files notifies nobody')
        return self


class Settings(Section):
    """The whole of config.toml."""

    store: StoreSettings = StoreSettings()
    mail: Annotated[FolderMail | SmtpMail, Field(discriminator="kind")] = FolderMail()
    bounces: BounceSettings = BounceSettings()
    web: WebSettings = WebSettings()
    practice: tuple[PracticeSettings, ...]
    vendor: tuple[VendorSettings, ...] = ()

    @model_validator(mode="after")
    def _practices_are_told_apart(self) -> Self:
        ids = [practice.id for practice in self.practice]
        if not ids:
            raise ValueError("there is no [[practice]] table")
        if len(ids) != len(set(ids)):
            raise ValueError("two practices have the same id")
        return self

    @model_validator(mode="after")
    def _vendors_read_practices_that_exist(self) -> Self:
        ids = {practice.id for practice in self.practice}
        unknown = sorted({name for vendor in self.vendor for name in vendor.practices} - ids)
        if unknown:
            raise ValueError(f"a vendor names a practice that does not exist: {', '.join(unknown)}")
        clients = [vendor.client_id for vendor in self.vendor]
        if len(clients) != len(set(clients)):
            raise ValueError("two vendors have the same client_id")
        return self
