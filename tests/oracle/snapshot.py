"""Where the product stands at one moment: accounts, grants, and which of them are open."""

from dataclasses import dataclass
from typing import Any

from adapter.store import tables as t
from tests.oracle.oracle import key
from tests.oracle.site import Site


@dataclass
class Snapshot:
    """Where the product stands."""

    keys: dict[str, str]
    """Address key by account."""
    active: dict[tuple[str, str], Any]
    """Active grants by address key and chart id."""
    grants: list[Any]
    accounts: list[Any]

    @classmethod
    def of(cls, site: Site) -> "Snapshot":
        accounts, grants = site.rows(t.account), site.rows(t.grant)
        keys = {row.id: key(row.email) if "@" in row.email else row.email_key for row in accounts}
        active = {
            (keys[row.account_id], row.patient.removeprefix("Patient/")): row for row in grants if row.state == "active"
        }
        return cls(keys, active, grants, accounts)
