"""The store as the FHIR face reads it: one source for each resource type, and one way to page through all of them.

A page is the rows after a key, in the order of that key, so that it costs the same wherever it lies and no row is
lost or repeated when others come and go between two pages.
"""

from adapter.store.face.accounts import ACCOUNTS
from adapter.store.face.audit import AUDIT
from adapter.store.face.findings import FINDINGS
from adapter.store.face.grants import GRANTS
from adapter.store.face.source import Page, Source, find, fits, page, total
from adapter.store.face.welcomes import WELCOMES

SOURCES: dict[str, Source] = {
    "AuditEvent": AUDIT,
    "Communication": WELCOMES,
    "Consent": GRANTS,
    "Person": ACCOUNTS,
    "Task": FINDINGS,
}
"""By resource type."""

__all__ = ["SOURCES", "Page", "Source", "find", "fits", "page", "total"]
