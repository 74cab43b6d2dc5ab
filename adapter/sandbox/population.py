"""Generates a practice of any size, family by family, for benchmarks: the same seed gives the same bytes."""

import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from typing import TypeVar

import orjson

from adapter.sandbox import names
from adapter.sandbox.charts import (
    IDENTIFIER_TYPE,
    LANGUAGE,
    MRN,
    ROLE_CODES,
    Resource,
    authority_extension,
    relationship,
)

T = TypeVar("T")

CHILDREN = (1, 2, 1, 2, 1, 3, 2, 1, 2, 1)
"""Children of ten families in a row: 1.6 a family, so 62,500 families have 100,000 children."""

_ContactKind = tuple[str, str, str | None, str]
_MOTHER: _ContactKind = ("m", "Mother", "joint", "good")
_FATHER: _ContactKind = ("f", "Father", "joint", "good")
_KINDS: tuple[tuple[int, tuple[_ContactKind, ...]], ...] = (
    (69, (_MOTHER, _FATHER)),
    (1, (("m", "Mother", "joint", "shared"), ("f", "Father", "joint", "shared"))),
    (12, (_MOTHER,)),
    (4, (("g", "Grandmother", "joint", "good"),)),
    (4, (("m", "Mother", "exclusive", "good"), ("f", "Father", "none", "good"))),
    (2, (_MOTHER, ("f", "Father", "exclusive", "good"))),
    (2, (_MOTHER, ("f", "Father", None, "good"))),
    (2, (_MOTHER, ("s", "Stepfather", "none", "good"))),
    (3, (("m", "Mother", "joint", "none"),)),
    (1, (("m", "Mother", "joint", "bad"),)),
)
"""Percent of families, and who is on their charts: 1.8 contacts a chart."""
_MIX = tuple(contacts for percent, contacts in _KINDS for _ in range(percent))
_PARENT_PATIENT = 0.016
"""Of the families whose contact is a mother: about one chart in a hundred is a parent's own."""

_TOWNS = (
    ("Millbrook", "NY", "12545"),
    ("Ashford", "CT", "06278"),
    ("Brookline", "MA", "02445"),
    ("Dover", "NH", "03820"),
)
_MAILBOXES = ("mail.example", "post.example", "inbox.example", "home.example")
_MEDICAL_RECORD = {"coding": [{"system": IDENTIFIER_TYPE, "code": "MR"}]}
_ORGANIZATION = {"reference": "Organization/main-street"}
_ENGLISH = [{"language": {"coding": [{"system": LANGUAGE, "code": "en"}]}, "preferred": True}]
_SPANISH = [{"language": {"coding": [{"system": LANGUAGE, "code": "es"}]}, "preferred": True}]
_RELATIONSHIPS = {text: [relationship(text, code)] for text, code in ROLE_CODES.items()}
_AUTHORITIES = {value: [authority_extension(value)] for value in ("joint", "exclusive", "none")}
_GENDER = {"Mother": "female", "Grandmother": "female", "Father": "male", "Stepfather": "male"}


def population(families: int, *, today: date, seed: int = 1) -> Iterator[Resource]:
    """Yields the charts and Family Contacts of so many families, each chart before its contacts.

    Ids count the families from 1 (``f000001-c1``). Nothing is kept: memory stays flat. Parts of the values are
    shared between resources, so treat them as read-only.
    """
    rng = random.Random(seed)
    meta = {"versionId": "1", "lastUpdated": f"{today - timedelta(days=1)}T06:00:00.000Z"}
    for number in range(1, families + 1):
        yield from _family(number, rng=rng, today=today, meta=meta)


def write_ndjson(folder: Path, resources: Iterable[Resource]) -> dict[str, int]:
    """Writes each resource as a line of ``<type>.ndjson`` in ``folder``; returns how many of each type."""
    folder.mkdir(parents=True, exist_ok=True)
    counts = {"Patient": 0, "RelatedPerson": 0}
    with (folder / "Patient.ndjson").open("wb") as charts, (folder / "RelatedPerson.ndjson").open("wb") as contacts:
        files = {"Patient": charts, "RelatedPerson": contacts}
        for resource in resources:
            kind = resource["resourceType"]
            files[kind].write(orjson.dumps(resource, option=orjson.OPT_APPEND_NEWLINE))
            counts[kind] += 1
    return counts


@dataclass(frozen=True, slots=True)
class _Person:
    """Somebody on the charts of one family: the same on each of them."""

    key: str
    role: str
    authority: str | None
    email: str | None
    name: list[Resource]
    birth_date: str
    phone: str


def _family(number: int, *, rng: random.Random, today: date, meta: Resource) -> Iterator[Resource]:
    pick = rng.random
    surname = _pick(names.SURNAME_STARTS, rng) + _pick(names.SURNAME_ENDS, rng)
    home = [_address(number, rng)]
    spanish = pick() < 0.12
    people = [_person(number, kind, surname, rng=rng, today=today) for kind in _MIX[int(pick() * 100)]]
    for child in range(1, CHILDREN[number % 10] + 1):
        chart = f"f{number:06d}-c{child}"
        girl = pick() < 0.5
        given = _pick(names.GIRLS if girl else names.BOYS, rng)
        born = (today - timedelta(days=int(pick() * 17.9 * 365))).isoformat()
        gender = "female" if girl else "male"
        yield _chart(chart, _name(given, surname), gender, born, meta=meta, home=home, phone=people[0].phone)
        for person in people:
            yield _contact(chart, person, meta=meta, home=home, spanish=spanish)
    if people[0].role == "Mother" and pick() < _PARENT_PATIENT:
        yield from _own_chart(number, people[0], other_relative=pick() < 0.5, meta=meta, home=home)


def _own_chart(
    number: int, mother: _Person, *, other_relative: bool, meta: Resource, home: list[Resource]
) -> Iterator[Resource]:
    """A mother who is a patient herself: a Self row, and in half of the cases an Other Relative row beside it."""
    chart = f"f{number:06d}-p"
    yield _chart(chart, mother.name, "female", mother.birth_date, meta=meta, home=home, phone=mother.phone)
    yield _contact(chart, replace(mother, key="x", role="Self"), meta=meta, home=home, spanish=False)
    if other_relative:
        yield _contact(chart, replace(mother, key="r", role="Other Relative"), meta=meta, home=home, spanish=False)


def _person(number: int, kind: _ContactKind, surname: str, *, rng: random.Random, today: date) -> _Person:
    key, role, authority, mailbox = kind
    given = _pick(names.WOMEN if _GENDER[role] == "female" else names.MEN, rng)
    family = surname if rng.random() < 0.7 else _pick(names.SURNAME_STARTS, rng) + _pick(names.SURNAME_ENDS, rng)
    age = (52 if role == "Grandmother" else 20) + rng.random() * 24
    return _Person(
        key=key,
        role=role,
        authority=authority,
        email=_email(number, mailbox, f"{given}.{family}".lower(), rng),
        name=_name(given, family),
        birth_date=(today - timedelta(days=int(age * 365.25))).isoformat(),
        phone=f"+1-555-{int(rng.random() * 9000) + 1000}",
    )


def _email(number: int, mailbox: str, local: str, rng: random.Random) -> str | None:
    if mailbox == "none":
        return None
    if mailbox == "shared":
        return f"family{number}@home.example"
    separator = "@" if mailbox == "good" else " at "
    return f"{local}{number}{separator}{_pick(_MAILBOXES, rng)}"


def _chart(
    id: str, name: list[Resource], gender: str, born: str, *, meta: Resource, home: list[Resource], phone: str
) -> Resource:
    return {
        "resourceType": "Patient",
        "id": id,
        "meta": meta,
        "identifier": [{"use": "usual", "type": _MEDICAL_RECORD, "system": MRN, "value": f"MRN-{id}"}],
        "active": True,
        "name": name,
        "telecom": [{"system": "phone", "value": phone, "use": "home"}],
        "gender": gender,
        "birthDate": born,
        "address": home,
        "communication": _ENGLISH,
        "managingOrganization": _ORGANIZATION,
    }


def _contact(chart: str, person: _Person, *, meta: Resource, home: list[Resource], spanish: bool) -> Resource:
    telecom = [{"system": "phone", "value": person.phone, "use": "mobile"}]
    if person.email is not None:
        telecom.append({"system": "email", "value": person.email, "use": "home"})
    resource = {
        "resourceType": "RelatedPerson",
        "id": f"{chart}-{person.key}",
        "meta": meta,
        "active": True,
        "patient": {"reference": f"Patient/{chart}"},
        "relationship": _RELATIONSHIPS[person.role],
        "name": person.name,
        "telecom": telecom,
        "gender": _GENDER.get(person.role, "female"),
        "birthDate": person.birth_date,
        "address": home,
        "communication": _SPANISH if spanish else _ENGLISH,
    }
    if person.authority is not None:
        resource["extension"] = _AUTHORITIES[person.authority]
    return resource


def _name(given: str, family: str) -> list[Resource]:
    return [{"use": "official", "text": f"{given} {family}", "family": family, "given": [given]}]


def _address(number: int, rng: random.Random) -> Resource:
    city, state, postal_code = _pick(_TOWNS, rng)
    line = f"{number % 400 + 1} {_pick(names.STREETS, rng)}"
    return {"use": "home", "line": [line], "city": city, "state": state, "postalCode": postal_code, "country": "US"}


def _pick(values: Sequence[T], rng: random.Random) -> T:
    return values[int(rng.random() * len(values))]
