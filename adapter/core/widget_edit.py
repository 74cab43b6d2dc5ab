"""What somebody writes on the desk for parents to see: held to the rules of the settings, and narrower."""

from collections.abc import Mapping
from urllib.parse import urlsplit

from adapter.core.merchant import Merchant, WidgetFault, addresses_in, read_widget
from adapter.core.publication import Change, Publish, PublishPlan, Revision
from adapter.core.state import WidgetState
from adapter.core.widget import OWN, Pages, Widget, widget_hash

FIELDS = ("vendor", "title", "title_es", "link", "level", "en", "es")
EDITED = "widget-edited"
NOTHING = "none"
"""The level of a warning that is not there."""


def fields_of(widget: Widget | None) -> dict[str, str]:
    """A widget as the fields of a form."""
    if widget is None:
        return dict.fromkeys(FIELDS, "") | {"level": NOTHING}
    warning = widget.warning
    return {
        "vendor": widget.vendor,
        "title": widget.title,
        "title_es": widget.title_es,
        "link": widget.link,
        "level": str(warning.level) if warning else NOTHING,
        "en": warning.en if warning else "",
        "es": warning.es if warning else "",
    }


def read_fields(merchant: Merchant, organization: str, given: Mapping[str, str]) -> Widget | list[WidgetFault] | None:
    """What the fields describe, None for a page that is to show nothing, or everything that is wrong with them.

    It leads only to hosts that the settings name, or the vendor's file: who may write here could otherwise send the
    parents' money anywhere.
    """
    vendor = merchant.vendors.get(given.get("vendor", ""))
    hosts = hosts_for(merchant, organization, given.get("vendor", ""))
    settings: dict[str, object] = {key: given.get(key, "") for key in ("vendor", "title", "title_es", "link")}
    settings["allowed_hosts"] = hosts
    if given.get("level", NOTHING) != NOTHING:
        settings["warning"] = {key: given.get(key, "") for key in ("level", "en", "es")}
    elif not given.get("vendor"):
        return None
    read = read_widget(settings, merchant.vendors)
    if isinstance(read, list) or hosts or (vendor is None and not read.warning):
        return read
    problem = "leads to a host that the configuration does not name: list it in allowed_hosts there first"
    texts = {"warning.en": read.warning.en, "warning.es": read.warning.es} if read.warning else {}
    faults = [WidgetFault("link", problem)] if read.link else []
    faults += [WidgetFault(key, problem) for key, text in texts.items() if addresses_in(text)]
    return faults or read


def hosts_for(merchant: Merchant, organization: str, vendor: str) -> tuple[str, ...]:
    """Where a page that is written on the desk may lead: what the settings and the vendor's file name."""
    allowed = merchant.allowed.get(organization) or merchant.allowed.get(OWN, ())
    known = merchant.vendors.get(vendor)
    configured = merchant.pages.get(organization)
    link = urlsplit(configured.link).hostname if configured and configured.link else None
    return tuple(dict.fromkeys((*allowed, *(known.hosts if known else ()), *([link] if link else []))))


def plan_edit(
    practice: str, organization: str, latest: Revision | None, widget: Widget | None, desired: Pages
) -> PublishPlan:
    """Publishes what was written; empty when the newest revision shows it already.

    As after a rollback, the settings that were in force are remembered as answered: a change of them comes later, and
    then publishes by itself.
    """
    before = latest.widget if latest else None
    if widget == before and (latest is None or latest.state is not WidgetState.DRIFTED):
        return PublishPlan(practice, ())
    publish = Publish(widget, EDITED, widget_hash(desired.get(organization)))
    return PublishPlan(practice, (Change(organization, latest.revision if latest else 0, before, publish),))
