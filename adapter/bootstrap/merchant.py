"""A practice's merchants, from its settings and the vendors there are."""

from collections.abc import Mapping

from adapter.core.merchant import Merchant, read_widget
from adapter.core.vendors import Vendor
from adapter.core.widget import OWN, Widget
from adapter.errors import Fault
from adapter.settings import PracticeSettings
from adapter.settings.practice import PageSettings


def make_merchant(practice: PracticeSettings, vendors: Mapping[str, Vendor], faults: list[Fault]) -> Merchant:
    """What the practice shows for payments, page by page; what is wrong with it is added to ``faults``."""
    settings = practice.merchant
    pages: dict[str, Widget | None] = {OWN: None}
    if settings is None:
        return Merchant(practice=practice.id, pages=pages, vendors=vendors)
    key = f"practice {practice.id}: merchant"
    if settings.vendor or settings.warning or not settings.organization:
        pages[OWN] = _page(settings, vendors, key, faults)
    for number, one in enumerate(settings.organization, start=1):
        pages[one.id] = _page(one, vendors, f"{key}.organization {number}", faults)
    return Merchant(
        practice=practice.id,
        pages=pages,
        vendors=vendors,
        names={one.id: one.name for one in settings.organization if one.name},
        allowed={OWN: settings.allowed_hosts} | {one.id: one.allowed_hosts for one in settings.organization},
    )


def _page(settings: PageSettings, vendors: Mapping[str, Vendor], key: str, faults: list[Fault]) -> Widget | None:
    widget = read_widget(settings.model_dump(), vendors)
    if not isinstance(widget, list):
        return widget
    for fault in widget:
        faults.append(Fault(file="config.toml", key=f"{key}.{fault.key}", problem=f"{fault.problem}.", remedy=""))
    return None
