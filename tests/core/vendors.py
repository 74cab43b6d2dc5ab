"""The vendors that come with the adapter, as tests that open no file know them."""

from typing import Any

from adapter.core.merchant import WidgetFault, read_widget
from adapter.core.vendors import Vendor
from adapter.core.widget import Widget

INSTAMED = Vendor(
    id="instamed",
    name="InstaMed",
    title="Pay your bill",
    title_es="Pague su factura",
    preferred=True,
    hosts=("instamed.com",),
)
URL = Vendor(id="url", name="Payment page", title="Pay your bill", title_es="Pague su factura", link_required=True)
VENDORS = {vendor.id: vendor for vendor in (INSTAMED, URL)}


def read(merchant: dict[str, Any]) -> Widget | list[WidgetFault]:
    """The widget of these merchant settings."""
    return read_widget(merchant, VENDORS)
