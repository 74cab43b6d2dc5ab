"""The connector of the contract at work: each account is one resource, changed only as it was read."""

import secrets
from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from functools import cached_property
from typing import Any
from urllib.parse import quote

from adapter.core.portal import PortalAccount
from adapter.errors import DeliveryError, FatalError, RetriableError
from adapter.portal import HomePage, Offers, Stranger, Trial
from adapter.portal.http.records import from_home, from_record, to_home, to_record
from adapter.portal.http.trials import trials
from adapter.portal.side_by_side import put_all
from adapter.portal.values import kept
from adapter.portal.wire import Answer, Wire
from adapter.portal.words import scrubbed

CONTRACT, MAJOR = "urn:fhir-portal-adapter:portal-contract", "1"
COLLISION, TAKEN = "account-collision", "urn:fhir-portal-adapter:problem:account-collision"
_AGAIN = 3
_GONE = frozenset({404, 410})
_CHANGED = frozenset({404, 409, 410, 412})
_ADDRESS = "Check portal.base_url in config.toml: it is the address below which /capabilities lies."


class HttpPortal:
    """One practice's accounts at a portal that keeps the contract."""

    def __init__(self, wire: Wire, *, practice: str, concurrency: int = 4) -> None:
        self._wire = wire
        self._practice = practice
        self._width = concurrency
        self.batch = 50 * concurrency
        self._below = f"practices/{quote(practice, safe='')}"

    @cached_property
    def _able(self) -> dict[str, bool]:
        """What the portal offers; asked once. Raises FatalError when it does not keep this contract."""
        answer = self._wire.ask("GET", "capabilities")
        if not answer.ok or answer.value.get("contract") != CONTRACT:
            raise FatalError(f"The portal does not answer as the contract says ({answer.status}). {_ADDRESS}")
        version = str(answer.value.get("version", ""))
        if version.partition(".")[0] != MAJOR:
            raise FatalError(
                f"The portal speaks version {version[:10] or 'nothing'} of the contract, and the adapter {MAJOR}. "
                "Ask the portal's maker for an address with that version, or update the adapter."
            )
        offers = answer.value.get("offers")
        return {key: value is True for key, value in offers.items()} if isinstance(offers, dict) else {}

    @property
    def offers(self) -> Offers:
        """See ``Portal.offers``."""
        able = self._able
        return Offers(
            registration=able.get("registration", False),
            home_page=able.get("home_page", False),
            until=able.get("until", False),
            strangers=True,
        )

    def put_accounts(
        self, batch: Sequence[PortalAccount], *, new: Collection[str] = frozenset()
    ) -> dict[str, DeliveryError]:
        """See ``Portal.put_accounts``."""
        assert self._able is not None
        return put_all(batch, lambda one: self._put(one, new=one.key in new), width=self._width)

    def _put(self, account: PortalAccount, *, new: bool = False) -> None:
        version, answer = "" if new else self._read(account.key)[1], None
        for _ in range(_AGAIN):
            answer = self._change(self._account(account.key), to_record(account), version)
            if answer.ok:
                if answer.value.get("key") != account.key:
                    raise RetriableError("The portal's answer to a change is not the account.")
                return
            if answer.value.get("type") == TAKEN:
                words = "another account there has this e-mail address already."
                raise DeliveryError(words, permanent=True, code=COLLISION)
            if answer.status not in _CHANGED:
                break
            version = self._read(account.key)[1]  # somebody was faster: read again, then decide again
        assert answer is not None
        if answer.status in _CHANGED - {409}:
            raise DeliveryError("The account changes in the portal all the time. It is asked again.", permanent=False)
        words = scrubbed(answer.value.get("detail") or answer.value.get("title"), account)
        raise DeliveryError(f"{words or 'it gives no reason'} ({answer.status})", permanent=True)

    def _change(self, path: str, value: Any, version: str) -> Answer:
        """Replaces what has this version, or makes what is not there (RFC 9110 §13.1)."""
        headers = {"If-Match": version} if version else {"If-None-Match": "*"}
        headers["Idempotency-Key"] = secrets.token_hex(16)  # of this change, not of its content: it may come again
        return self._wire.ask("PUT", path, value, headers=headers)

    def _read(self, key: str) -> tuple[dict[str, Any] | None, str]:
        """The account and its version; None and nothing when it is not there."""
        answer = self._wire.ask("GET", self._account(key))
        if answer.status in _GONE:
            return None, ""
        if not answer.ok or answer.value.get("key") != key:
            raise RetriableError(f"The portal does not show an account ({answer.status}).")
        if not answer.version:
            raise RetriableError("The portal gives no ETag with an account, so nobody knows whether it has changed.")
        return answer.value, answer.version

    def _account(self, key: str) -> str:
        return f"{self._below}/accounts/{quote(key, safe='')}"

    def shut(self, key: str) -> None:
        """See ``Portal.shut``."""
        value, version = self._read(key)
        if value is None:
            return
        closed = from_record(key, value)._replace(active=False, status="closed")
        answer = self._change(self._account(key), to_record(closed), version)
        if not answer.ok and answer.status not in _GONE:
            raise RetriableError(f"The portal did not close an account ({answer.status}).")

    def get_accounts(self, keys: Collection[str]) -> dict[str, PortalAccount]:
        """See ``Portal.get_accounts``."""
        found: dict[str, PortalAccount] = {}

        def look(account: PortalAccount) -> None:
            value, _ = self._read(account.key)
            if value is not None:
                found[account.key] = from_record(account.key, value)

        asked = [PortalAccount(key, "", "", True, "") for key in sorted(keys)]
        if asked and (missed := put_all(asked, look, width=self._width)):
            raise RetriableError(str(next(iter(missed.values()))))
        return found

    def accounts(self) -> Iterator[PortalAccount]:
        """See ``Portal.accounts``: page by page, each once."""
        for value in self._walk(f"{self._below}/accounts", "key"):
            yield from_record(value["key"], value)

    def strangers(self) -> Iterator[Stranger]:
        """See ``Portal.strangers``."""
        if self._able.get("adoption"):
            for value in self._walk("unlinked-accounts", "handle"):
                yield Stranger(value["handle"], from_record("", value))

    def _walk(self, path: str, name: str) -> Iterator[dict[str, Any]]:
        """Every account of a list, by its ``next``. Raises RetriableError when the list breaks off or turns round."""
        seen: set[str] = set()
        cursors: set[str] = set()
        params: dict[str, str] = {}
        while True:
            answer = self._wire.ask("GET", path, params=params)
            rows = answer.value.get("accounts")
            if not answer.ok or not isinstance(rows, list) or not all(isinstance(one, dict) for one in rows):
                raise RetriableError(f"The portal does not list its accounts ({answer.status}).")
            for row in rows:
                if not isinstance(row.get(name), str):
                    raise RetriableError("The portal's list has an account without its name.")
                if row[name] not in seen:
                    seen.add(row[name])
                    yield row
            cursor = answer.value.get("next")
            if cursor is None:
                return
            if not isinstance(cursor, str) or cursor in cursors:
                raise RetriableError("The portal's list of accounts has no end.")
            cursors.add(cursor)
            params = {"after": cursor}

    def adopt(self, handle: str, key: str) -> None:
        """See ``Portal.adopt``."""
        answer = self._wire.ask("PUT", f"{self._account(key)}/link", {"handle": handle})
        if not answer.ok:
            raise DeliveryError(
                f"The account in the portal is gone, or somebody else's by now ({answer.status}).", permanent=True
            )

    def remove(self, key: str) -> None:
        """See ``Portal.remove``."""
        self._wire.ask("DELETE", self._account(key))

    def kept(self, account: PortalAccount) -> PortalAccount:
        """See ``Portal.kept``."""
        return kept(account)

    def put_home(self, home: HomePage) -> None:
        """See ``Portal.put_home``."""
        if not self.offers.home_page:
            raise DeliveryError("The portal has no place for a home page.", permanent=True)
        params = {"organization": home.organization} if home.organization else {}
        answer = self._wire.ask("PUT", f"{self._below}/home-page", to_home(home), params=params)
        if not answer.ok:
            raise DeliveryError(f"The portal refused the home page ({answer.status}).", permanent=True)

    def get_home(self, organization: str = "") -> HomePage | None:
        """See ``Portal.get_home``."""
        if not self.offers.home_page:
            return None
        params = {"organization": organization} if organization else {}
        answer = self._wire.ask("GET", f"{self._below}/home-page", params=params)
        if answer.status in _GONE:
            return None
        if not answer.ok:
            raise RetriableError(f"The portal does not show its home page ({answer.status}).")
        return from_home(self._practice, organization, answer.value)

    def trust_clock(self, now: datetime) -> None:
        """See ``Portal.trust_clock``: this portal has a clock of its own."""

    def trials(self, account: PortalAccount) -> Iterator[Trial]:
        """See ``Portal.trials``."""
        return trials(self._wire, self._account(account.key), to_record(account))

    def check(self) -> str:
        """See ``Portal.check``."""
        able = [name.replace("_", " ") for name, value in sorted(self._able.items()) if value]
        answer = self._wire.ask("GET", f"{self._below}/accounts", params={"limit": "1"})
        if not answer.ok:
            raise RetriableError(f"The portal does not list its accounts ({answer.status}).")
        return f"The portal answers by the contract; it offers {', '.join(able) or 'nothing beyond accounts'}."
