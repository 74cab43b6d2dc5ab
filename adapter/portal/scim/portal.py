"""The SCIM connector at work: accounts as Users, found by externalId, changed only as long as they are ours."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from typing import Any

from adapter.core.portal import PortalAccount
from adapter.errors import DeliveryError, RetriableError
from adapter.portal import HomePage, Offers
from adapter.portal.scim.bulk import create_in_bulk
from adapter.portal.scim.records import (
    external_id,
    from_user,
    home_from_resource,
    home_id,
    home_to_resource,
    kept,
    key_of,
    merged,
    patch_of,
    to_user,
)
from adapter.portal.scim.service import Service, discover
from adapter.portal.side_by_side import put_all
from adapter.portal.wire import Answer, Wire
from adapter.portal.words import scrubbed

_AGAIN = 3
"""How often a User that changed under our hands is read again before it waits for the next round."""
COLLISION = "account-collision"
_CHANGED = frozenset({404, 409, 412})
_RESTLESS = "The account changes in the portal all the time. It is asked again."
_TAKEN = "another account there has this e-mail address already."


class ScimPortal:
    """One practice's accounts at a SCIM 2.0 service."""

    def __init__(self, wire: Wire, *, practice: str, concurrency: int = 4) -> None:
        self._wire = wire
        self._practice = practice
        self._width = concurrency
        self.batch = 50 * concurrency

    @cached_property
    def service(self) -> Service:
        """What the service offers; asked once. Raises as ``discover`` does."""
        return discover(self._wire)

    @property
    def offers(self) -> Offers:
        """See ``Portal.offers``."""
        service = self.service
        return Offers(
            registration=service.registration, home_page=bool(service.home), bulk=bool(service.bulk), until=True
        )

    def put_accounts(
        self, batch: Sequence[PortalAccount], *, new: Collection[str] = frozenset()
    ) -> dict[str, DeliveryError]:
        """See ``Portal.put_accounts``. New ones go in bulk where the service takes that."""
        service, fresh = self.service, [one for one in batch if one.key in new]
        done: set[str] = set()
        if service.bulk > 1 and len(fresh) > 1:
            done = create_in_bulk(self._wire, service, self._practice, fresh)
        rest = [one for one in batch if one.key not in done]
        return put_all(rest, lambda one: self._put(one, new=one.key in new), width=self._width) if rest else {}

    def _put(self, account: PortalAccount, *, new: bool) -> None:
        wanted = to_user(self._practice, account)
        found = None if new else self._find(account.key)
        answer = None
        for _ in range(_AGAIN):
            answer = self._change(found, wanted) if found else self._wire.ask("POST", self.service.users, wanted)
            if answer.ok:
                return self._believe(answer, created=found is None)
            if answer.status not in _CHANGED:
                raise _refusal(answer, account)
            # Somebody was faster, or it changed or went away since it was read: read again, then decide again.
            found = self._find(account.key)
            if answer.status == 409:
                self._refuse_collision(account, mine=found.get("id") if found else None)
        assert answer is not None
        raise _refusal(answer, account) if answer.status == 409 else DeliveryError(_RESTLESS, permanent=False)

    def _believe(self, answer: Answer, *, created: bool) -> None:
        """The answer is the User (RFC 7644 §3.3, §3.5), or nothing after a PATCH; else nobody knows what was done."""
        if isinstance(answer.value.get("id"), str) or (not created and not answer.value):
            return
        raise RetriableError("The portal's answer to a change is not a User.")

    def _change(self, found: Mapping[str, Any], wanted: dict[str, Any]) -> Answer:
        version = found.get("meta", {}).get("version") if isinstance(found.get("meta"), dict) else None
        headers = {"If-Match": version} if self.service.etag and isinstance(version, str) else {}
        if self.service.patch:
            return self._wire.ask("PATCH", self._path(found), patch_of(wanted), headers=headers)
        return self._wire.ask("PUT", self._path(found), merged(found, wanted), headers=headers)

    def _refuse_collision(self, account: PortalAccount, *, mine: Any) -> None:
        """Raises when another User has the address: it is not ours to take, whoever made it."""
        others = self._search(f"userName eq {_quoted(account.email)}")
        if any(one.get("id") != mine for one in others if _same(one.get("userName"), account.email)):
            raise DeliveryError(_TAKEN, permanent=True, code=COLLISION)

    def shut(self, key: str) -> None:
        """See ``Portal.shut``."""
        found = self._find(key)
        if found is None:
            return
        nothing = PortalAccount(key, str(found.get("userName", "")), "", False, "closed")
        wanted = to_user(self._practice, nothing)
        answer = self._change(
            found, {key: wanted[key] for key in ("schemas", "active", *(k for k in wanted if ":" in k))}
        )
        if not answer.ok and answer.status != 404:
            raise RetriableError(f"The portal did not close an account ({answer.status}).")

    def get_accounts(self, keys: Collection[str]) -> dict[str, PortalAccount]:
        """See ``Portal.get_accounts``."""
        found: dict[str, PortalAccount] = {}

        def look(account: PortalAccount) -> None:
            user = self._find(account.key)
            if user is not None:
                found[account.key] = from_user(account.key, user)

        asked = [PortalAccount(key, "", "", True, "") for key in sorted(keys)]
        if asked and (missed := put_all(asked, look, width=self._width)):
            raise RetriableError(str(next(iter(missed.values()))))
        return found

    def accounts(self) -> Iterator[PortalAccount]:
        """See ``Portal.accounts``: page by page, each User once."""
        mine = f"externalId sw {_quoted(external_id(self._practice, ''))}"
        for user in self._walk(mine if self.service.filter else ""):
            key = key_of(self._practice, user)
            if key is not None:
                yield from_user(key, user)

    def kept(self, account: PortalAccount) -> PortalAccount:
        """See ``Portal.kept``."""
        return kept(account)

    def put_home(self, home: HomePage) -> None:
        """See ``Portal.put_home``."""
        if not self.service.home:
            raise DeliveryError("The portal has no place for a home page.", permanent=True)
        wanted, found = home_to_resource(home), self._home(home.organization)
        if found is None:
            answer = self._wire.ask("POST", self.service.home, wanted)
        else:
            answer = self._wire.ask("PUT", f"{self.service.home}/{found['id']}", {**wanted, "id": found["id"]})
        if not answer.ok:
            raise DeliveryError(f"The portal refused the home page ({answer.status}).", permanent=answer.status < 500)

    def get_home(self, organization: str = "") -> HomePage | None:
        """See ``Portal.get_home``."""
        found = self._home(organization) if self.service.home else None
        return home_from_resource(self._practice, organization, found) if found else None

    def _home(self, organization: str) -> dict[str, Any] | None:
        external = home_id(self._practice, organization)
        found = self._search(f"externalId eq {_quoted(external)}", self.service.home)
        return next((one for one in found if one.get("externalId") == external and one.get("id")), None)

    def trust_clock(self, now: datetime) -> None:
        """See ``Portal.trust_clock``: this portal has a clock of its own."""

    def check(self) -> str:
        """See ``Portal.check``."""
        service = self.service
        answer = self._wire.ask("GET", service.users, params={"count": "1"})
        if not answer.ok:
            raise RetriableError(f"The portal does not list its Users ({answer.status}): the token may lack a scope.")
        able = [name for name in ("patch", "etag", "filter", "bulk", "home", "registration") if getattr(service, name)]
        return f"The SCIM portal answers; it offers {', '.join(able) or 'nothing beyond accounts'}."

    def _find(self, key: str) -> dict[str, Any] | None:
        """Our User of this key. Of several, the one that is active: the others are found by the comparison."""
        external = external_id(self._practice, key)
        found = [one for one in self._search(f"externalId eq {_quoted(external)}") if one.get("externalId") == external]
        return min(found, key=lambda one: one.get("active") is not True) if found else None

    def _search(self, condition: str, path: str = "") -> list[dict[str, Any]]:
        if self.service.filter:
            answer = self._wire.ask("GET", path or self.service.users, params={"filter": condition})
            return _page(answer)[0]
        return list(self._walk("", path))

    def _walk(self, condition: str, path: str = "") -> Iterator[dict[str, Any]]:
        """Every resource, by pages of what the service allows (RFC 7644 §3.4.2.4)."""
        seen: set[str] = set()
        start = 1
        while True:
            params = {"startIndex": str(start), "count": str(self.service.page)}
            params |= {"filter": condition} if condition else {}
            rows, total = _page(self._wire.ask("GET", path or self.service.users, params=params))
            fresh = [one for one in rows if isinstance(one.get("id"), str) and one["id"] not in seen]
            yield from fresh
            seen.update(one["id"] for one in fresh)
            start += len(rows)
            if start > total:
                return
            if not fresh:
                raise RetriableError("The portal's list of Users ends before its end.")

    def _path(self, found: Mapping[str, Any]) -> str:
        identity = found.get("id")
        if not isinstance(identity, str) or not identity or not set(identity) <= _ID:
            raise DeliveryError("The portal's id of the account cannot be used in an address.", permanent=True)
        return f"{self.service.users}/{identity}"


_ID = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~@:+")


def _page(answer: Answer) -> tuple[list[dict[str, Any]], int]:
    """The rows of a list, and how many there are in all. Raises RetriableError when it is none."""
    if not answer.ok:
        raise RetriableError(f"The portal does not answer a search ({answer.status}).")
    rows, total = answer.value.get("Resources", []), answer.value.get("totalResults")
    if not isinstance(rows, list) or not isinstance(total, int) or not all(isinstance(one, dict) for one in rows):
        raise RetriableError("The portal's answer to a search is not a list of SCIM.")
    return rows, total


def _refusal(answer: Answer, account: PortalAccount) -> DeliveryError:
    words = scrubbed(answer.value.get("detail"), account)
    return DeliveryError(f"{words or 'it gives no reason'} ({answer.status})", permanent=True)


def _same(a: Any, b: str) -> bool:
    """A user name is compared without regard to case (RFC 7643 §4.1.1)."""
    return isinstance(a, str) and a.casefold() == b.casefold()


def _quoted(text: str) -> str:
    """A string in a filter (RFC 7644 §3.4.2.2: JSON)."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
