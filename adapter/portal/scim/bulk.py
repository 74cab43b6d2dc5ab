"""New accounts in bulk requests (RFC 7644 §3.7), each as large as the service takes."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import orjson

from adapter.core.portal import PortalAccount
from adapter.portal.scim.records import to_user
from adapter.portal.scim.service import Service
from adapter.portal.wire import Wire

_REQUEST = "urn:ietf:params:scim:api:messages:2.0:BulkRequest"
_ENVELOPE = 300
"""Bytes around the operations, at most."""


def create_in_bulk(
    wire: Wire, service: Service, practice: str, accounts: Sequence[PortalAccount], *, width: int
) -> set[str]:
    """Creates these accounts, in at most ``width`` requests at the same time.

    Returns the keys of those that the service says it has created. Whatever else it says of an account is no concern
    here: that account is then put by itself. Raises as ``Wire.ask``.
    """
    share = min(service.bulk, -(-len(accounts) // width))
    portions = _requests(service, practice, accounts, share)
    with ThreadPoolExecutor(width, thread_name_prefix="portal") as pool:
        return set().union(*pool.map(lambda operations: _create(wire, operations), portions))


def _create(wire: Wire, operations: Sequence[dict[str, Any]]) -> set[str]:
    """One request; the keys that came back as created."""
    answer = wire.ask("POST", "Bulk", {"schemas": [_REQUEST], "Operations": operations})
    results = answer.value.get("Operations") if answer.ok else None
    done = [one for one in results if isinstance(one, dict)] if isinstance(results, list) else []
    created = {one.get("bulkId") for one in done if str(one.get("status")) in ("200", "201")}
    return {one["bulkId"] for one in operations if one["bulkId"] in created}


def _requests(
    service: Service, practice: str, accounts: Sequence[PortalAccount], most: int
) -> Iterator[list[dict[str, Any]]]:
    """Operations in portions that the service takes. One that is too large for any is left out."""
    portion: list[dict[str, Any]] = []
    size = _ENVELOPE
    for account in accounts:
        one = {"method": "POST", "path": f"/{service.users}", "bulkId": account.key, "data": to_user(practice, account)}
        length = len(orjson.dumps(one)) + 1
        too_large = service.bulk_bytes and size + length > service.bulk_bytes
        if portion and (too_large or len(portion) == most):
            yield portion
            portion, size = [], _ENVELOPE
        if not service.bulk_bytes or _ENVELOPE + length <= service.bulk_bytes:
            portion.append(one)
            size += length
    if portion:
        yield portion
