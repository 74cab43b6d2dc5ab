"""The payment widget of a practice's home page: what it may contain, and what to do about the one parents see now."""

import hashlib
import unicodedata
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import msgspec

from adapter.core.policy import Policy
from adapter.core.state import WidgetState
from adapter.core.vendors import VENDORS

USUAL_WAIT = timedelta(minutes=15)
WAIT_SENTENCE = "Portals usually show a change within 15 minutes or longer."
TITLE_LENGTH = 80
TEXT_LENGTH = 500
LINK_LENGTH = 2000


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
    """What the home page shows for payments. ``link`` is empty when the vendor needs none."""

    vendor: str
    title: str
    title_es: str
    link: str = ""
    warning: BillingWarning | None = None


class WidgetFault(NamedTuple):
    """One thing wrong in ``[practice.merchant]``: the key below it, and the problem."""

    key: str
    problem: str


def read_widget(merchant: Mapping[str, Any]) -> Widget | list[WidgetFault]:
    """The widget a practice's merchant settings describe, or everything that is wrong with them.

    ``merchant`` has the keys of ``[practice.merchant]``: vendor, title, title_es, link, allowed_hosts and warning
    (level, en, es); a missing key, None and "" mean the vendor's default.
    """
    vendor = VENDORS.get(str(merchant.get("vendor") or ""))
    if vendor is None:
        return [WidgetFault("vendor", f"must be one of {', '.join(VENDORS)}")]
    title = _plain(merchant.get("title")) or vendor.title
    title_es = _plain(merchant.get("title_es"))
    link = str(merchant.get("link") or "")
    faults = [*_text_faults("title", title, TITLE_LENGTH), *_text_faults("title_es", title_es, TITLE_LENGTH)]
    if link:
        allowed = tuple(str(host) for host in merchant.get("allowed_hosts") or ()) or vendor.hosts
        faults += _link_faults(link, allowed)
    elif vendor.link_required:
        faults.append(WidgetFault("link", "is missing: this vendor needs the https:// address of the payment page"))
    warning = _warning(merchant.get("warning"), faults)
    title_es = title_es or (vendor.title_es if title == vendor.title else title)
    return faults or Widget(str(merchant["vendor"]), title, title_es, link, warning)


def _warning(given: Mapping[str, Any] | None, faults: list[WidgetFault]) -> BillingWarning | None:
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
    faults += [*_text_faults("warning.en", en, TEXT_LENGTH), *_text_faults("warning.es", es, TEXT_LENGTH)]
    return BillingWarning(Level(level), en, es)


def _plain(value: object) -> str:
    return unicodedata.normalize("NFC", str(value or "")).strip()


def _text_faults(key: str, text: str, length: int) -> Iterator[WidgetFault]:
    if len(text) > length:
        yield WidgetFault(key, f"has {len(text)} characters; at most {length} are shown")
    if "<" in text or ">" in text:
        yield WidgetFault(key, "must be plain text: leave out < and >")
    # Cc control, Cf invisible and bidirectional overrides, Cs/Co/Cn not characters at all.
    if any(unicodedata.category(char).startswith("C") for char in text):
        yield WidgetFault(key, "contains control or invisible characters, or a line break: write one plain line")


def _link_faults(link: str, allowed: tuple[str, ...]) -> Iterator[WidgetFault]:
    if len(link) > LINK_LENGTH:
        yield WidgetFault("link", f"has {len(link)} characters; at most {LINK_LENGTH} are allowed")
    if not link.isascii() or any(char <= " " or char in '<>"\\^`{|}\x7f' for char in link):
        yield WidgetFault("link", "contains spaces, quotes or letters outside ASCII: write them in their encoded form")
        return
    try:
        parts = urlsplit(link)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        yield WidgetFault("link", "is not a web address")
        return
    if parts.scheme != "https" or not host:
        yield WidgetFault("link", "must begin with https://")
    if "@" in parts.netloc:
        yield WidgetFault("link", "must not contain a user name or password")
    if port not in (None, 443):
        yield WidgetFault("link", "must not name a port other than 443")
    if host and allowed and not any(_within(host, name.lower()) for name in allowed):
        yield WidgetFault("link", f"leads to a host that is not allowed; allowed: {', '.join(allowed)}")


def _within(host: str, name: str) -> bool:
    return host == name or host.endswith(f".{name}")


def widget_json(widget: Widget | None) -> str:
    """Canonical JSON: the same widget is the same text, always. ``null`` is a home page without a payment widget."""
    return msgspec.json.encode(widget, order="deterministic").decode()


def widget_from_json(text: str) -> Widget | None:
    """The inverse of ``widget_json``. Raises msgspec.ValidationError when the text is not a widget."""
    return msgspec.json.decode(text, type=Widget | None)


def widget_hash(widget: Widget | None) -> str:
    """sha-256 of the canonical JSON, in hex."""
    return hashlib.sha256(widget_json(widget).encode()).hexdigest()


class Revision(msgspec.Struct, frozen=True, kw_only=True):
    """One published version of a practice's widget, as the store knows it."""

    revision: int
    widget: Widget | None
    state: WidgetState
    created_at: datetime
    accepted_at: datetime | None = None
    live_at: datetime | None = None

    @property
    def hash(self) -> str:
        return widget_hash(self.widget)


class Shown(msgspec.Struct, frozen=True):
    """What parents see now. ``revision`` is 0 when the portal cannot say which one it is."""

    widget: Widget | None
    revision: int = 0


class Publish(msgspec.Struct, frozen=True):
    """Make a new revision. ``reason`` is ``widget-new``, ``-changed``, ``-removed`` or ``-drift``."""

    widget: Widget | None
    reason: str


class MarkLive(msgspec.Struct, frozen=True):
    """Parents see this revision."""

    revision: int


class Late(msgspec.Struct, frozen=True):
    """This revision should have shown by now: finding ``widget-late``."""

    revision: int
    since: datetime


class Drift(msgspec.Struct, frozen=True):
    """The home page no longer shows what was live: finding ``widget-drift``."""

    revision: int


WidgetAction = Publish | MarkLive | Late | Drift


def plan_publish(desired: Widget | None, latest: Revision | None) -> tuple[Publish, ...]:
    """What the configuration asks for that no revision says yet: at most one Publish."""
    if latest is None:
        return (Publish(desired, "widget-new"),) if desired else ()
    if latest.widget == desired:
        return ()
    return (Publish(desired, "widget-changed" if desired else "widget-removed"),)


def plan_widget(
    desired: Widget | None, latest: Revision | None, portal_home: Shown | None, now: datetime, policy: Policy
) -> tuple[WidgetAction, ...]:
    """What to do about one practice's widget, in order; empty when everything is as it should be.

    ``desired`` is what the configuration says, ``latest`` the newest revision, ``portal_home`` what the portal shows
    (None: nothing was ever shown). ``policy`` gives ``widget_late_minutes`` and ``republish_drift``.
    """
    publish = plan_publish(desired, latest)
    if publish or latest is None:
        return publish
    shown = portal_home or Shown(None)
    visible = shown.widget == latest.widget and shown.revision in (0, latest.revision)
    if latest.state in (WidgetState.QUEUED, WidgetState.PENDING):
        if visible and latest.state is WidgetState.PENDING:
            return (MarkLive(latest.revision),)
        since = latest.accepted_at or latest.created_at
        late = now - since >= timedelta(minutes=policy.widget_late_minutes)
        return (Late(latest.revision, since),) if late else ()
    if shown.widget == latest.widget:
        return () if latest.state is WidgetState.LIVE else (MarkLive(latest.revision),)
    drift = Drift(latest.revision)
    return (drift, Publish(desired, "widget-drift")) if policy.republish_drift else (drift,)
