"""A second opinion on every decision, written from the rules in docs/rules.md alone: plain dicts in, an answer out.

Nothing here comes from the product, and nothing is clever: each rule is a sentence, in no particular order, over all
the records there are. Where the rules leave room the answer is "either"; where they forbid, it is always "forbidden".

A chart: ``active deceased replaced_by born names emails links damaged``. A contact: ``chart active start end role
authority garbled last_authority email email_old names born damaged``. Names are (given, family) pairs, dates ISO text,
``links`` ids of contacts; ``chart`` is None when it points nowhere. Records: ``{"charts": {id: ...}, "contacts": ...}``
"""

import re
import unicodedata
from calendar import isleap
from collections.abc import Sequence
from datetime import date, datetime
from difflib import SequenceMatcher
from functools import cache
from typing import Any

Dict = dict[str, Any]
FORBIDDEN, NOTHING_NEW, EITHER, ALLOWED = "forbidden", "nothing new", "either", "allowed"
ACCESS = ("none", "limited", "full")
KIN = ["mother", "father", "parent", "step_parent", "foster_parent", "grandparent", "sibling", "spouse", "child"]
ROLES = [*KIN, "guardian", "other_relative"]
POLICY: Dict = {"roles": ROLES, "bands": [(0, "full"), (18, "none")], "assumed_joint": []}


def remember(old: Dict | None, new: Dict) -> Dict:
    """What is known of a record after reading it: damage hides nothing that was known, a lost Authority is not lost."""
    if new["damaged"]:  # one that was never whole is not known to be anybody's
        return {**(old or {**new, "chart": None, "last_authority": "unknown"}), "damaged": True}
    if "authority" not in new:
        return new
    if new["chart"] is None and old:  # it still claims what it claimed where it was
        new = {**new, "chart": old["chart"], "damaged": True}
    before = old["last_authority"] if old and old["chart"] == new["chart"] else "unknown"
    return {**new, "last_authority": before if new["authority"] == "unknown" else new["authority"]}


@cache
def key(email: str) -> str:
    """The address as accounts are told apart by it."""
    local, _, domain = unicodedata.normalize("NFC", email.strip()).casefold().rpartition("@")
    return f"{local}@{domain.encode('idna').decode()}"


class Oracle:
    """What the rules say about these records at this moment (``now`` in the practice's own time zone)."""

    def __init__(self, records: Dict, now: datetime, policy: Dict = POLICY, answers: Sequence[Dict] = ()) -> None:
        self.charts, self.policy, self.now = records["charts"], policy, now
        self.on_chart: dict[str, list[Dict]] = {}
        self.at_address: dict[str, list[Dict]] = {}
        for contact in records["contacts"].values():
            self.on_chart.setdefault(contact["chart"], []).append(contact)
            if _usable(contact["email"]):
                self.at_address.setdefault(key(contact["email"]), []).append(contact)
        self.answers = [one for one in answers if self.seen(one) == one["seen"] and now.date() <= one["until"]]

    def seen(self, one: Dict) -> Any:
        """What somebody saw who answers about a contact on its chart, or about who uses an address."""
        if one["contact"]:
            rows = [x for x in self.on_chart.get(one["chart"], []) if x["id"] == one["contact"]]
        else:
            rows = [x for x in self.at_address.get(one["email"], []) if self._is_about(x)]
        plain = [
            x | {"email": (x["email"] or "").strip(), "garbled": x["authority"] == "unknown" and x["garbled"]}
            for x in rows
        ]
        return sorted(map(str, plain)), str(self.charts.get(one["chart"])) if one["contact"] else ""

    def answered(self, answer: str, **about: Any) -> bool:
        """Whether somebody has said so about exactly what stands there now."""
        return any(one["answer"] == answer and about.items() <= one.items() for one in self.answers)

    def verdict(self, email: str, chart: str) -> tuple[str, str]:
        """May the account of this address open this chart? FORBIDDEN, NOTHING_NEW, EITHER or ALLOWED; and why."""
        mine = self._rows(email, chart)
        refusals = [self._refused(one) or self._mailbox_shared(one, email) for one in mine]
        if not mine or all(refusals):
            return FORBIDDEN, "; ".join(str(why) for why in refusals) or "nobody on the chart has this address"
        if self.disputed(chart):
            return NOTHING_NEW, "two people with Exclusive Authority"
        if any(self._clear(one, email) for one in mine):
            return ALLOWED, "everything is in order"
        return EITHER, "the rules leave room"

    def disputed(self, chart: str) -> bool:
        """Whether two people have Exclusive Authority."""
        return any(_clearly_differ(a, b) for a in self._exclusive(chart) for b in self._exclusive(chart))

    def explicitly_closed(self, email: str, chart: str, contact: str = "") -> bool:
        """Whether the records say outright that this account must not open this chart (true even of half a read).

        Who once had the address says nothing about who has it now, but for the ``contact`` that the account rests on.
        """
        shut = chart in self.charts and not _is_live(self.charts[chart])
        mine = [one for one in self._rows(email, chart) if not one["email_old"] or one["id"] == contact]
        return shut or (bool(mine) and all(self._withdrawn(one) or one["authority"] == "none" for one in mine))

    def may_mail(self, email: str) -> bool:
        """Whether a Welcome email may leave for this address: only if some chart may be opened with it."""
        return any(self.verdict(email, one["chart"])[0] != FORBIDDEN for one in self.at_address.get(email, []))

    def widest_access(self, email: str, chart: str) -> str:
        """The most of the chart that this account may see."""
        return max((self._access(one) for one in self._rows(email, chart)), key=ACCESS.index, default="none")

    def stays(self, email: str, chart: str) -> bool:
        """Whether what is open stays open: two people have Exclusive Authority, and nothing else is against it."""
        rows = self._exclusive(chart)
        apart = all(a is b or (_clearly_differ(a, b) and a["email"] != b["email"]) for a in rows for b in rows)
        return len(rows) > 1 and apart and any(self._clear(x, email, frozen=True) for x in self._rows(email, chart))

    def allowed(self) -> list[tuple[str, str]]:
        """Every address and chart that clearly belong together."""
        places = {(email, one["chart"]) for email, rows in self.at_address.items() for one in rows}
        return [place for place in sorted(places, key=str) if self.verdict(*place)[0] == ALLOWED]

    def _rows(self, email: str, chart: str) -> list[Dict]:
        return [one for one in self.at_address.get(email, []) if one["chart"] == chart]

    def _refused(self, one: Dict, *, holds: bool = True) -> str:
        """Why this contact opens nothing, whoever else has its address; empty when nothing forbids it.

        Without ``holds`` only what no human's answer can change.
        """
        chart = self.charts.get(one["chart"])
        if chart is None or chart["damaged"] or one["damaged"] or not _is_live(chart):
            return "a record is damaged; or the chart is missing, inactive or merged, or the patient has died"
        if self._withdrawn(one) or self._not_begun(one):
            return "the contact is inactive, ended or not yet begun"
        stated = one["last_authority"] != "unknown" or one["garbled"]
        assumed = not stated and one["role"] in self.policy["assumed_joint"]
        if one["authority"] not in ("joint", "exclusive") and not assumed:
            return "no Authority"
        said = self.answered("approve", contact=one["id"], about="role") or not holds
        if one["role"] not in self.policy["roles"] and not (said and one["role"] != "self"):
            return "Self, or a role that is unknown or not allowed"
        if one["email_old"]:
            return "the address is an old one"
        if self._shut_out(one):
            return "somebody else has Exclusive Authority"
        if self._access(one) == "none":
            return "the patient's age"
        said = self.answered("approve", contact=one["id"], about="mailbox") or not holds
        if _is_own(one, chart) and not _may_be_patient(one, chart, self.now.date()) and not said:
            return "the address is the patient's own"
        if any(self._contradicts(one, other) for other in self.on_chart[one["chart"]]):
            return "the same person has Authority None in another entry"
        return ""

    def _withdrawn(self, one: Dict) -> bool:
        return not one["active"] or (bool(one["end"]) and date.fromisoformat(one["end"]) < self.now.date())

    def _not_begun(self, one: Dict) -> bool:
        return bool(one["start"]) and date.fromisoformat(one["start"]) > self.now.date()

    def _exclusive(self, chart: str) -> list[Dict]:
        """Contacts with Exclusive Authority that nothing explicit ended."""
        rows = [one for one in self.on_chart.get(chart, []) if one["last_authority"] == "exclusive"]
        return [x for x in rows if x["role"] != "self" and not self._withdrawn(x) and not self._not_begun(x)]

    def _shut_out(self, one: Dict) -> bool:
        """Beside one other person with Exclusive Authority. Entries with different addresses may be several people."""
        rows = self._exclusive(one["chart"])
        one_person = len(rows) == 1 or all(_clearly_same(x, rows[0]) and x["email"] == rows[0]["email"] for x in rows)
        others = all(_clearly_differ(one, other) for other in rows)
        return bool(rows) and one_person and others and one["last_authority"] != "exclusive"

    def _contradicts(self, one: Dict, other: Dict) -> bool:
        """The same person twice on one chart under one address, once with Authority None."""
        says_no = other["authority"] == "none" and other["role"] != "self" and not other["damaged"]
        if not says_no or other["email_old"] or self._withdrawn(other) or self._not_begun(other):
            return False
        return _usable(other["email"]) and key(other["email"]) == key(one["email"]) and _clearly_same(one, other)

    def _access(self, one: Dict) -> str:
        """By the patient's age, counted from the earliest day the birth date can mean; not for the patient's own."""
        chart, today = self.charts[one["chart"]], self.now.date()
        if _may_be_patient(one, chart, today):
            return "full"
        age = _age(chart["born"], today)
        return "none" if age is None else [str(access) for start, access in self.policy["bands"] if age >= start][-1]

    def _mailbox_shared(self, one: Dict, email: str) -> str:
        """Somebody else reads this mailbox who may not open this chart."""
        parents = {"mother", "father"} <= {x["role"] for x in self.at_address[email] if self._is_about(x)}
        if self.answered("same-person", email=email) and not parents:
            return ""
        approved = self.answered("approve", email=email, chart=one["chart"], contact="")
        for other in self.at_address[email]:
            if not self._is_about(other) or not _clearly_differ(one, other):
                continue
            rows = [row for row in self.at_address[email] if row is other or not _clearly_differ(row, other)]
            here = [row for row in rows if row["chart"] == one["chart"]]
            held_at_most = approved and not any(self._refused(row, holds=False) for row in here)
            if not held_at_most and not any(not self._refused(row) for row in here):
                return "somebody else uses the address"
        return ""

    def _is_about(self, one: Dict) -> bool:
        """Whether this contact is on a live chart today, and reads mail sent to this address."""
        chart = self.charts.get(one["chart"])
        sound = chart is not None and _is_live(chart) and not (chart["damaged"] or one["damaged"] or one["email_old"])
        return sound and not self._withdrawn(one) and not self._not_begun(one)

    def _clear(self, one: Dict, email: str, *, frozen: bool = False) -> bool:
        """Nothing at all speaks against this contact, nor leaves a doubt."""
        chart = self.charts.get(one["chart"])
        if (
            chart is None
            or self._refused(one)
            or one["authority"] == "unknown"
            or not one["names"]
            or _is_own(one, chart)
        ):
            return False
        if (_age(chart["born"], self.now.date()) or 0) >= self.policy["bands"][-1][0] and not _is_patient(one, chart):
            return False
        sharing = [other for other in self.at_address[email] if other is not one]
        beside = [other for other in self.on_chart[one["chart"]] if other is not one]
        alone = all(_clearly_same(one, x) and not x["damaged"] and not x["email_old"] for x in sharing)
        joint = frozen or all(other["last_authority"] != "exclusive" for other in beside)
        return alone and joint and all(not other["damaged"] and _clearly_differ(one, other) for other in beside)


def _is_live(chart: Dict) -> bool:
    return bool(chart["active"] and not chart["deceased"] and not chart["replaced_by"])


def _usable(email: str | None) -> bool:
    return bool(email) and bool(re.fullmatch(r"[^@\s]+@[^@\s.]+(\.[^@\s.]+)+", str(email).strip()))


def _is_own(one: Dict, chart: Dict) -> bool:
    return key(one["email"]) in [key(each) for each in chart["emails"]]


def _age(born: str, today: date) -> int | None:
    """Whole years; 29 February counts as 28 February in other years. None when the date cannot be right."""
    if not re.fullmatch(r"\d{4}(-\d\d(-\d\d)?)?", born):
        return None
    first = date.fromisoformat((born + "-01-01")[:10])
    no_such_day = (first.month, first.day) == (2, 29) and not isleap(today.year)
    birthday = (2, 28) if no_such_day else (first.month, first.day)
    age = today.year - first.year - ((today.month, today.day) < birthday)
    return age if first <= today and age <= 130 else None


def _clearly_differ(one: Dict, other: Dict) -> bool:
    """Two people. What is neither clearly the same person nor clearly two stays open."""
    births = one["born"] and other["born"] and one["born"][:4] != other["born"][:4]
    if not one["names"] or not other["names"] or births or {one["role"], other["role"]} == {"mother", "father"}:
        return one is not other
    return one is not other and not any(alike(a, b) for a in one["names"] for b in other["names"])


def _clearly_same(one: Dict, other: Dict) -> bool:
    births = not one["born"] or not other["born"] or one["born"] == other["born"]
    return bool(one["names"]) and one["names"] == other["names"] and births and not _clearly_differ(one, other)


@cache
def alike(one: tuple[str, str], other: tuple[str, str]) -> bool:
    """Whether two names could be one person's: a given name that resembles the other's given or family name."""
    pairs = [(one[0], other[0]), (one[0], other[1]), (one[1], other[0])]
    return any(SequenceMatcher(None, a.casefold(), b.casefold()).ratio() >= 0.5 for a, b in pairs)


def _may_be_patient(one: Dict, chart: Dict, today: date) -> bool:
    """Whether the rules leave room for the contact to be the patient of the chart."""
    agree = one["born"] and (chart["born"].startswith(one["born"]) or one["born"].startswith(chart["born"] or "?"))
    too_little = (one["role"] in KIN or _age(chart["born"], today) is None) and not agree
    disagree = one["born"] and chart["born"] and one["born"][:4] != chart["born"][:4]
    similar = any(alike(a, b) for a in one["names"] for b in chart["names"])
    return one["id"] in chart["links"] or (similar and not disagree and not too_little)


def _is_patient(one: Dict, chart: Dict) -> bool:
    same_birth = bool(one["born"]) and len(one["born"]) == 10 and one["born"] == chart["born"]
    return one["id"] in chart["links"] or (same_birth and bool(one["names"]) and one["names"] == chart["names"])
