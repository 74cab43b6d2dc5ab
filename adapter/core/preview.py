"""What the portal will show of a widget, in one language: for the command line and for pages that draw it."""

from typing import Any, Literal
from urllib.parse import urlsplit

from adapter.core.merchant import Merchant
from adapter.core.vendors import Vendor
from adapter.core.widget import Level, Widget

Language = Literal["en", "es"]
LOOKS = {Level.INFO: "blue", Level.WARNING: "yellow", Level.ALERT: "red"}
"""How a Billing warning looks; that an alert is red is the portal's own rule."""


def preview(merchant: Merchant, language: Language) -> list[dict[str, Any]]:
    """What each page of a practice will show, the practice's own first.

    Each: ``organization`` and ``name`` (None for the practice's own), ``home`` (None, or title, vendor, link, host;
    link and host are None where the portal itself opens the vendor) and ``billing`` (None, or level, look, text).
    A warning without Spanish words is shown in English.
    """
    return [drawn(merchant, organization, widget, language) for organization, widget in sorted(merchant.pages.items())]


def drawn(merchant: Merchant, organization: str, widget: Widget | None, language: Language) -> dict[str, Any]:
    """One page as ``preview`` shows it, whatever the settings say it is."""
    return {
        "organization": organization or None,
        "name": merchant.name_of(organization) or None,
        "home": home(widget, language, merchant.vendors.get(widget.vendor)) if widget else None,
        "billing": billing(widget, language) if widget else None,
    }


def home(widget: Widget, language: Language, vendor: Vendor | None) -> dict[str, Any] | None:
    """The widget on the home page; None where there is only a warning."""
    if not widget.has_tile:
        return None
    return {
        "title": widget.title_es if language == "es" else widget.title,
        "vendor": vendor.name if vendor else widget.vendor,
        "link": widget.link or None,
        "host": urlsplit(widget.link).hostname,
    }


def billing(widget: Widget, language: Language) -> dict[str, Any] | None:
    """The warning in the Billing section; None where there is none."""
    warning = widget.warning
    if warning is None:
        return None
    text = warning.es if language == "es" and warning.es else warning.en
    return {"level": warning.level, "look": LOOKS[warning.level], "text": text}
