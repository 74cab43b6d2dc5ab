"""Faults of single records. Nobody may get access through one, and nobody else may be touched."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import orjson

from tests.edges.ehr.scripted import Json, Reply
from tests.hostile.fault import End, Fault, Scene, Spoil


def _extra(*entries: Any) -> Spoil:
    def spoil(reply: Reply, _: Scene) -> None:
        reply.json["entry"].extend(deepcopy(entries))

    return spoil


def stranger(change: Callable[[Json], None]) -> Spoil:
    """Adds a contact that would be granted a chart of the page, were it not for ``change``."""

    def spoil(reply: Reply, _: Scene) -> None:
        rows = [entry["resource"] for entry in reply.json["entry"]]
        model = next(deepcopy(row) for row in rows if row["id"].endswith("mother"))
        model["id"] = "stranger"
        model["name"] = [{"family": "Canary Stranger", "given": ["Eve"]}]
        model["telecom"] = [{"system": "email", "value": "eve.canary@mail.example"}]
        change(model)
        reply.json["entry"].append({"resource": model, "search": {"mode": "include"}})

    return spoil


def _reference(reference: str) -> Spoil:
    return stranger(lambda row: row.update(patient={"reference": reference.format(id=_id_of(row))}))


def _id_of(row: Json) -> str:
    return str(row["patient"]["reference"]).removeprefix("Patient/")


def _contained(row: Json) -> None:
    row["contained"] = [{"resourceType": "Patient", "id": "kid"}]
    row["patient"] = {"reference": "#kid"}


def _identifier(row: Json) -> None:
    row["patient"] = {"identifier": {"system": "https://ehr.example/mrn", "value": f"MRN-{_id_of(row)}"}}


def _key_twice(reply: Reply, scene: Scene) -> None:
    stranger(lambda row: None)(reply, scene)
    reply.body = orjson.dumps(reply.json).replace(b'"id":"stranger"', b'"id":"stranger","active":true,"active":false')


# fmt: off
ROWS = [
    Fault(name="key twice in a record", does="gives an element of a record twice", end=End.ASIDE,
          told="has a key twice", spoil=_key_twice),
    Fault(name="entry without a resource", does="gives an entry that holds no resource", end=End.ASIDE,
          told="has no resource", spoil=_extra({"fullUrl": "urn:uuid:1"})),
    Fault(name="entry that is null", does="gives null as an entry", end=End.ASIDE,
          told="is not a JSON object", spoil=_extra(None)),
    Fault(name="resource that is text", does="gives text as a resource", end=End.ASIDE,
          told="is not a JSON object", spoil=_extra({"resource": "Canary"})),
    Fault(name="contact of a chart elsewhere", does="gives a contact of a chart on another server", end=End.COMPLETE,
          told="", spoil=_reference("https://other.example/fhir/Patient/{id}")),
    Fault(name="contact of a contained chart", does="gives a contact of a chart contained in itself", end=End.COMPLETE,
          told="", spoil=stranger(_contained)),
    Fault(name="contact by identifier", does="names a contact's chart by identifier only", end=End.COMPLETE, told="",
          spoil=stranger(_identifier)),
    Fault(name="contact of another type", does="gives a contact of a Practitioner", end=End.COMPLETE, told="",
          spoil=_reference("Practitioner/{id}")),
    Fault(name="contact without a chart", does="gives a contact without a patient", end=End.COMPLETE, told="",
          spoil=stranger(lambda row: row.pop("patient"))),
    Fault(name="unknown modifier", does="marks a contact with a modifier that nobody here knows", end=End.ASIDE,
          told="modifierExtension",
          spoil=stranger(lambda row: row.update(modifierExtension=[{"url": "urn:x", "valueBoolean": True}]))),
]
# fmt: on
