"""No JSON value makes the mapper raise, and damaging one field of a record never makes its facts more permissive."""

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapter.core.facts import Authority, Contact, Ignored, Patient, Quarantined, Role
from adapter.core.mapping import Mapper
from adapter.profiles import load_profile

MAPPER = Mapper(load_profile("family-contacts"), base_url="https://ehr.example/fhir")
CANARY = "Xq7Canary"
AUTHORITY = "urn:fhir-portal-adapter:contact-authority"
ROLE_CODE = "http://terminology.hl7.org/CodeSystem/v3-RoleCode"

CONTACT: dict[str, Any] = {
    "resourceType": "RelatedPerson",
    "id": "r1",
    "meta": {"versionId": "3"},
    "extension": [{"url": AUTHORITY, "valueCode": "joint"}],
    "active": True,
    "patient": {"reference": "Patient/p1", "type": "Patient"},
    "relationship": [{"coding": [{"system": ROLE_CODE, "code": "MTH", "display": "mother"}], "text": "Mother"}],
    "name": [{"use": "official", "family": "Osei", "given": ["Abena"], "period": {"start": "2001"}}],
    "telecom": [
        {"system": "email", "value": "abena@work.example", "use": "work", "rank": 2},
        {"system": "email", "value": "abena@family.example", "use": "home", "rank": 1, "period": {"start": "2020"}},
    ],
    "birthDate": "1990-02-03",
    "period": {"start": "2015-01-01", "end": "2033"},
    "communication": [{"language": {"coding": [{"code": "en"}]}, "preferred": True}],
}
CLOSED: dict[str, Any] = CONTACT | {
    "active": False,
    "extension": [{"url": AUTHORITY, "valueCode": "none"}, {"url": AUTHORITY, "valueCode": "joint"}],
    "relationship": [{"coding": [{"system": ROLE_CODE, "code": "ONESELF"}], "text": "Mother"}],
    "telecom": [{"system": "email", "value": "not an address", "rank": 1}, {"system": "email", "value": "a@b.example"}],
    "implicitRules": "https://ehr.example/rules",
    "modifierExtension": [{"url": "https://ehr.example/negated", "valueBoolean": True}],
}
OPEN_BUT_SELF = {key: value for key, value in CLOSED.items() if key not in ("implicitRules", "modifierExtension")}
CHART: dict[str, Any] = {
    "resourceType": "Patient",
    "id": "p1",
    "meta": {"versionId": "9"},
    "active": False,
    "deceasedBoolean": True,
    "name": [{"text": "Nora Calloway"}],
    "telecom": [{"system": "email", "value": "nora@family.example", "use": "home"}],
    "birthDate": "2016-07-08",
    "identifier": [{"type": {"coding": [{"code": "MR"}]}, "value": "20417"}],
    "link": [{"other": {"reference": "Patient/p2"}, "type": "replaced-by"}],
}
BASES = {"contact": CONTACT, "quarantined": CLOSED, "self": OPEN_BUT_SELF, "chart": CHART}

JUNK: list[Any] = [
    *(
        None,
        "",
        [],
        {},
        0,
        -1,
        1.5,
        "\x00",
        "\ud800",
        "x" * 2000,
        [[]],
        [None],
        [{}],
        {"a": 1},
        [CANARY],
        {CANARY: CANARY},
    ),
    10**400,
    float("nan"),
]

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(sorted(CONTACT | CHART)) | st.text(max_size=5), inner, max_size=4)
    ),
    max_leaves=12,
)


def places(node: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in a record, from the root down."""
    children = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, child in children:
        yield (*path, key)
        yield from places(child, (*path, key))


def damaged(record: dict[str, Any], place: tuple[Any, ...], junk: Any) -> dict[str, Any]:
    copied = copy.deepcopy(record)
    node: Any = copied
    for key in place[:-1]:
        node = node[key]
    node[place[-1]] = junk
    return copied


PLACES = [
    pytest.param(record, place, id=f"{name}-{'.'.join(map(str, place))}")
    for name, record in BASES.items()
    for place in places(record)
]


def check_no_more_permissive(after: Contact | Patient, before: Contact | Patient) -> None:
    if isinstance(before, Contact):
        assert isinstance(after, Contact)
        assert after.patient in (before.patient, "")
        assert after.active <= before.active
        assert (after.start, after.end) == (before.start, before.end)
        assert after.role in (before.role, Role.SELF, Role.UNKNOWN)
        assert after.authority in (before.authority, Authority.UNKNOWN)
        assert after.email_key in (before.email_key, "")
        assert (after.email_start, after.email_end) == (before.email_start, before.email_end) or not after.email_key
        assert after.birth_date == before.birth_date
    else:
        assert isinstance(after, Patient)
        assert after.active <= before.active
        assert after.deceased >= before.deceased
        assert bool(after.replaced_by) >= bool(before.replaced_by)
        assert after.emails == before.emails
        assert after.birth_date == before.birth_date


@pytest.mark.parametrize(("whole", "place"), PLACES)
def test_damaging_one_field_never_makes_a_record_more_permissive(whole: dict[str, Any], place: tuple[Any, ...]) -> None:
    before = MAPPER.read(whole)
    for junk in JUNK:
        record = damaged(whole, place, junk)
        after = MAPPER.read(record)
        assert MAPPER.read(record) == after
        if isinstance(after, Patient | Contact):
            assert isinstance(before, Patient | Contact), "a record that was put aside passes once it is damaged"
            check_no_more_permissive(after, before)
        else:
            assert CANARY not in f"{after}"
        if isinstance(after, Quarantined):
            assert after.path
            assert after.problem


@pytest.mark.parametrize(
    "place", [place for place in places(CONTACT) if place[0] not in ("meta", "name", "communication")], ids=str
)
def test_removing_one_field_of_a_good_contact_opens_nothing_new(place: tuple[Any, ...]) -> None:
    copied = copy.deepcopy(CONTACT)
    node: Any = copied
    for key in place[:-1]:
        node = node[key]
    del node[place[-1]]
    before, after = MAPPER.read(CONTACT), MAPPER.read(copied)
    assert isinstance(before, Contact)
    if isinstance(after, Contact):
        assert after.patient in (before.patient, "")
        assert after.role in (before.role, Role.UNKNOWN)
        assert after.authority in (before.authority, Authority.UNKNOWN)
        assert after.email_key in ("abena@family.example", "abena@work.example", "")


@given(JSON)
@settings(max_examples=300)
def test_any_json_value_is_read_without_an_exception(value: Any) -> None:
    assert isinstance(MAPPER.read(value, "file:1"), Patient | Contact | Quarantined | Ignored)


@given(
    st.sampled_from(["Patient", "RelatedPerson"]),
    st.dictionaries(st.sampled_from(sorted(CONTACT | CHART)), JSON, max_size=8),
)
@settings(max_examples=300)
def test_any_content_of_a_patient_or_contact_is_read_without_an_exception(kind: str, content: dict[str, Any]) -> None:
    resource = content | {"resourceType": kind, "id": "x1"}
    reading = MAPPER.read(resource)
    assert isinstance(reading, Patient | Contact | Quarantined)
    assert reading.ref == f"{kind}/x1"
    assert MAPPER.read(resource) == reading


def test_a_record_nested_beyond_all_reason_is_quarantined() -> None:
    deep: Any = "x"
    for _ in range(20_000):
        deep = {"extension": [{"url": AUTHORITY, "valueReference": deep}]}
    for element in ("extension", "name", "relationship", "implicitRules", "patient"):
        reading = MAPPER.read({"resourceType": "RelatedPerson", "id": "deep", element: deep})
        assert isinstance(reading, Quarantined) or element == "patient"


@pytest.mark.parametrize("kind", ["Patient", "RelatedPerson"])
def test_no_problem_ever_quotes_a_value(kind: str) -> None:
    base = CHART if kind == "Patient" else CONTACT
    for place in places(base):
        if place[-1] != "resourceType":
            reading = MAPPER.read(damaged(base, place, CANARY))
            if isinstance(reading, Quarantined):
                assert CANARY not in json.dumps([reading.path, reading.problem])
