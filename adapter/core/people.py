"""Names, e-mail addresses and languages as FHIR's HumanName, ContactPoint and communication give them."""

import re
from typing import Any

from adapter.core.email import key_of, normalise
from adapter.core.facts import EmailProblem
from adapter.core.intake import Damaged, clean, period_of

_NAME_ORDER = {"official": 0, "usual": 1}
_OTHER_NAME, _FORMER_NAME = 2, 3
_FORMER_USES = ("old", "maiden")
_USE_ORDER = {"home": 0, "mobile": 1, "work": 2, "temp": 3}
_NO_RANK = 2**31

Mailbox = tuple[str, str, EmailProblem | None, str, str]
"""What a contact's telecom says: address, key, problem, start and end; see ``Contact``."""

_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*\Z")


def names_of(names: list[dict[str, Any]], path: str) -> tuple[str, ...]:
    """Display names, best first: official, usual, the order given; old, maiden and ended ones last. Raises Damaged."""
    if len(names) == 1:
        only = _display(names[0], path)
        return (only,) if only else ()
    ordered = sorted(names, key=_name_order)
    return tuple(dict.fromkeys(display for name in ordered if (display := _display(name, path))))


def _name_order(name: dict[str, Any]) -> int:
    use = name.get("use")
    if use in _FORMER_USES or "end" in name.get("period", ()):
        return _FORMER_NAME
    return _NAME_ORDER.get(use, _OTHER_NAME) if use else _OTHER_NAME


def _display(name: dict[str, Any], path: str) -> str:
    """The name as written, else given names and family name; without titles, which are no part of who somebody is."""
    if "text" in name and (written := clean(name["text"], path)):
        return written
    return clean(" ".join([part for part in (*name.get("given", ()), name.get("family")) if part]), path)


def mailbox_of(points: list[dict[str, Any]], path: str) -> Mailbox:
    """The one address that counts: not old, open-ended before ending, then by rank, use and order.

    A bad address that comes first is ``invalid`` even if a good one follows: the chart asks for a correction, and a
    damaged address must never send a Welcome email elsewhere. Raises Damaged for an absurd period.
    """
    current, old = [], False
    for point in points:
        if point.get("system") == "email":
            if point.get("use") != "old":
                current.append(point)
            else:
                old = True
    if not current:
        return "", "", EmailProblem.OLD if old else EmailProblem.MISSING, "", ""
    first = current[0] if len(current) == 1 else min(current, key=_point_order)
    start, end = period_of(first["period"], f"{path}.period") if "period" in first else ("", "")
    if "value" not in first:
        blank = all("value" not in point for point in current)
        return "", "", EmailProblem.MISSING if blank else EmailProblem.INVALID, start, end
    usable, problem = normalise(first["value"])
    if problem is not None:
        return "", "", problem, start, end
    return first["value"].strip(), key_of(usable), None, start, end


def own_emails(points: list[dict[str, Any]], path: str) -> tuple[str, ...]:
    """Keys of the patient's own addresses. Ending ones count: they can only make a rule stricter.

    A mistyped address is nobody's mailbox and is left out; a damaged or missing one hides whose mailbox it is.
    Raises Damaged for those.
    """
    keys: list[str] = []
    for point in points:
        if point.get("system") == "email" and point.get("use") != "old":
            usable, problem = normalise(point.get("value", ""))
            if problem is EmailProblem.MISSING or (problem and not clean(point["value"], path)):
                raise Damaged(path, "has an e-mail entry without an address")
            if problem is None and (key := key_of(usable)) not in keys:
                keys.append(key)
    return tuple(keys)


def _point_order(point: dict[str, Any]) -> tuple[bool, int, int]:
    return "end" in point.get("period", ()), point.get("rank", _NO_RANK), _USE_ORDER.get(point.get("use", ""), 4)


def language_of(communications: list[dict[str, Any]]) -> str:
    """BCP-47 code of the preferred language, else of the first one; empty when there is no such code."""
    if not communications:
        return ""
    chosen = communications[0]
    if len(communications) > 1:
        chosen = next((each for each in communications if each.get("preferred") is True), chosen)
    for coding in chosen["language"].get("coding", ()):
        code = coding.get("code", "")
        if _LANGUAGE.match(code):
            return str(code).lower()
    return ""
