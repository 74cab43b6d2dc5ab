"""Disagreements that are known and wait for the product: by kind, what it is."""

from tests.oracle.oracle import Oracle, alike

KNOWN: dict[str, str] = {}
"""None at present. test_known.py has the histories that were once here."""


def special_case(oracle: Oracle, place: tuple[str, str]) -> str:
    """What kind of family it is, where two parents or two entries are easily mixed up; empty for any other."""
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
