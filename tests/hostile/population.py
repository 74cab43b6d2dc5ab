"""Twelve families on three pages, and what changes: on every page somebody is new and somebody is missing."""

from datetime import UTC, datetime
from typing import Any

from adapter.sandbox.charts import Resource, born, contact, patient

PAGE_SIZE = 4
PAGES = {"first": 1, "middle": 2, "last": 3}
CHANGES = {"cancel-welcome": 3, "close-account": 3, "end-grant": 3, "grant": 3, "open-account": 3, "queue-welcome": 3}
"""What a complete read of ``after`` does to an installation that has read ``before``."""
NEW, MISSING = (2, 6, 10), (3, 7, 11)


def before() -> list[Resource]:
    """Every child with its mother."""
    return [*_charts(), *(_mother(chart) for chart in _charts())]


def after() -> list[Resource]:
    """The same, but on every page one father was added and one mother is no longer listed."""
    charts = _charts()
    mothers = [_mother(chart) for number, chart in enumerate(charts, 1) if number not in MISSING]
    fathers = [_father(charts[number - 1]) for number in NEW]
    return [*charts, *mothers, *fathers]


def _charts() -> list[Resource]:
    today = datetime.now(UTC).date()
    return [
        _stamped(patient(f"p{number}", f"Robin Canary{number}", born(today, 6, number), "male"))
        for number in range(1, 13)
    ]


def _mother(chart: Resource) -> Resource:
    key = chart["id"]
    return _stamped(contact(chart, "mother", f"Ada Canary {key}", "Mother", "joint", f"ada.{key}@mail.example"))


def _father(chart: Resource) -> Resource:
    key = chart["id"]
    return _stamped(contact(chart, "father", f"Ben Canary {key}", "Father", "joint", f"ben.{key}@post.example"))


def _stamped(resource: Resource) -> Resource:
    meta: dict[str, Any] = {"versionId": "1", "lastUpdated": "2026-01-01T00:00:00Z"}
    return resource | {"meta": meta}
