"""New accounts in bulk requests (RFC 7644 §3.7), each as large as the service takes."""

from collections.abc import Iterator, Sequence
from typing import Any

import orjson

from adapter.core.portal import PortalAccount
from adapter.portal.scim.records import to_user
from adapter.portal.scim.service import Service
from adapter.portal.wire import Wire

_REQUEST = "urn:ietf:params:scim:api:messages:2.0:BulkRequest"
_ENVELOPE = 300
"""Bytes around the operations, at most."""


def create_in_bulk(wire: Wire, service: Service, practice: str, accounts: Sequence[PortalAccount]) -> set[str]:
    """Creates these accounts; returns the keys of those that the service says it has created.

    Whatever else it says of an account is no concern here: that account is then put by itself. Raises as ``Wire.ask``.
    """
    created: set[str] = set()
    for operations in _requests(service, practice, accounts):
        asked = {one["bulkId"] for one in operations}
        answer = wire.ask("POST", "Bulk", {"schemas": [_REQUEST], "Operations": operations})
        if not answer.ok:
            return created
        results = answer.value.get("Operations")
        for one in results if isinstance(results, list) else ():
            if isinstance(one, dict) and str(one.get("status")) in ("200", "201") and one.get("bulkId") in asked:
                created.add(one["bulkId"])
    return created


def _requests(service: Service, practice: str, accounts: Sequence[PortalAccount]) -> Iterator[list[dict[str, Any]]]:
    """Operations in portions that the service takes. One that is too large for any is left out."""
    portion: list[dict[str, Any]] = []
    size = _ENVELOPE
    for account in accounts:
        one = {"method": "POST", "path": f"/{service.users}", "bulkId": account.key, "data": to_user(practice, account)}
        length = len(orjson.dumps(one)) + 1
        too_large = service.bulk_bytes and size + length > service.bulk_bytes
        if portion and (too_large or len(portion) == service.bulk):
            yield portion
            portion, size = [], _ENVELOPE
        if not service.bulk_bytes or _ENVELOPE + length <= service.bulk_bytes:
            portion.append(one)
            size += length
    if portion:
        yield portion
