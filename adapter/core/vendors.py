"""A payment vendor that a practice's home page can link to. Each is a file: ``vendors/<id>.toml``."""

import msgspec


class Vendor(msgspec.Struct, frozen=True, kw_only=True):
    """What is known about one vendor.

    ``hosts`` are where its payment pages live (subdomains included); empty means the practice names the page itself.
    """

    id: str
    name: str
    title: str
    title_es: str
    preferred: bool = False
    link_required: bool = False
    hosts: tuple[str, ...] = ()
