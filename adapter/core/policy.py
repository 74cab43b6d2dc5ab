"""The practice's policy: every switch of the rules, each with its default."""

from enum import StrEnum

import msgspec

from adapter.core.facts import Authority, Role


class Access(StrEnum):
    """How much of a chart a grant opens."""

    FULL = "full"
    LIMITED = "limited"
    NONE = "none"


class Band(msgspec.Struct, frozen=True):
    """From this age (whole years, by the earliest possible birth date) this access."""

    from_age: int
    access: Access


class Limit(msgspec.Struct, frozen=True):
    """How many changes of one kind are ordinary: ``count``, or ``percent`` of what there is, whichever is more.

    The first two hold for one run and for any 24 hours, the other two for any 7 days.
    """

    count: int
    percent: float
    week_count: int
    week_percent: float


class Brakes(msgspec.Struct, frozen=True):
    """The limit of each kind. Field names are the keys of ``[practice.policy.brakes]``."""

    revocation: Limit = Limit(5, 2, 5, 5)
    """Of the charts that are open."""
    grant: Limit = Limit(25, 10, 50, 20)
    """Of the charts that are open."""
    welcome: Limit = Limit(25, 10, 50, 20)
    """Of the accounts."""
    address_change: Limit = Limit(5, 2, 5, 5)
    """Of the accounts."""


DEFAULT_ROLES = frozenset(Role) - {Role.SELF, Role.OTHER, Role.UNKNOWN}


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """What one practice decided. Field names are the keys of ``[practice.policy]`` in config.toml."""

    hold_first_welcome: bool = True
    """Hold every Welcome email until an admin releases the practice's first run."""
    allowed_roles: frozenset[Role] = DEFAULT_ROLES
    """Roles that may hold a grant when the Authority allows it."""
    authority_when_unknown: dict[Role, Authority] = {}
    """Joint Authority to assume by role when the chart states none. Empty: never guess. Exclusive is never assumed."""
    bands: tuple[Band, ...] = (Band(0, Access.FULL), Band(18, Access.NONE))
    """Access by the patient's age; ascending, and never wider at a higher age."""
    own_email_from_age: int = 0
    """From this age an address in the patient's own record counts as the patient's own mailbox."""
    welcome_link_hours: int = 48
    """How long the link in a Welcome email works."""
    widget_late_minutes: int = 60
    """When a published widget that is not live yet becomes a finding."""
    republish_drift: bool = False
    """Publish our widget again when somebody changed it in the portal."""
    repair_portal: bool = False
    """Put back what is missing or different in the portal. What it opens too much is taken away in any case."""
    brakes: Brakes = Brakes()
    """More changes of one kind than this wait for a human."""
    release_needs_two: bool = False
    """Whether two different people have to release what a brake holds."""
    release_days: int = 7
    """How long what a brake holds can be released; then it is decided anew."""
