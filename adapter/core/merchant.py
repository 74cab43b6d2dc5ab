"""From a practice's merchant settings to what is shown, or to everything that is wrong with them."""

import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from adapter.core.vendors import Vendor
from adapter.core.widget import OWN, BillingWarning, Level, Pages, Widget

TITLE_LENGTH = 80
TEXT_LENGTH = 500
LINK_LENGTH = 2000
_HOST = re.compile(r"(?=.{4,253}\Z)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)+\Z")
_ADDRESS = re.compile(r"(?:\b[a-z][a-z0-9+.-]*://|\bwww\.|\b(?:javascript|data|vbscript|file):)\S*", re.IGNORECASE)
_AFTER_A_SENTENCE = ".,;:!?)\"'»"
# Letters and marks that show nothing or a blank although Unicode does not call them invisible.
_BLANKS = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
_MARKS = 3
"""More accents than this on one letter are no language: they paint over the lines above and below."""


class WidgetFault(NamedTuple):
    """One thing wrong in ``[practice.merchant]``: the key below it, and the problem."""

    key: str
    problem: str


@dataclass(frozen=True, kw_only=True)
class Merchant:
    """A practice's merchant settings, read: what each page shows, and what may ever be shown there."""

    practice: str
    pages: Pages
    vendors: Mapping[str, Vendor]
    names: Mapping[str, str] = field(default_factory=dict)
    """What people call each Organization."""
    allowed: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """The ``allowed_hosts`` of each page."""

    def name_of(self, organization: str) -> str:
        """What people call an Organization; empty for the practice itself."""
        return self.names.get(organization, organization)

    def objections(self, organization: str, widget: Widget | None) -> list[WidgetFault]:
        """What today's settings have against showing this widget, made on an earlier day, on that page."""
        if widget is None:
            return []
        allowed = self.allowed.get(organization, self.allowed.get(OWN, ()))
        vendor = self.vendors.get(widget.vendor)
        return widget_faults(widget, (*allowed, *vendor.hosts) if allowed and vendor else allowed, self.vendors)


def read_widget(merchant: Mapping[str, Any], vendors: Mapping[str, Vendor]) -> Widget | list[WidgetFault]:
    """What a practice's merchant settings describe, or everything that is wrong with them.

    ``merchant`` has the keys of ``[practice.merchant]``: vendor, title, title_es, link, allowed_hosts and warning
    (level, en, es); a missing key, None and "" mean the vendor's default. Without a vendor there is only the warning.
    """
    if not merchant.get("vendor"):
        return _warning_alone(merchant)
    vendor = vendors.get(str(merchant["vendor"]))
    if vendor is None:
        return [WidgetFault("vendor", f"must be one of {', '.join(vendors)}")]
    allowed = _allowed(merchant) or vendor.hosts
    title = _plain(merchant.get("title")) or vendor.title
    title_es = _plain(merchant.get("title_es"))
    link = str(merchant.get("link") or "")
    faults = [*title_faults("title", title), *title_faults("title_es", title_es)]
    if link:
        faults += link_faults("link", link, allowed)
    elif vendor.link_required:
        faults.append(WidgetFault("link", "is missing: this vendor needs the https:// address of the payment page"))
    warning = _warning(merchant.get("warning"), _allowed(merchant), faults)
    title_es = title_es or (vendor.title_es if title == vendor.title else title)
    return faults or Widget(vendor.id, title, title_es, link, warning)


def widget_faults(widget: Widget, allowed: tuple[str, ...], vendors: Mapping[str, Vendor]) -> list[WidgetFault]:
    """What today's settings have against a widget of an earlier day. ``allowed``: the merchant's allowed_hosts."""
    warning = widget.warning
    settings: dict[str, Any] = {"vendor": widget.vendor, "link": widget.link, "allowed_hosts": allowed}
    if widget.has_tile:
        settings |= {"title": widget.title, "title_es": widget.title_es}
    if warning is not None:
        settings["warning"] = {"level": warning.level, "en": warning.en, "es": warning.es}
    read = read_widget(settings, vendors)
    return read if isinstance(read, list) else []


def _warning_alone(merchant: Mapping[str, Any]) -> Widget | list[WidgetFault]:
    """A Billing warning without a widget: what is said about a widget would be lost, so it is a fault."""
    problem = "is of no use without a vendor: name one, or leave it out"
    faults = [WidgetFault(key, problem) for key in ("title", "title_es", "link") if merchant.get(key)]
    if not merchant.get("warning"):
        return [*faults, WidgetFault("vendor", "is missing, and so is a warning: there is nothing to show")]
    warning = _warning(merchant["warning"], _allowed(merchant), faults)
    return faults or Widget("", "", "", "", warning)


def _allowed(merchant: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(str(host).lower() for host in merchant.get("allowed_hosts") or ())


def _warning(
    given: Mapping[str, Any] | None, allowed: tuple[str, ...], faults: list[WidgetFault]
) -> BillingWarning | None:
    """The Billing warning; what is wrong with it is added to ``faults``."""
    if not given:
        return None
    level = str(given.get("level") or Level.INFO)
    en, es = _plain(given.get("en")), _plain(given.get("es"))
    if level not in set(Level):
        faults.append(WidgetFault("warning.level", f"must be one of {', '.join(Level)}"))
        level = Level.INFO
    if not en:
        faults.append(WidgetFault("warning.en", "is missing: a warning needs at least its English text"))
    for key, text in (("warning.en", en), ("warning.es", es)):
        faults += _text_faults(key, text, TEXT_LENGTH)
        for address in addresses_in(text):
            faults += link_faults(key, address, allowed)
    return BillingWarning(Level(level), en, es)


def addresses_in(text: str) -> list[str]:
    """What reads like a web address in a text."""
    return [found.rstrip(_AFTER_A_SENTENCE) for found in _ADDRESS.findall(text)]


def title_faults(key: str, title: str) -> Iterator[WidgetFault]:
    """What is wrong with the words on a widget."""
    yield from _text_faults(key, title, TITLE_LENGTH)
    if _ADDRESS.search(title):
        yield WidgetFault(key, "must not contain an address: that is what link is for")


def _plain(value: object) -> str:
    return unicodedata.normalize("NFC", str(value or "")).strip()


def _text_faults(key: str, text: str, length: int) -> Iterator[WidgetFault]:
    if len(text) > length:
        yield WidgetFault(key, f"has {len(text)} characters; at most {length} are shown")
    if "<" in text or ">" in text:
        yield WidgetFault(key, "must be plain text: leave out < and >")
    # Cc control, Cf invisible and bidirectional overrides, Cs/Co/Cn not characters at all, Zl and Zp line breaks.
    kinds = [unicodedata.category(char) for char in text]
    if any(kind.startswith("C") or kind in ("Zl", "Zp") for kind in kinds) or not _BLANKS.isdisjoint(text):
        yield WidgetFault(key, "contains control or invisible characters, or a line break: write one plain line")
    if "M" * (_MARKS + 1) in "".join(kind[0] for kind in kinds):
        yield WidgetFault(key, f"puts more than {_MARKS} marks on one letter: write plain words")


def link_faults(key: str, link: str, allowed: tuple[str, ...]) -> Iterator[WidgetFault]:
    """What is wrong with an address that parents are sent to. ``allowed`` empty: any host of the public internet."""
    if len(link) > LINK_LENGTH:
        yield WidgetFault(key, f"has {len(link)} characters; at most {LINK_LENGTH} are allowed")
    if not link.isascii() or any(char <= " " or char in '<>"\\^`{|}\x7f' for char in link):
        yield WidgetFault(key, "contains spaces, quotes or letters outside ASCII: write them in their encoded form")
        return
    try:
        parts = urlsplit(link)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        yield WidgetFault(key, "is not a web address")
        return
    if parts.scheme != "https" or not host:
        yield WidgetFault(key, "must begin with https://")
    if "@" in parts.netloc:
        yield WidgetFault(key, "must not contain a user name or password")
    if port not in (None, 443):
        yield WidgetFault(key, "must not name a port other than 443")
    if host:
        yield from _host_faults(key, host, allowed)


def _host_faults(key: str, host: str, allowed: tuple[str, ...]) -> Iterator[WidgetFault]:
    if not _HOST.match(host) or host.rpartition(".")[2].isdigit() or host.endswith((".localhost", ".local")):
        yield WidgetFault(key, "must name a host of the public internet, such as pay.example.org")
    elif allowed and not any(_within(host, name) for name in allowed):
        yield WidgetFault(key, f"leads to a host that is not allowed; allowed: {', '.join(allowed)}")
    elif not allowed and any(part.startswith("xn--") for part in host.split(".")):
        # Letters of another alphabet that look like another name: somebody has to say that this host is meant.
        yield WidgetFault(key, "leads to a host with letters outside ASCII: list it in allowed_hosts if it is right")


def _within(host: str, name: str) -> bool:
    return host == name or host.endswith(f".{name}")
