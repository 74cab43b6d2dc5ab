"""What an EHR's notification amounts to: the names of charts to read again, or only that something changed.

Nothing else of it is used: a notification is somebody's word, the EHR's own answer is the fact. Whatever cannot be
understood counts as "something changed", never as "nothing". Understood are R4 rest-hooks (empty, full, or with the id
in the address), the notification Bundles of the Subscriptions R5 Backport guide 1.1 (R4 ``Parameters``, R4B
``SubscriptionStatus``) and those of R5.
"""

import re
from dataclasses import dataclass
from typing import Any

MOST_REFS = 1000
"""A notification that names more than this is taken as "something changed"."""
STATUSES = frozenset({"requested", "active", "error", "off", "entered-in-error"})

_REF = re.compile(r"(?:Patient|RelatedPerson)/[A-Za-z0-9.-]{1,64}")
_SUBSCRIPTION = re.compile(r"(?:.*/)?(Subscription/[A-Za-z0-9.-]{1,64})")
_NUMBER = re.compile(r"[0-9]{1,15}")
_BUNDLES = ("history", "subscription-notification")
_SILENT = ("handshake", "heartbeat", "query-status")


@dataclass(frozen=True, slots=True)
class Channel:
    """What a topic-based notification says of its Subscription."""

    subscription: str
    """``Subscription/<id>``; empty when it cannot be read."""
    status: str = ""
    events: int | None = None
    """How many events there were since the Subscription began, this notification's included."""
    first: int | None = None
    """The number of the first event in this notification; None when it carries none."""
    begins: bool = False
    """A handshake: counting starts here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """What one notification asks for."""

    refs: frozenset[str] = frozenset()
    """Charts (``Patient/..``) and contacts (``RelatedPerson/..``) to read again."""
    deleted: frozenset[str] = frozenset()
    """Those of ``refs`` that are said to be gone; a search for what changed would not find them."""
    everything: bool = False
    """Something changed that is not named: read whatever changed."""
    channel: Channel | None = None


SOMETHING = Notice(everything=True)
"""A notification that names nothing."""


def read_notice(body: Any, *, base_url: str, named: str = "", deleted: bool = False) -> Notice:
    """The notice in a decoded body (None for an empty one); anything at all may stand in it.

    ``named`` is what the request says beside its body, as ``Type/id``: in its address (HAPI PUTs to
    ``<endpoint>/Patient/1``) or in a header (Medplum's deletions); ``deleted`` says that it is gone. ``base_url`` is
    the EHR's own.
    """
    notice = _of_body(body, base_url)
    if not _REF.fullmatch(named):
        return notice
    refs = frozenset({named}) | notice.refs
    gone = notice.deleted | (frozenset({named}) if deleted else frozenset())
    return Notice(refs=refs, deleted=gone, channel=notice.channel)


def missed(channel: Channel, known: int | None) -> bool:
    """Whether events may have been lost between the last notification, ``known`` events by then, and this one."""
    if channel.begins:
        return channel.events not in (None, 0, known)
    if channel.first is not None:
        return channel.first != (known or 0) + 1
    return channel.events is None or channel.events != (known or 0)


def _of_body(body: Any, base_url: str) -> Notice:
    if not isinstance(body, dict):
        return SOMETHING
    if body.get("resourceType") != "Bundle":
        ref = _name(body)
        return Notice(refs=frozenset({ref})) if ref else SOMETHING
    entries = _dicts(body.get("entry"))
    status = entries[0].get("resource") if entries else None
    if body.get("type") in _BUNDLES and isinstance(status, dict):
        if status.get("resourceType") == "Parameters":
            return _topic_based(_from_parameters(status), entries[1:], base_url)
        if status.get("resourceType") == "SubscriptionStatus":
            return _topic_based(status, entries[1:], base_url)
    return _of_entries(entries, base_url)


def _topic_based(status: dict[str, Any], entries: list[dict[str, Any]], base_url: str) -> Notice:
    """The events' focus names charts; where the content is full, the resources do too."""
    channel = _channel(status)
    if status.get("type") in _SILENT:
        return Notice(channel=channel)
    focus = [_target(event["focus"]) for event in _dicts(status.get("notificationEvent")) if "focus" in event]
    named = [_local(target, base_url) for target in focus]
    found = _of_entries(entries, base_url) if entries else Notice()
    refs = found.refs.union(filter(None, named))
    everything = not refs or not all(named) or found.everything
    return _capped(Notice(refs=refs, deleted=found.deleted, everything=everything, channel=channel))


def _channel(status: dict[str, Any]) -> Channel:
    subscription = _SUBSCRIPTION.fullmatch(_target(status.get("subscription")))
    numbers = [_number(event.get("eventNumber")) for event in _dicts(status.get("notificationEvent"))]
    told = status.get("status")
    return Channel(
        subscription[1] if subscription else "",
        told if isinstance(told, str) and told in STATUSES else "",
        _number(status.get("eventsSinceSubscriptionStart")),
        min((number for number in numbers if number is not None), default=None),
        begins=status.get("type") == "handshake",
    )


def _of_entries(entries: list[dict[str, Any]], base_url: str) -> Notice:
    """Each entry by its resource's name, else by the address of its request."""
    refs, deleted, unnamed = set(), set(), not entries
    for entry in entries:
        request = entry.get("request")
        asked = request if isinstance(request, dict) else {}
        ref = _name(entry.get("resource")) or _local(str(asked.get("url", "")), base_url)
        if ref:
            refs.add(ref)
            if asked.get("method") == "DELETE":
                deleted.add(ref)
        unnamed = unnamed or not ref
    return _capped(Notice(refs=frozenset(refs), deleted=frozenset(deleted), everything=unnamed))


def _capped(notice: Notice) -> Notice:
    if len(notice.refs) <= MOST_REFS:
        return notice
    return Notice(refs=notice.deleted, deleted=notice.deleted, everything=True, channel=notice.channel)


def _from_parameters(parameters: dict[str, Any]) -> dict[str, Any]:
    """The R4 form of a SubscriptionStatus, as the other form: ``notification-event`` becomes ``notificationEvent``."""
    status: dict[str, Any] = {"notificationEvent": []}
    for one in _dicts(parameters.get("parameter")):
        name = _camel(one.get("name"))
        if name == "notificationEvent":
            event = {_camel(part.get("name")): _value(part) for part in _dicts(one.get("part"))}
            status["notificationEvent"].append(event)
        else:
            status[name] = _value(one)
    return status


def _camel(name: Any) -> str:
    first, *rest = str(name).split("-")
    return first + "".join(word[:1].upper() + word[1:] for word in rest)


def _value(parameter: dict[str, Any]) -> Any:
    return next((value for key, value in parameter.items() if key.startswith("value")), None)


def _name(resource: Any) -> str:
    """``Type/id`` of a Patient or RelatedPerson; empty for anything else."""
    if not isinstance(resource, dict):
        return ""
    ref = f"{resource.get('resourceType')}/{resource.get('id')}"
    return ref if isinstance(resource.get("id"), str) and _REF.fullmatch(ref) else ""


def _target(reference: Any) -> str:
    target = reference.get("reference") if isinstance(reference, dict) else reference
    return target if isinstance(target, str) else ""


def _local(target: str, base_url: str) -> str:
    """``Type/id`` of a reference that is relative or below the EHR's own base; a version is left off."""
    path = target.removeprefix(base_url.rstrip("/") + "/").split("/_history/")[0]
    return path if _REF.fullmatch(path) else ""


def _number(value: Any) -> int | None:
    """A count, given as a number or (integer64 in R4 and R5) as text."""
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    return int(value) if isinstance(value, str) and _NUMBER.fullmatch(value) else None


def _dicts(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
