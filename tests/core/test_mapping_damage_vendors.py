"""Damaging one field of any profile's example opens a chart for nobody who did not see it before."""

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from adapter.core.decide import decide_chart
from adapter.core.facts import Contact, Patient, Reading
from adapter.core.mapping import Mapper
from adapter.core.policy import Policy
from adapter.ehr import Record
from adapter.ehr.bundle import unfold
from adapter.jobs.bench import as_read
from adapter.profiles import data_folder, load_profile
from tests.core.personas import NOW
from tests.core.test_mapping_damage import damaged, places
from tests.core.test_mapping_examples import example_of

JUNK: list[Any] = [None, "", [], {}, 0, "\x00", "x" * 2000, [None], {"a": 1}, 1.5]
EXAMPLES = [
    path
    for path in sorted(data_folder("mappings").glob("*/examples/*.json"))
    if path.parts[-3] not in ("family-contacts", "us-core")
]
A_CHILD = "2019-01-01"


def readings(mapper: Mapper, resource: Any) -> list[Reading]:
    parts = as_read(mapper.profile, list(unfold(resource, "")))
    return [mapper.read(part.resource) for part in parts if isinstance(part, Record)]


def openings(found: list[Reading]) -> set[tuple[str, str]]:
    """Who would see which chart: by address, with a child's chart where the example has none."""
    charts = {each.ref: each for each in found if isinstance(each, Patient)}
    contacts = [each for each in found if isinstance(each, Contact)]
    opened = set()
    for ref in {contact.patient for contact in contacts}:
        there = tuple(contact for contact in contacts if contact.patient == ref)
        chart = charts.get(ref, Patient(ref, "", birth_date=A_CHILD))
        outcomes = decide_chart(chart, there, Policy(), NOW).outcomes
        opened |= {(ref, contact.email_key) for contact in there if outcomes[contact.ref].opens}
    return opened


def without(record: dict[str, Any], place: tuple[Any, ...]) -> dict[str, Any]:
    copied = copy.deepcopy(record)
    node: Any = copied
    for key in place[:-1]:
        node = node[key]
    del node[place[-1]]
    return copied


def keys_of_statements(record: Any) -> Iterator[tuple[Any, ...]]:
    """Every key that belongs to what a record says of Role and Authority.

    Whole statements in a list are not keys; nor are periods, since FHIR says that none is an open one.
    """
    for place in places(record):
        node: Any = record
        for key in place:
            node = node[key]
        is_said = isinstance(place[-1], str) and {"relationship", "extension"} & set(place)
        if is_said and "valuePeriod" not in f"{place} {node}":
            yield place


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: f"{path.parts[-3]}/{path.stem}")
def test_damage_opens_a_chart_for_nobody(path: Path) -> None:
    mapper = Mapper(load_profile(path.parts[-3]))
    record = example_of(path)["resource"]
    before = openings(readings(mapper, record))
    for place in places(record):
        for junk in JUNK:
            after = openings(readings(mapper, damaged(record, place, junk)))
            assert after <= before, f"{place} as {junk!r}"


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: f"{path.parts[-3]}/{path.stem}")
def test_losing_a_part_of_what_is_said_of_role_and_authority_opens_a_chart_for_nobody(path: Path) -> None:
    mapper = Mapper(load_profile(path.parts[-3]))
    record = example_of(path)["resource"]
    before = openings(readings(mapper, record))
    for place in keys_of_statements(record):
        assert openings(readings(mapper, without(record, place))) <= before, place


def test_some_of_the_examples_do_open_a_chart() -> None:
    opened = {
        path.parts[-3]
        for path in EXAMPLES
        if openings(readings(Mapper(load_profile(path.parts[-3])), example_of(path)["resource"]))
    }
    assert opened == {"canvas", "medplum", "oracle-health"}
