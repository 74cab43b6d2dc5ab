"""The patient portal as the adapter sees it: accounts with the charts they may open, and the practice's home page.

A portal is a foreign system. It knows only what was put into it, and what it shows is found out by reading it back.
Each kind of portal is a folder beside this file, with the same file names: docs/portals.md.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, Protocol

from adapter.core.portal import PortalAccount, PortalDependent
from adapter.core.widget import Widget
from adapter.errors import DeliveryError

__all__ = ["HomePage", "Offers", "Portal", "PortalAccount", "PortalDependent", "Stranger", "Trial"]

Trial = tuple[str, Callable[[], str]]
"""A requirement, and what tries it: returns what is wrong, and nothing when it is met."""


@dataclass(frozen=True, kw_only=True)
class Offers:
    """What a portal can do beyond taking accounts. Nobody asks which kind of portal it is."""

    registration: bool = False
    """It tells who has registered."""
    home_page: bool = False
    """It shows a payment widget."""
    bulk: bool = False
    """It takes many accounts in one request."""
    until: bool = False
    """It closes a chart by itself at the moment that came with it."""
    strangers: bool = False
    """It may have accounts that the adapter did not make."""


class Stranger(NamedTuple):
    """An account that the adapter did not make. ``handle`` is the portal's own id of it; the account has no key."""

    handle: str
    account: PortalAccount


@dataclass(frozen=True, kw_only=True)
class HomePage:
    """The payment widget on a practice's home page; None shows none. ``revision`` is 0 when the portal cannot tell.

    With an ``organization`` it is what accounts with dependents there see instead of the practice's own; None shows
    them the practice's own again.
    """

    practice: str
    revision: int
    widget: Widget | None
    organization: str = ""


class Portal(Protocol):
    """One practice's portal. Every method raises RetriableError when the portal is not well.

    ``batch`` is how many accounts it takes in one call, well within a minute. Putting is replacing: a chart that is
    not among an account's dependents any more cannot be opened any more. All accounts are those that the adapter made;
    what else there is in the portal is never touched.
    """

    batch: int

    @property
    def offers(self) -> Offers:
        """What it can do."""
        ...

    def put_accounts(
        self, batch: Sequence[PortalAccount], *, new: Collection[str] = frozenset()
    ) -> dict[str, DeliveryError]:
        """Makes these accounts what they should be. Returns those it refused, by key, and why; the others are in.

        ``new`` are the keys of which no delivery has succeeded yet: most likely the portal does not know them.
        """
        ...

    def shut(self, key: str) -> None:
        """The account opens nothing any more; nothing else of it changes. One that is not there is left alone."""
        ...

    def get_accounts(self, keys: Collection[str]) -> dict[str, PortalAccount]:
        """These accounts as the portal has them, by key; those that are not there are left out."""
        ...

    def accounts(self) -> Iterator[PortalAccount]:
        """Every account of the practice. Read page by page; ends early only by raising."""
        ...

    def strangers(self) -> Iterator[Stranger]:
        """Every account that no adapter has made; nothing, where there can be none."""
        ...

    def adopt(self, handle: str, key: str) -> None:
        """From now on this stranger is the account of that key; nothing else of it changes.

        Raises DeliveryError when it is not a stranger any more.
        """
        ...

    def remove(self, key: str) -> None:
        """The account is gone, as if it never was: for accounts that were made to try the portal."""
        ...

    def kept(self, account: PortalAccount) -> PortalAccount:
        """What the portal would show of this account, had it just been put: without what it has no place for."""
        ...

    def put_home(self, home: HomePage) -> None:
        """Publishes a home page. Returning means accepted, not shown. Raises DeliveryError when it was refused."""
        ...

    def get_home(self, organization: str = "") -> HomePage | None:
        """The home page of the practice, or of one of its Organizations, as parents see it now; None: never shown."""
        ...

    def trust_clock(self, now: datetime) -> None:
        """A human says that this is the time, although a later one was seen: for a portal that goes by our clock."""
        ...

    def trials(self, account: PortalAccount) -> Iterator[Trial]:
        """What this kind of portal has to do beyond what all have, to be tried on an account that it has just now."""
        ...

    def check(self) -> str:
        """One line on the portal, after looking that it answers."""
        ...
