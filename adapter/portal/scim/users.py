"""Finding Users: by externalId, by a filter, or one page after the other (RFC 7644 §3.4.2)."""

from collections.abc import Iterator, Mapping
from typing import Any

from adapter.errors import DeliveryError, RetriableError
from adapter.portal.scim.records import external_id
from adapter.portal.scim.service import Service
from adapter.portal.wire import Answer, Wire


class Users:
    """The Users of one service, as one practice looks at them."""

    def __init__(self, wire: Wire, service: Service, practice: str) -> None:
        self._wire = wire
        self._service = service
        self._practice = practice

    def find(self, key: str) -> dict[str, Any] | None:
        """Our User of this key. Of several, the one that is active: the others are found by the comparison."""
        external = external_id(self._practice, key)
        found = [one for one in self.search(f"externalId eq {quoted(external)}") if one.get("externalId") == external]
        return min(found, key=lambda one: one.get("active") is not True) if found else None

    def search(self, condition: str, path: str = "") -> list[dict[str, Any]]:
        if self._service.filter:
            answer = self._wire.ask("GET", path or self._service.users, params={"filter": condition})
            return _page(answer)[0]
        return list(self.walk("", path))

    def walk(self, condition: str, path: str = "") -> Iterator[dict[str, Any]]:
        """Every resource, by pages of what the service allows (RFC 7644 §3.4.2.4)."""
        seen: set[str] = set()
        start = 1
        while True:
            params = {"startIndex": str(start), "count": str(self._service.page)}
            params |= {"filter": condition} if condition else {}
            rows, total = _page(self._wire.ask("GET", path or self._service.users, params=params))
            fresh = [one for one in rows if isinstance(one.get("id"), str) and one["id"] not in seen]
            yield from fresh
            seen.update(one["id"] for one in fresh)
            start += len(rows)
            if start > total:
                return
            if not fresh:
                raise RetriableError("The portal's list of Users ends before its end.")

    def path(self, found: Mapping[str, Any]) -> str:
        identity = found.get("id")
        if not isinstance(identity, str) or not identity or not set(identity) <= _ID:
            raise DeliveryError("The portal's id of the account cannot be used in an address.", permanent=True)
        return f"{self._service.users}/{identity}"


_ID = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~@:+")


def _page(answer: Answer) -> tuple[list[dict[str, Any]], int]:
    """The rows of a list, and how many there are in all. Raises RetriableError when it is none."""
    if not answer.ok:
        raise RetriableError(f"The portal does not answer a search ({answer.status}).")
    rows, total = answer.value.get("Resources", []), answer.value.get("totalResults")
    if not isinstance(rows, list) or not isinstance(total, int) or not all(isinstance(one, dict) for one in rows):
        raise RetriableError("The portal's answer to a search is not a list of SCIM.")
    return rows, total


def quoted(text: str) -> str:
    """A string in a filter (RFC 7644 §3.4.2.2: JSON)."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
