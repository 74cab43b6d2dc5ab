"""The adapter's own values: what an account, a grant and an effect are, and the states they can be in."""

from datetime import datetime
from enum import StrEnum

import msgspec

from adapter.core.facts import Authority, Role
from adapter.core.policy import Access


class GrantState(StrEnum):
    """Only ``active`` opens the chart."""

    ACTIVE = "active"
    HELD = "held"
    SUSPENDED = "suspended"
    ENDED = "ended"


class AccountStatus(StrEnum):
    """``pending``: no Welcome has left yet; ``invited``: one has; ``registered``: the parent set a password."""

    PENDING = "pending"
    INVITED = "invited"
    REGISTERED = "registered"
    SUSPENDED = "suspended"
    CLOSED = "closed"


class EffectKind(StrEnum):
    """What has to happen outside: an account put into the portal, a Welcome email, a notice, a home page."""

    ACCOUNT = "account"
    WELCOME = "welcome"
    NOTICE = "notice"
    WIDGET = "widget"


class EffectState(StrEnum):
    """``unknown``: it was being sent when the line dropped; only a human may send it again."""

    QUEUED = "queued"
    SENDING = "sending"
    SENT = "sent"
    UNKNOWN = "unknown"
    FAILED = "failed"
    CANCELLED = "cancelled"
    HELD = "held"


class WidgetState(StrEnum):
    """Where one revision of the home page stands."""

    QUEUED = "queued"
    PENDING = "pending"
    LIVE = "live"
    DRIFTED = "drifted"
    REPLACED = "replaced"


class Grant(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """An account may (or may not any more) open a chart, and why."""

    patient: str
    contact: str
    role: Role
    authority: Authority
    access: Access
    state: GrantState
    reason: str
    source: str
    is_self: bool = False
    until: datetime | None = None
    """When time alone ends access or makes it narrower; the portal itself opens nothing from then on."""
    organization: str = ""
    """Who keeps the chart, as ``Patient.organization``: its merchant is shown. It opens nothing."""


class Account(msgspec.Struct, frozen=True, gc=False):
    """One account as the store knows it now."""

    id: str
    email_key: str
    email: str
    name: str
    language: str
    status: AccountStatus
    grants: dict[str, Grant]
    """By patient reference."""
    welcome: EffectState | None = None
    """State of the latest Welcome email; None when there never was one."""
    generation: int = 0
    """How many Welcome emails there have been."""
    registered: bool = False
    registered_at: datetime | None = None


class Standing(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """An account beside its grants: whose it is and where it stands. What an action changes, and what it was before."""

    status: AccountStatus | None = None
    email: str = ""
    name: str = ""
    language: str = ""
    welcome: EffectState | None = None
    registered_at: datetime | None = None

    @classmethod
    def of(cls, account: Account) -> "Standing":
        return cls(
            account.status, account.email, account.name, account.language, account.welcome, account.registered_at
        )
