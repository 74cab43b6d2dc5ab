"""The patient portal as the adapter sees it: accounts with the charts they may open, and the practice's home page.

A portal is a foreign system. It knows only what was put into it, and what it shows is found out by reading it back.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, Protocol

from adapter.core.widget import Widget
from adapter.errors import DeliveryError


class PortalDependent(NamedTuple):
    """A chart that an account may open now. ``is_self``: the parent's own."""

    patient: str
    role: str
    authority: str
    access: str
    reason: str
    since: datetime
    is_self: bool = False


class PortalAccount(NamedTuple):
    """One account. ``key`` is the adapter's id of it and never changes, ``email`` is the username.

    An account that is not ``active`` opens nothing. ``registered_at`` is the portal's own: it is read back, and
    ignored when the account is put.
    """

    key: str
    email: str
    name: str
    active: bool
    status: str
    dependents: tuple[PortalDependent, ...] = ()
    registered_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class HomePage:
    """The payment widget on a practice's home page; None shows none. ``revision`` is 0 when the portal cannot tell."""

    practice: str
    revision: int
    widget: Widget | None


class Portal(Protocol):
    """One practice's portal. Every method raises RetriableError when the portal is not well.

    ``batch`` is how many accounts it takes in one call, well within a minute. Putting is replacing: a chart that is
    not among an account's dependents any more cannot be opened any more.
    """

    batch: int

    def put_accounts(self, batch: Sequence[PortalAccount]) -> dict[str, DeliveryError]:
        """Makes these accounts what they should be. Returns those it refused, by key, and why; the others are in."""
        ...

    def get_account(self, key: str) -> PortalAccount | None:
        """One account as the portal has it."""
        ...

    def accounts(self) -> Iterator[PortalAccount]:
        """Every account of the practice, by e-mail address."""
        ...

    def put_home(self, home: HomePage) -> None:
        """Publishes a home page. Returning means accepted, not shown. Raises DeliveryError when it was refused."""
        ...

    def get_home(self) -> HomePage | None:
        """The home page as parents see it now; None when none was ever shown."""
        ...

    def check(self) -> str:
        """One line on the portal, after looking that it answers."""
        ...
