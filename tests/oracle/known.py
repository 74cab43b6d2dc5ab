"""Disagreements that are known and wait for the product: by kind, what it is. test_known.py says when one is over."""

from tests.oracle.oracle import Oracle, alike

KNOWN: dict[str, str] = {
    "review-opens-half-a-read": "A review after a read that broke off opens what rests on half a chart.",
    "portal-waits-for-the-clock": "After the clock was put back, what was queued before waits until it catches up.",
    "clock-back-opens": "After the clock was put back, what time had closed is opened again.",
    "mail-after-time-passed": "A Welcome leaves after a birthday or a period has closed the chart, before a run.",
    "a-no-in-a-conflict": "Of two people with Exclusive Authority one has another entry with None; their access stays.",
    "a-person-run-opens-elsewhere": "What was decided on one chart opens the one that the contact has moved to.",
    "namesakes": "A mother with Exclusive Authority and a father of the same name and address count as one person.",
}


def special_case(oracle: Oracle, place: tuple[str, str]) -> str:
    """The kind of a known disagreement about this address and chart; empty when it is none of those."""
    email, chart = place
    rows = [one for one in oracle.at_address.get(email, []) if one["chart"] == chart]
    parents = [one for one in rows if one["role"] in ("mother", "father") and one["names"]]
    pairs = [
        (a, b)
        for a in parents
        for b in parents
        if a["role"] < b["role"] and any(alike(x, y) for x in a["names"] for y in b["names"])
    ]
    if any("exclusive" in (a["last_authority"], b["last_authority"]) for a, b in pairs):
        return "namesakes"
    noes = [one for one in rows if one["authority"] == "none"]
    if noes and oracle.disputed(chart):
        return "a-no-in-a-conflict"
    return ""
