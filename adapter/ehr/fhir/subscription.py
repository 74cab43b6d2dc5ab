"""FHIR R4 Subscriptions at the EHR that are ours: created, looked after, removed (hl7.org/fhir/R4/subscription.html).

Ours are those whose channel leads to our endpoint, so that everything here can be done twice.
"""

import re
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from adapter.core.notice import STATUSES
from adapter.ehr import Check, Record
from adapter.ehr.bundle import reference
from adapter.ehr.fhir.answer import Refused, shown_outcome
from adapter.ehr.fhir.capability import probe
from adapter.ehr.fhir.client import Answer, Client
from adapter.ehr.fhir.paging import Search
from adapter.errors import SourceError

KINDS = ("Patient", "RelatedPerson")
REASON = "Keep the patient portal's accounts up to date"
LIVE = ("requested", "active")
LOOKS, PAUSE = 20, 0.5
"""How often, and how many seconds apart, a new Subscription is looked at until it is active."""

_REF = re.compile(r"Subscription/[A-Za-z0-9.-]{1,64}")
_GONE = (200, 202, 204, 404, 410)
_BY_HAND = "Have the EHR's support set them up by hand, as docs/push.md says."


@dataclass(frozen=True, slots=True)
class Found:
    """One Subscription of ours as the EHR shows it."""

    ref: str
    kind: str
    status: str
    as_wanted: bool
    """Whether header and payload, as far as the EHR shows them, are what we want now."""

    @property
    def good(self) -> bool:
        return self.as_wanted and self.status in LIVE


@dataclass(frozen=True)
class Subscriptions:
    """The Subscriptions of one practice: one for each of ``kinds``.

    ``endpoint`` is where notifications go, ``header`` the whole header line that makes them believed (a secret).
    """

    client: Client
    endpoint: str
    header: str = field(repr=False)
    payload: bool = True
    """Whether a notification carries the resource; only its name is used."""
    kinds: tuple[str, ...] = KINDS
    sleep: Callable[[float], None] = time.sleep

    def check(self) -> list[Check]:
        """A line for each kind; changes nothing."""
        try:
            if not self._offered():
                detail = "the EHR does not declare Subscriptions; whether it has any for us cannot be seen from here"
                return [Check("push Subscriptions", True, detail)]
            found = self._ours()
        except SourceError as error:
            return [Check("push Subscriptions", False, str(error))]
        return [self._line(kind, found) for kind in self.kinds]

    def subscribe(self) -> list[Check]:
        """Creates what is missing, replaces what is broken or not as wanted, and waits until all are active."""
        try:
            if not self._offered():
                detail = "the EHR does not declare that Subscriptions can be created"
                return [Check("push Subscriptions", False, detail, _BY_HAND)]
            for kind in self.kinds:
                self._one(kind)
            found = self._settled()
        except SourceError as error:
            return [Check("push Subscriptions", False, str(error), _BY_HAND)]
        return [self._line(kind, found) for kind in self.kinds]

    def unsubscribe(self) -> list[Check]:
        """Removes all that are ours."""
        try:
            ours = self._ours()
            for one in ours:
                self._remove(one)
        except SourceError as error:
            return [Check("push Subscriptions", False, str(error))]
        return [Check("push Subscriptions", True, f"{len(ours)} removed" if ours else "there were none")]

    def _offered(self) -> bool:
        """Whether /metadata lists Subscription, and creating it where interactions are listed."""
        statement = probe(self.client).statement
        entries = [entry for rest in _dicts(statement.get("rest")) for entry in _dicts(rest.get("resource"))]
        entry = next((entry for entry in entries if entry.get("type") == "Subscription"), None)
        interactions = {one.get("code") for one in _dicts(entry.get("interaction"))} if entry else set()
        return entry is not None and (not interactions or "create" in interactions)

    def _one(self, kind: str) -> None:
        """Leaves exactly one good Subscription of this kind."""
        ours = [one for one in self._ours() if one.kind == kind]
        keep = next((one for one in ours if one.good), None)
        for one in ours:
            if one is not keep:
                self._remove(one)
        if keep is None:
            self._create(kind)

    def _create(self, kind: str) -> None:
        channel: dict[str, Any] = {"type": "rest-hook", "endpoint": self.endpoint, "header": [self.header]}
        if self.payload:
            channel["payload"] = "application/fhir+json"
        wanted = {
            "resourceType": "Subscription",
            "status": "requested",
            "reason": REASON,
            "criteria": f"{kind}?",
            "channel": channel,
        }
        what = "POST Subscription"
        self._accepted(self.client.post(self.client.base.join("Subscription"), wanted, what), what, (200, 201))

    def _remove(self, one: Found) -> None:
        what = f"DELETE {one.ref}"
        self._accepted(self.client.delete(self.client.base.join(one.ref), what), what, _GONE)

    def _accepted(self, answer: Answer, what: str, expected: Iterable[int]) -> None:
        if answer.status in expected:
            return
        remedy = "Ask the EHR's support."
        if answer.status in (401, 403):
            remedy = (
                "The EHR does not let this client write Subscriptions: ask for the scope system/Subscription.cruds."
            )
        raise Refused(f"{what}: answered {answer.status}{shown_outcome(answer, self.client.max_body)}. {remedy}")

    def _settled(self) -> list[Found]:
        """Ours, as soon as none is merely requested any more; at the latest after ten seconds."""
        found = self._ours()
        for _ in range(LOOKS):
            if {one.kind for one in found} >= set(self.kinds) and all(one.status != "requested" for one in found):
                break
            self.sleep(PAUSE)
            found = self._ours()
        return found

    def _ours(self) -> list[Found]:
        """Asked for by endpoint where the EHR knows that search, and looked through in any case."""
        try:
            search = Search(self.client, "Subscription", {"url": self.endpoint, "_count": "50"})
        except Refused:
            search = Search(self.client, "Subscription", {"_count": "50"})
        parts = [part for page in search.pages() for part in page.parts]
        found = [self._found(part.resource) for part in parts if isinstance(part, Record)]
        return list(dict.fromkeys(one for one in found if one is not None))

    def _found(self, resource: dict[str, Any]) -> Found | None:
        channel, ref = resource.get("channel"), reference(resource)
        if not isinstance(channel, dict) or channel.get("endpoint") != self.endpoint or not _REF.fullmatch(ref):
            return None
        kind, _, filters = str(resource.get("criteria", "")).partition("?")
        shown = channel.get("header")
        same_header = not shown or shown == [self.header]
        wanted = same_header and bool(channel.get("payload")) == self.payload
        status = resource.get("status")
        known = status if isinstance(status, str) and status in STATUSES else "unknown"
        return Found(ref, "" if filters else kind, known, wanted)

    def _line(self, kind: str, found: list[Found]) -> Check:
        what = f"push Subscription of {kind}"
        mine = sorted((one for one in found if one.kind == kind), key=lambda one: one.status != "active")
        if not mine:
            return Check(what, False, "there is none", "Create it: adapter check --subscribe")
        best = mine[0]
        if best.status != "active":
            remedy = "See that the EHR can reach public_url, then: adapter check --subscribe"
            return Check(what, False, f"{best.status} ({best.ref})", remedy)
        if not best.as_wanted:
            return Check(what, False, f"another secret or payload ({best.ref})", "Renew it: adapter check --subscribe")
        return Check(what, True, f"active ({best.ref})")


def _dicts(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
