"""What a portal knows of one account, and how what it shows differs from what was decided."""

from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from adapter.core.policy import Access
from adapter.core.until import WIDTH, still_open

_WORDS = frozenset(Access)


class PortalDependent(NamedTuple):
    """A chart that an account may open. ``is_self``: the parent's own. From ``until`` on it opens nothing.

    ``organization`` keeps the chart, empty when nobody says; the account sees that one's payment widget.
    """

    patient: str
    role: str
    authority: str
    access: str
    reason: str
    since: datetime | None
    is_self: bool = False
    until: datetime | None = None
    organization: str = ""


class PortalAccount(NamedTuple):
    """One account. ``key`` is the adapter's id of it and never changes, ``email`` is the username.

    An account that is not ``active`` opens nothing. The fields from ``registered_at`` on are the portal's own: they
    are read back, and ignored when the account is put.
    """

    key: str
    email: str
    name: str
    active: bool
    status: str
    dependents: tuple[PortalDependent, ...] = ()
    language: str = ""
    registered_at: datetime | None = None
    locked: bool = False
    last_sign_in: datetime | None = None


class DriftKind(StrEnum):
    """How an account in the portal differs from what was decided; the gravest first."""

    EXTRA = "portal-extra"
    """It opens more than was decided."""
    ORPHAN = "portal-orphan"
    """It is one of ours, and nothing was ever decided about it."""
    MISSING = "portal-missing"
    """It is not there, or opens less than was decided."""
    CHANGED = "portal-changed"
    """Something else of it is different."""


class Drift(NamedTuple):
    """One account that differs, and the charts or fields in which it does."""

    kind: DriftKind
    where: tuple[str, ...]


def opened(account: PortalAccount, now: datetime) -> dict[str, PortalDependent]:
    """The charts that this account opens at this moment, by patient."""
    if not account.active:
        return {}
    return {one.patient: one for one in account.dependents if _width(one) and still_open(one.until, now)}


def compare(wanted: PortalAccount, found: PortalAccount | None, now: datetime) -> Drift | None:
    """The gravest difference between an account as it was decided and as the portal has it; None when there is none."""
    decided = opened(wanted, now)
    if found is None:
        return Drift(DriftKind.MISSING, tuple(sorted(decided)))
    shown = opened(found, now)
    if extra := _wider(shown, decided):
        return Drift(DriftKind.EXTRA, extra)
    if missing := _wider(decided, shown):
        return Drift(DriftKind.MISSING, missing)
    fields = [name for name in ("name", "active") if getattr(wanted, name) != getattr(found, name)]
    fields += ["email"] if wanted.email.casefold() != found.email.casefold() else []
    fields += sorted(patient for patient in decided if _plain(decided[patient]) != _plain(shown[patient]))
    return Drift(DriftKind.CHANGED, tuple(fields)) if fields else None


def opens_more(found: PortalAccount, wanted: PortalAccount, now: datetime) -> bool:
    """Whether the portal opens anything that was not decided, or opens it wider or longer."""
    return bool(_wider(opened(found, now), opened(wanted, now)))


def _wider(a: dict[str, PortalDependent], b: dict[str, PortalDependent]) -> tuple[str, ...]:
    """The charts that ``a`` opens and ``b`` does not, or not as wide, or not as long."""
    return tuple(sorted(patient for patient, one in a.items() if patient not in b or _beyond(one, b[patient])))


def _beyond(one: PortalDependent, other: PortalDependent) -> bool:
    if _width(one) > _width(other):
        return True
    return other.until is not None and (one.until is None or one.until > other.until)


def _width(one: PortalDependent) -> int:
    """How much it opens. A word that nobody knows counts as the most."""
    return WIDTH[Access(one.access)] if one.access in _WORDS else WIDTH[Access.FULL]


def _plain(one: PortalDependent) -> PortalDependent:
    """Without what may differ and means nothing: since when, by the portal's own reckoning."""
    return one._replace(since=None)
