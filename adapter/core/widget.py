"""What the portal's home page and its Billing section show for payments: one value, its canonical text and its hash."""

import hashlib
from collections.abc import Iterable, Mapping
from enum import StrEnum

import msgspec

OWN = ""
"""Stands for the practice itself, where a page may also be that of one of its Organizations."""


class Level(StrEnum):
    """How a Billing warning looks. ``alert`` shows red."""

    INFO = "info"
    WARNING = "warning"
    ALERT = "alert"


class BillingWarning(msgspec.Struct, frozen=True):
    """A message in the portal's Billing section, text only. ``es`` is empty when there is no Spanish."""

    level: Level
    en: str
    es: str = ""


class Widget(msgspec.Struct, frozen=True):
    """What parents are shown: a widget that leads to the payment page, a Billing warning, or both.

    ``link`` is empty when the vendor needs none. A warning alone has neither vendor nor title.
    """

    vendor: str
    title: str
    title_es: str
    link: str = ""
    warning: BillingWarning | None = None

    @property
    def has_tile(self) -> bool:
        """Whether there is something to click on; without it there is only the warning."""
        return bool(self.vendor)


Pages = Mapping[str, Widget | None]
"""What a practice's merchant settings ask for: by Organization as the charts name it, its own under ``OWN``."""


def widget_json(widget: Widget | None) -> str:
    """Canonical JSON: the same widget is the same text, always. ``null`` is a home page without a payment widget."""
    return msgspec.json.encode(widget, order="deterministic").decode()


def widget_from_json(text: str) -> Widget | None:
    """The inverse of ``widget_json``. Raises msgspec.ValidationError when the text is not a widget."""
    return msgspec.json.decode(text, type=Widget | None)


def widget_hash(widget: Widget | None) -> str:
    """sha-256 of the canonical JSON, in hex."""
    return hashlib.sha256(widget_json(widget).encode()).hexdigest()


def pages_for(organizations: Iterable[str], pages: Pages) -> list[tuple[str, Widget]]:
    """What one account sees: the page of each Organization that has one among its dependents', else the practice's.

    ``organizations`` are those of the account's open charts, ``OWN`` for a chart that names none. Each page comes
    once, the practice's own first; a page that shows nothing is left out.
    """
    wanted = {organization if pages.get(organization) else OWN for organization in organizations} or {OWN}
    return [(one, widget) for one in sorted(wanted) if (widget := pages.get(one)) is not None]
