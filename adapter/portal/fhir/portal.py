"""The FHIR connector at work: one transaction for each account, its Person and its Consents together or not at all."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime
from functools import cached_property
from itertools import islice
from typing import Any

from adapter.core.portal import PortalAccount
from adapter.errors import DeliveryError, FatalError, RetriableError
from adapter.portal import HomePage, Offers, Stranger, Trial
from adapter.portal.fhir.records import ACCOUNT, PRACTICE, closed, from_records, kept, key_of, to_consents
from adapter.portal.fhir.records import to_person as person_of
from adapter.portal.fhir.transaction import send
from adapter.portal.side_by_side import put_all
from adapter.portal.wire import Answer, Wire
from adapter.portal.words import scrubbed

_AGAIN = 3
_PAGE = 100
_CHANGED = frozenset({409, 412})
_ADDRESS = "Check portal.base_url in config.toml."
Resource = dict[str, Any]


class FhirPortal:
    """One practice's accounts at a FHIR R4 server."""

    offers = Offers(registration=True, until=True)

    def __init__(self, wire: Wire, *, practice: str, concurrency: int = 4) -> None:
        self._wire = wire
        self._practice = practice
        self._width = concurrency
        self.batch = 25 * concurrency

    @cached_property
    def _found_by(self) -> dict[str, str]:
        """The search parameter that finds ours, by type. Raises FatalError when this can be no portal for us."""
        answer = self._wire.ask("GET", "metadata")
        if not answer.ok or answer.value.get("resourceType") != "CapabilityStatement":
            raise FatalError(
                f"The portal is no FHIR server: it has no CapabilityStatement ({answer.status}). {_ADDRESS}"
            )
        version = str(answer.value.get("fhirVersion", ""))
        if not version.startswith("4.0"):
            raise FatalError(f"The portal speaks FHIR {version[:10] or 'of no version'}, not R4 (4.0). {_ADDRESS}")
        rest = [one for one in answer.value.get("rest", []) if isinstance(one, dict)]
        codes = {one.get("code") for one in _named(rest, "interaction")}
        if "transaction" not in codes:
            raise FatalError("The portal takes no transactions, so an account could be half changed. Ask its support.")
        by_identifier = {
            one.get("type")
            for one in _named(rest, "resource")
            if any(param.get("name") == "identifier" for param in _named([one], "searchParam"))
        }
        return {kind: "identifier" if kind in by_identifier else "_tag" for kind in ("Consent", "Person")}

    def put_accounts(
        self, batch: Sequence[PortalAccount], *, new: Collection[str] = frozenset()
    ) -> dict[str, DeliveryError]:
        """See ``Portal.put_accounts``."""
        assert self._found_by
        return put_all(batch, self._put, width=self._width)

    def _put(self, account: PortalAccount) -> None:
        for _ in range(_AGAIN):
            people, before = self._people(account.key), self._consents(account.key)
            try:
                wanted = to_consents(self._practice, account, before)
                person = person_of(self._practice, account, people[0] if people else None)
            except ValueError:
                raise DeliveryError("A field of the account is not valid in FHIR.", permanent=True) from None
            ids = {one.get("id") for one in wanted}
            over = [closed(one) for one in before if one.get("status") == "active" and one["id"] not in ids]
            answer = self._send([person, *wanted, *over, *(_off(one) for one in people[1:])])
            if answer.ok:
                return
            if answer.status not in _CHANGED:
                raise _refusal(answer, account)
        raise DeliveryError("The account changes in the portal all the time. It is asked again.", permanent=False)

    def shut(self, key: str) -> None:
        """See ``Portal.shut``."""
        people = self._people(key)
        if not people:
            return
        answer = self._send([*(_off(one) for one in people), *(closed(one) for one in self._consents(key))])
        if not answer.ok:
            raise RetriableError(f"The portal did not close an account ({answer.status}).")

    def get_accounts(self, keys: Collection[str]) -> dict[str, PortalAccount]:
        """See ``Portal.get_accounts``."""
        found: dict[str, PortalAccount] = {}

        def look(account: PortalAccount) -> None:
            if people := self._people(account.key):
                found[account.key] = from_records(account.key, people[0], self._consents(account.key))

        asked = [PortalAccount(key, "", "", True, "") for key in sorted(keys)]
        if asked and (missed := put_all(asked, look, width=self._width)):
            raise RetriableError(str(next(iter(missed.values()))))
        return found

    def accounts(self) -> Iterator[PortalAccount]:
        """See ``Portal.accounts``: page by page, each with its Consents."""
        assert self._found_by
        people = self._search("Person", {"_tag": f"{PRACTICE}|{self._practice}", "_count": str(_PAGE)})
        keys = iter({key: None for one in people if (key := key_of(self._practice, one)) is not None})
        while page := list(islice(keys, _PAGE)):
            found = self.get_accounts(page)
            yield from (found[key] for key in page if key in found)

    def strangers(self) -> Iterator[Stranger]:
        """See ``Portal.strangers``: a FHIR server has no user names, so nobody is in our way."""
        yield from ()

    def adopt(self, handle: str, key: str) -> None:
        """See ``Portal.adopt``."""
        raise DeliveryError("Accounts of a FHIR portal are not adopted: it has no user names.", permanent=True)

    def remove(self, key: str) -> None:
        """See ``Portal.remove``."""
        for one in (*self._consents(key), *self._people(key)):
            self._wire.ask("DELETE", f"{one['resourceType']}/{one['id']}")

    def kept(self, account: PortalAccount) -> PortalAccount:
        """See ``Portal.kept``."""
        return kept(account)

    def put_home(self, home: HomePage) -> None:
        """See ``Portal.put_home``."""
        raise DeliveryError("The portal has no place for a home page.", permanent=True)

    def get_home(self, organization: str = "") -> HomePage | None:
        """See ``Portal.get_home``."""
        return None

    def trust_clock(self, now: datetime) -> None:
        """See ``Portal.trust_clock``: this portal has a clock of its own."""

    def trials(self, account: PortalAccount) -> Iterator[Trial]:
        """See ``Portal.trials``: a FHIR server is asked for nothing more."""
        yield from ()

    def check(self) -> str:
        """See ``Portal.check``."""
        assert self._found_by
        next(self._search("Person", {"_tag": f"{PRACTICE}|{self._practice}", "_count": "1"}), None)
        return "The FHIR portal answers; it takes transactions."

    def _people(self, key: str) -> list[Resource]:
        """Our Person, in force before not; more than one only if a server took one twice."""
        return sorted(self._ours("Person", key), key=lambda one: (one.get("active") is False, one["id"]))

    def _consents(self, key: str) -> list[Resource]:
        return self._ours("Consent", key)

    def _ours(self, kind: str, key: str) -> list[Resource]:
        value = f"{ACCOUNT}|{self._practice}/{key}"
        found = self._search(kind, {self._found_by[kind]: value, "_count": str(_PAGE)})
        return [one for one in found if key_of(self._practice, one) == key and isinstance(one.get("id"), str)]

    def _send(self, resources: Sequence[Resource]) -> Answer:
        return send(self._wire, resources, self._found_by)

    def _search(self, kind: str, params: dict[str, str]) -> Iterator[Resource]:
        """Every match, page after page; only ones of this kind, whatever else a server adds."""
        answer, pages = self._wire.ask("GET", kind, params=params), 0
        while True:
            if not answer.ok or answer.value.get("resourceType") != "Bundle":
                raise RetriableError(f"The portal does not answer a search ({answer.status}).")
            entries = [one for one in answer.value.get("entry", []) if isinstance(one, dict)]
            for one in (entry.get("resource") for entry in entries):
                if isinstance(one, dict) and one.get("resourceType") == kind:
                    yield one
                elif isinstance(one, dict) and one.get("resourceType") == "OperationOutcome":
                    raise RetriableError("The portal does not do all of a search that was asked.")
            links = [one for one in answer.value.get("link", []) if isinstance(one, dict)]
            link = next((one.get("url") for one in links if one.get("relation") == "next"), None)
            if not isinstance(link, str):
                return
            pages += 1
            if pages > 100_000:
                raise RetriableError("The portal's search has no end.")
            answer = self._wire.follow(link)


def _named(parts: Iterable[Resource], name: str) -> list[Resource]:
    return [one for part in parts for one in part.get(name, []) if isinstance(one, dict)]


def _off(person: Resource) -> Resource:
    return {name: value for name, value in person.items() if name != "text"} | {"active": False}


def _refusal(answer: Answer, account: PortalAccount) -> Exception:
    if answer.status == 429 or answer.status >= 500:
        return RetriableError(f"The portal did not do all of a transaction ({answer.status}).")
    issues = answer.value.get("issue")
    first = issues[0] if isinstance(issues, list) and issues and isinstance(issues[0], dict) else {}
    details = first.get("details")
    said = first.get("diagnostics") or (details.get("text") if isinstance(details, dict) else None)
    words = scrubbed(said, account)
    return DeliveryError(f"{words or 'it gives no reason'} ({answer.status})", permanent=True)
