"""Consents as a source of Authority: the strictest wins, and damage never opens anything."""

import copy
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapter.core.consent import Consent, ConsentRules, authority_from_consents, read_consent
from adapter.core.facts import Authority
from adapter.core.intake import References
from tests.core.test_mapping_damage import JSON, damaged, places

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
NHS = "https://fhir.nhs.uk/Id/nhs-number"
ACT = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
RULES = ConsentRules(categories=frozenset({f"{ACT}|INFA"}), identifier_system=NHS)
HERE = References(None)
MOTHER, MIA = frozenset({"RelatedPerson/r1", f"{NHS}|9990000026"}), frozenset({"Patient/mia", f"{NHS}|9990000018"})
JOINT, NOTHING, HELD, DENIED = Authority.JOINT, None, Authority.UNKNOWN, Authority.NONE


def consent(type: str | None = "permit", *, actor: str = "RelatedPerson/r1", **more: Any) -> dict[str, Any]:
    provision: dict[str, Any] = {} if type is None else {"type": type}
    if actor:
        provision["actor"] = [{"role": {"text": "proxy"}, "reference": {"reference": actor}}]
    return {
        "resourceType": "Consent",
        "id": "c1",
        "status": "active",
        "category": [{"coding": [{"system": ACT, "code": "INFA"}]}],
        "patient": {"reference": "Patient/mia"},
        "provision": provision | more.pop("provision", {}),
    } | more


def stated(*resources: dict[str, Any], now: datetime = NOW) -> Authority | None:
    found = [each for resource in resources if (each := read_consent(resource, RULES, HERE)) is not None]
    if any(each.problem and not each.patient for each in found):
        return HELD  # about nobody knows whom: then nothing is read at all
    answer = authority_from_consents(MOTHER, MIA, found, RULES, now)
    return None if answer is None else answer[0]


PERMIT, DENY = consent(), consent("deny")


@pytest.mark.parametrize(
    ("resources", "authority"),
    [
        ([], NOTHING),
        ([PERMIT], JOINT),
        ([DENY], DENIED),
        ([PERMIT, DENY], DENIED),
        ([PERMIT, PERMIT], JOINT),
        ([consent(actor="RelatedPerson/r2")], NOTHING),
        ([consent(actor="Practitioner/r1")], NOTHING),
        ([consent(actor="")], NOTHING),
        ([consent("deny", actor="")], DENIED),
        ([consent("deny", actor="RelatedPerson/r2"), PERMIT], JOINT),
        ([consent(None)], HELD),
        ([consent(None), PERMIT], HELD),
        ([consent(None, actor="")], HELD),
        ([consent(patient={"reference": "Patient/other"})], NOTHING),
        *(
            ([consent(status=status)], NOTHING)
            for status in ("draft", "proposed", "rejected", "inactive", "entered-in-error")
        ),
        ([consent(status="entered-in-error"), DENY], DENIED),
        ([consent(status="in-force")], HELD),
        ([consent(category=[{"coding": [{"system": ACT, "code": "RESEARCH"}]}])], NOTHING),
        ([consent("deny", category=[{"text": "information access"}])], DENIED),
        ([consent(provision={"period": {"start": "2026-01-01", "end": "2026-12-31"}})], JOINT),
        ([consent(provision={"period": {"end": "2026-11-23"}})], NOTHING),
        ([consent(provision={"period": {"end": "2026-11-24"}})], JOINT),
        ([consent(provision={"period": {"start": "2026-11-25"}})], NOTHING),
        ([consent("deny", provision={"period": {"end": "2025"}}), PERMIT], JOINT),
        ([consent(provision={"period": {"end": "soon"}})], HELD),
        ([consent(provision={"class": [{"code": "Observation"}]})], HELD),
        ([consent(provision={"purpose": [{"code": "TREAT"}]})], HELD),
        ([consent("deny", provision={"class": [{"code": "Observation"}]})], DENIED),
        ([consent(provision={"modifierExtension": [{"url": "urn:x"}]})], HELD),
        ([consent(modifierExtension=[{"url": "urn:x"}])], HELD),
        ([consent(implicitRules="urn:x")], HELD),
        ([consent("deny", implicitRules="urn:x"), PERMIT], HELD),
        ([{key: value for key, value in PERMIT.items() if key != "provision"}], HELD),
        ([{key: value for key, value in PERMIT.items() if key != "patient"}], HELD),
    ],
)  # fmt: skip
def test_the_strictest_consent_wins(resources: list[dict[str, Any]], authority: Authority | None) -> None:
    assert stated(*resources) is authority
    assert stated(*reversed(resources)) is authority


def test_provisions_inside_another_count_within_its_period() -> None:
    inner = {"type": "permit", "actor": PERMIT["provision"]["actor"], "period": {"start": "2020", "end": "2030"}}
    outer = consent(None, actor="", provision={"period": {"end": "2026-06-01"}, "provision": [inner]})
    assert stated(outer) is NOTHING
    assert stated(outer, now=datetime(2026, 5, 1, tzinfo=UTC)) is JOINT
    denied = consent(provision={"provision": [inner | {"type": "deny"}]})
    assert stated(denied) is DENIED


def test_actors_and_patients_may_go_by_number_where_the_profile_says_so() -> None:
    named = consent(patient={"identifier": {"system": NHS, "value": "9990000018"}})
    actor = {"reference": {"identifier": {"system": NHS, "value": "9990000026"}}}
    named["provision"]["actor"] = [actor]
    assert stated(named) is JOINT
    other = copy.deepcopy(named)
    other["provision"]["actor"][0]["reference"]["identifier"]["system"] = "urn:other"
    assert stated(other) is HELD
    assert read_consent(named, ConsentRules(), HERE) == Consent(
        "Consent/c1", "", problem="Consent.patient does not name a chart of this EHR"
    )


def test_the_permit_gives_the_authority_the_profile_says() -> None:
    rules = ConsentRules(permit=Authority.EXCLUSIVE)
    found = read_consent(PERMIT, rules, HERE)
    assert found and authority_from_consents(MOTHER, MIA, [found], rules, NOW) == (Authority.EXCLUSIVE, "")


BASES = {
    "permit": PERMIT,
    "deny": DENY,
    "ended": consent(provision={"period": {"start": "2020", "end": "2024"}}),
    "inactive": consent(status="inactive"),
    "other": consent(actor="RelatedPerson/r2"),
    "narrowed": consent(provision={"purpose": [{"system": "s", "code": "TREAT"}]}),
}
JUNK: list[Any] = [None, "", [], {}, 0, -1, 1.5, "\x00", "x" * 2000, [[]], [None], [{}], {"a": 1}]
PLACES = [
    pytest.param(base, place, id=f"{name}-{place}")
    for name, base in BASES.items()
    for place in places(base)
    if place != ("resourceType",)
]


@pytest.mark.parametrize(("base", "place"), PLACES)
def test_damaging_one_field_of_a_consent_opens_nothing(base: dict[str, Any], place: tuple[Any, ...]) -> None:
    """By itself, and beside another Consent that permits: a deny must not get lost."""
    for junk in JUNK:
        broken = damaged(base, place, junk)
        if stated(base) is not JOINT:
            assert stated(broken) is not JOINT, junk
        if stated(base, PERMIT) is not JOINT:
            assert stated(broken, PERMIT) is not JOINT, junk


@pytest.mark.parametrize("place", [place for place in places(DENY) if place[-1] != "resourceType"], ids=str)
def test_a_deny_that_loses_a_field_stays_one_or_holds(place: tuple[Any, ...]) -> None:
    lost = copy.deepcopy(DENY)
    node: Any = lost
    for key in place[:-1]:
        node = node[key]
    del node[place[-1]]
    assert stated(lost, PERMIT) in (DENIED, HELD)


@given(st.dictionaries(st.sampled_from(sorted(PERMIT)), JSON, max_size=7))
@settings(max_examples=300)
def test_any_content_of_a_consent_is_read_without_an_exception(content: dict[str, Any]) -> None:
    found = read_consent(content | {"resourceType": "Consent", "id": "c1"}, RULES, HERE)
    assert found is None or isinstance(found, Consent)
