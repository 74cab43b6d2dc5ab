"""Payment vendors a practice's home page can link to: one row each, InstaMed preferred (the portal's FAQ)."""

import msgspec


class Vendor(msgspec.Struct, frozen=True, kw_only=True):
    """What is known about one vendor.

    ``hosts`` are where its payment pages live (subdomains included); empty means the practice names the page itself.
    """

    name: str
    title: str
    title_es: str
    preferred: bool = False
    link_required: bool = False
    hosts: tuple[str, ...] = ()


VENDORS: dict[str, Vendor] = {
    # The FAQ names InstaMed as the preferred merchant: the portal knows how to open it, so the link may be left out.
    "instamed": Vendor(
        name="InstaMed",
        title="Pay your bill",
        title_es="Pague su factura",
        preferred=True,
        hosts=("instamed.com",),
    ),
    # "A bank that is paid through a URL" goes into a custom widget.
    "url": Vendor(
        name="Payment page",
        title="Pay your bill",
        title_es="Pague su factura",
        link_required=True,
    ),
}
