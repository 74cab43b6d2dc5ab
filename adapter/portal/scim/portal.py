"""The SCIM connector at work: accounts as Users, found by externalId, changed only as long as they are ours."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from typing import Any

from adapter.core.portal import PortalAccount
from adapter.errors import DeliveryError, RetriableError
from adapter.portal import HomePage, Offers, Stranger, Trial
from adapter.portal.scim.bulk import create_in_bulk
from adapter.portal.scim.records import (
    USER,
    external_id,
    from_user,
    home_from_resource,
    home_id,
    home_to_resource,
    key_of,
    merged,
    patch_of,
    to_user,
)
from adapter.portal.scim.service import Service, discover
from adapter.portal.scim.users import Users, quoted
from adapter.portal.side_by_side import put_all
from adapter.portal.values import kept
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

    @cached_property
    def _users(self) -> Users:
        return Users(self._wire, self.service, self._practice)

    @property
    def offers(self) -> Offers:
        """See ``Portal.offers``."""
        service = self.service
        return Offers(
            registration=service.registration,
            home_page=bool(service.home),
            bulk=bool(service.bulk),
            until=True,
            strangers=True,
        )

    def put_accounts(
        self, batch: Sequence[PortalAccount], *, new: Collection[str] = frozenset()
    ) -> dict[str, DeliveryError]:
        """See ``Portal.put_accounts``. New ones go in bulk where the service takes that."""
        service, fresh = self.service, [one for one in batch if one.key in new]
        done: set[str] = set()
        if service.bulk > 1 and len(fresh) > 1:
            done = create_in_bulk(self._wire, service, self._practice, fresh, width=self._width)
        rest = [one for one in batch if one.key not in done]
        return put_all(rest, lambda one: self._put(one, new=one.key in new), width=self._width) if rest else {}

    def _put(self, account: PortalAccount, *, new: bool) -> None:
        wanted = to_user(self._practice, account)
        found = None if new else self._users.find(account.key)
        answer = None
        for _ in range(_AGAIN):
            answer = self._change(found, wanted) if found else self._wire.ask("POST", self.service.users, wanted)
            if answer.ok:
                return self._believe(answer, created=found is None)
            if answer.status not in _CHANGED:
                raise _refusal(answer, account)
            # Somebody was faster, or it changed or went away since it was read: read again, then decide again.
            found = self._users.find(account.key)
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
            return self._wire.ask("PATCH", self._users.path(found), patch_of(wanted), headers=headers)
        return self._wire.ask("PUT", self._users.path(found), merged(found, wanted), headers=headers)

    def _refuse_collision(self, account: PortalAccount, *, mine: Any) -> None:
        """Raises when another User has the address: it is not ours to take, whoever made it."""
        others = self._users.search(f"userName eq {quoted(account.email)}")
        if any(one.get("id") != mine for one in others if _same(one.get("userName"), account.email)):
            raise DeliveryError(_TAKEN, permanent=True, code=COLLISION)

    def shut(self, key: str) -> None:
        """See ``Portal.shut``."""
        found = self._users.find(key)
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
            user = self._users.find(account.key)
            if user is not None:
                found[account.key] = from_user(account.key, user)

        asked = [PortalAccount(key, "", "", True, "") for key in sorted(keys)]
        if asked and (missed := put_all(asked, look, width=self._width)):
            raise RetriableError(str(next(iter(missed.values()))))
        return found

    def accounts(self) -> Iterator[PortalAccount]:
        """See ``Portal.accounts``: page by page, each User once."""
        mine = f"externalId sw {quoted(external_id(self._practice, ''))}"
        for user in self._users.walk(mine if self.service.filter else ""):
            key = key_of(self._practice, user)
            if key is not None:
                yield from_user(key, user)

    def strangers(self) -> Iterator[Stranger]:
        """See ``Portal.strangers``: Users without an externalId."""
        for user in self._users.walk(""):
            if not user.get("externalId") and isinstance(user.get("id"), str):
                yield Stranger(user["id"], from_user("", user))

    def adopt(self, handle: str, key: str) -> None:
        """See ``Portal.adopt``."""
        answer = self._wire.ask("GET", self._users.path({"id": handle}))
        if not answer.ok or answer.value.get("externalId"):
            raise DeliveryError("The account in the portal is gone, or somebody else's by now.", permanent=True)
        changed = self._change(answer.value, {"schemas": [USER], "externalId": external_id(self._practice, key)})
        if not changed.ok:
            raise DeliveryError(f"The portal does not let the account be adopted ({changed.status}).", permanent=True)

    def remove(self, key: str) -> None:
        """See ``Portal.remove``."""
        found = self._users.find(key)
        if found is not None:
            self._wire.ask("DELETE", self._users.path(found))

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
        found = self._users.search(f"externalId eq {quoted(external)}", self.service.home)
        return next((one for one in found if one.get("externalId") == external and one.get("id")), None)

    def trust_clock(self, now: datetime) -> None:
        """See ``Portal.trust_clock``: this portal has a clock of its own."""

    def trials(self, account: PortalAccount) -> Iterator[Trial]:
        """See ``Portal.trials``: a SCIM service is asked for nothing more."""
        yield from ()

    def check(self) -> str:
        """See ``Portal.check``."""
        service = self.service
        answer = self._wire.ask("GET", service.users, params={"count": "1"})
        if not answer.ok:
            raise RetriableError(f"The portal does not list its Users ({answer.status}): the token may lack a scope.")
        able = [name for name in ("patch", "etag", "filter", "bulk", "home", "registration") if getattr(service, name)]
        return f"The SCIM portal answers; it offers {', '.join(able) or 'nothing beyond accounts'}."


def _refusal(answer: Answer, account: PortalAccount) -> DeliveryError:
    words = scrubbed(answer.value.get("detail"), account)
    return DeliveryError(f"{words or 'it gives no reason'} ({answer.status})", permanent=True)


def _same(a: Any, b: str) -> bool:
    """A user name is compared without regard to case (RFC 7643 §4.1.1)."""
    return isinstance(a, str) and a.casefold() == b.casefold()
