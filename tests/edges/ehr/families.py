"""A few charts and contacts for the reader tests; the canary must never show up in a message."""

from typing import Any

from adapter.ehr import Broken, Record

Json = dict[str, Any]
CANARY = "Canary"
OLD = "2026-01-01T00:00:00Z"


def patient(key: str, updated: str = OLD) -> Json:
    name = [{"family": CANARY, "given": ["Cañas"]}]
    return {"resourceType": "Patient", "id": key, "meta": {"lastUpdated": updated}, "name": name}


def contact(key: str, of: str, updated: str = OLD) -> Json:
    meta, chart = {"lastUpdated": updated}, {"reference": f"Patient/{of}"}
    return {"resourceType": "RelatedPerson", "id": key, "meta": meta, "patient": chart, "name": [{"family": CANARY}]}


def families(count: int = 5) -> list[Json]:
    """``count`` charts; every one but each third has a contact."""
    charts = [patient(f"p{number}") for number in range(1, count + 1)]
    return charts + [contact(f"c{number}", f"p{number}") for number in range(1, count + 1) if number % 3]


def refs(rows: list[Record | Broken]) -> set[str]:
    """``Type/id`` of everything read."""
    return {
        row.ref if isinstance(row, Broken) else f"{row.resource['resourceType']}/{row.resource.get('id')}"
        for row in rows
    }


def refs_of(resources: list[Json]) -> set[str]:
    return {f"{resource['resourceType']}/{resource['id']}" for resource in resources}


def quiet(what: str, done: int, total: int | None) -> None:
    """Nobody is watching."""
