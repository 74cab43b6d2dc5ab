"""What a SCIM service offers, as its three discovery endpoints say (RFC 7644 §4)."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from adapter.errors import FatalError
from adapter.portal.scim.records import EXTENSION, HOME_PAGE
from adapter.portal.wire import Answer, Wire

USER = "urn:ietf:params:scim:schemas:core:2.0:User"
CONFIG = "urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"
_MOST = 1000
_ADDRESS = "Check portal.base_url in config.toml: it is the address below which /Users lies, and often ends in /v2."


@dataclass(frozen=True, kw_only=True)
class Service:
    """One service. ``users`` and ``home`` are paths; ``home`` is empty without a resource type for home pages."""

    users: str
    home: str
    patch: bool
    etag: bool
    filter: bool
    page: int
    """Users in one page of a listing, at most."""
    bulk: int
    """Operations in one bulk request, at most; 0 without bulk."""
    bulk_bytes: int
    registration: bool
    """The extension has a place for when somebody registered."""


def discover(wire: Wire) -> Service:
    """Asks the service about itself. Raises FatalError when it is not SCIM 2.0, or has no place for our extension."""
    config = _value(wire.ask("GET", "ServiceProviderConfig"), "ServiceProviderConfig")
    if CONFIG not in config.get("schemas", []):
        raise FatalError(f"The portal's ServiceProviderConfig is not that of SCIM 2.0. {_ADDRESS}")
    types = list(_resources(_value(wire.ask("GET", "ResourceTypes"), "ResourceTypes")))
    user = next((one for one in types if one.get("schema") == USER), None)
    if user is None:
        raise FatalError(f"The portal has no resource type for Users. {_ADDRESS}")
    extensions = [one.get("schema") for one in user.get("schemaExtensions", []) if isinstance(one, dict)]
    if EXTENSION not in extensions:
        raise FatalError(
            f"The portal's Users have no place for charts: the extension {EXTENSION} is not among their schemas. "
            "Have it added in the portal; docs/portals.md describes it."
        )
    schemas = _resources(_value(wire.ask("GET", "Schemas"), "Schemas"))
    ours = next((one for one in schemas if one.get("id") == EXTENSION), {})
    attributes = {one.get("name") for one in ours.get("attributes", []) if isinstance(one, dict)}
    home = next((one for one in types if one.get("schema") == HOME_PAGE), {})
    bulk = _part(config, "bulk")
    return Service(
        users=_path(user.get("endpoint")) or "Users",
        home=_path(home.get("endpoint")),
        patch=_part(config, "patch").get("supported") is True,
        etag=_part(config, "etag").get("supported") is True,
        filter=_part(config, "filter").get("supported") is True,
        page=min(_number(_part(config, "filter").get("maxResults")) or 100, _MOST),
        bulk=_number(bulk.get("maxOperations")) if bulk.get("supported") is True else 0,
        bulk_bytes=_number(bulk.get("maxPayloadSize")),
        registration="registeredAt" in attributes,
    )


def _value(answer: Answer, what: str) -> dict[str, Any]:
    if not answer.ok:
        raise FatalError(f"The portal does not know {what} ({answer.status}). {_ADDRESS}")
    return answer.value


def _resources(value: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    found = value.get("Resources")
    yield from (one for one in found if isinstance(one, dict)) if isinstance(found, list) else ()


def _part(config: Mapping[str, Any], name: str) -> dict[str, Any]:
    part = config.get(name)
    return part if isinstance(part, dict) else {}


def _number(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0


def _path(value: Any) -> str:
    """An endpoint below the base address; one that leads elsewhere is refused by the wire."""
    return value.strip("/") if isinstance(value, str) else ""
