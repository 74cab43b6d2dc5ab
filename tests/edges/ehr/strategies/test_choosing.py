"""Each way of reading an EHR: when it is taken, what proves it, and that it gives the same records as the others."""

from datetime import UTC, datetime
from typing import Any

import pytest

from adapter.core.search import SearchRules, StrategyName
from adapter.ehr import Broken, ReadResult, Record
from adapter.ehr.fhir import FhirReader
from tests.edges.ehr import scripted
from tests.edges.ehr.families import Json, contact, families, patient, quiet, refs, refs_of
from tests.edges.ehr.strategies.odd_ehr import OddEhr, first_of, first_ten_of, none_of

FAMILIES = families(45)
ALL = OddEhr.ALL
SEARCH_ONLY = ALL - {"revinclude"}
MARK = datetime(2026, 6, 1, tzinfo=UTC)


def reader(ehr: OddEhr, **more: Any) -> FhirReader:
    return FhirReader(ehr.base_url, page_size=25, sleep=lambda seconds: None, **more)


def read(ehr: OddEhr, **more: Any) -> tuple[list[Record | Broken], ReadResult]:
    result = ReadResult(full=True)
    return list(reader(ehr, **more).read(result, marks={}, progress=quiet)), result


@pytest.mark.parametrize("strategy", ["auto", "revinclude", "list", "batch", "each"])
def test_every_way_gives_every_record_once(strategy: StrategyName) -> None:
    with OddEhr(FAMILIES, batch=True) as ehr:
        rows, result = read(ehr, strategy=strategy)
        assert (refs(rows), result.complete, result.problems) == (refs_of(FAMILIES), True, [])
        assert len(rows) == len(FAMILIES)
        assert result.marks.keys() == {"Patient", "RelatedPerson"}


@pytest.mark.parametrize(
    ("declares", "batch", "looks_for", "taken"),
    [
        (ALL, True, None, "_revinclude"),
        (SEARCH_ONLY, True, None, "a list"),
        (SEARCH_ONLY, True, first_of, "a batch"),
        (SEARCH_ONLY, False, first_of, "a search of its own"),
        (SEARCH_ONLY, False, first_ten_of, "a search of its own"),
        (SEARCH_ONLY - {"patient"}, False, None, "a search of its own"),
        (SEARCH_ONLY - {"patient"}, True, None, "a batch"),
    ],
)
def test_the_best_way_that_is_declared_and_proven_is_taken(
    declares: frozenset[str], batch: bool, looks_for: Any, taken: str
) -> None:
    with OddEhr(FAMILIES, declares=declares, batch=batch, **({"looks_for": looks_for} if looks_for else {})) as ehr:
        rows, result = read(ehr)
        assert (refs(rows), result.complete) == (refs_of(FAMILIES), True)
        assert taken in result.strategy.split("because")[0]


def test_the_run_says_why_no_better_way_was_taken() -> None:
    with OddEhr(FAMILIES, declares=SEARCH_ONLY, looks_for=first_of) as ehr:
        _, result = read(ehr)
        assert "the EHR does not declare _revinclude" in result.strategy
        assert "the EHR leaves contacts out of a list of patients" in result.strategy
        assert "the EHR does not declare batch" in result.strategy


def test_a_list_takes_far_fewer_questions_than_one_for_each() -> None:
    asked = {}
    for strategy in ("list", "each"):
        with OddEhr(FAMILIES) as ehr:
            read(ehr, strategy=strategy)
            asked[strategy] = len(ehr.requests)
    assert asked["list"] < asked["each"] / 3


@pytest.mark.parametrize(
    ("strategy", "ehr_does", "why"),
    [
        ("list", {"looks_for": first_of}, "leaves contacts out of a list"),
        ("list", {"looks_for": first_ten_of}, "leaves contacts out of a list"),
        ("list", {"obeys": frozenset()}, "gives those of other charts"),
        ("each", {"looks_for": none_of}, "finds no contacts by patient, although there are some"),
        ("each", {"obeys": frozenset()}, "gives those of other charts"),
        ("revinclude", {"obeys": frozenset({"patient"})}, "does not obey _revinclude"),
        ("revinclude", {"obeys": frozenset({"patient"}), "self_links": False}, "does not obey _revinclude"),
        ("bulk", {}, "not set up for it"),
        ("patient-contact", {}, "reads contacts from RelatedPerson"),
    ],
)
def test_a_way_that_is_set_and_does_not_work_is_refused_in_one_line(
    strategy: StrategyName, ehr_does: dict[str, Any], why: str
) -> None:
    with OddEhr(FAMILIES, **ehr_does) as ehr:
        rows, result = read(ehr, strategy=strategy)
        assert (rows, result.complete, result.marks) == ([], False, {})
        (problem,) = result.problems
        assert f'strategy = "{strategy}" cannot be used' in problem and why in problem
        check = next(line for line in reader(ehr, strategy=strategy).check() if line.what == "EHR strategy")
        assert not check.ok and why in check.detail


def test_a_way_that_is_set_needs_no_declaration() -> None:
    with OddEhr(FAMILIES, declares=frozenset({"since"})) as ehr:
        rows, result = read(ehr, strategy="revinclude")
        assert (refs(rows), result.complete) == (refs_of(FAMILIES), True)


def test_an_include_that_breaks_off_half_way_is_noticed() -> None:
    def lose_the_last(reply: scripted.Reply) -> None:
        reply.json["entry"] = reply.json["entry"][:-1]

    with OddEhr(FAMILIES) as ehr:
        ehr.fault("Patient", lose_the_last, page=1, times=1)
        rows, result = read(ehr)
        assert (refs(rows), result.complete) == (refs_of(FAMILIES), True)
        assert "not all contacts came along" in result.strategy


def test_what_the_profile_avoids_is_not_tried() -> None:
    with OddEhr(FAMILIES) as ehr:
        rows, result = read(ehr, rules=SearchRules(avoid=("revinclude", "list")))
        assert (refs(rows), result.complete) == (refs_of(FAMILIES), True)
        assert 'the profile says to avoid "revinclude"' in result.strategy
        assert not any("_revinclude" in path or "," in path for path in ehr.requests)


def test_an_ehr_without_any_contact_is_read_too() -> None:
    with OddEhr([patient("p1"), patient("p2")], declares=SEARCH_ONLY) as ehr:
        rows, result = read(ehr)
        assert (refs(rows), result.complete) == ({"Patient/p1", "Patient/p2"}, True)


def failing(entries: list[Json]) -> list[Json]:
    return [{"response": {"status": "500 Oh"}} if number % 3 == 0 else entry for number, entry in enumerate(entries)]


def short(entries: list[Json]) -> list[Json]:
    return entries[:-1]


def swapped(entries: list[Json]) -> list[Json]:
    return entries[::-1]


def not_objects(entries: list[Json]) -> list[Json]:
    return ["Canary" for _ in entries]  # type: ignore[misc]


def with_more(entries: list[Json]) -> list[Json]:
    for entry in entries:
        entry["resource"]["entry"] = entry["resource"]["entry"][:0]
        entry["resource"]["link"] = [{"relation": "next", "url": "http://elsewhere.example/canary"}]
    return entries


@pytest.mark.parametrize("spoil", [failing, not_objects, with_more])
def test_charts_whose_part_of_a_batch_failed_are_asked_about_alone(spoil: Any) -> None:
    with OddEhr(FAMILIES, batch=True, spoil=spoil) as ehr:
        rows, result = read(ehr, strategy="batch")
        assert (refs(rows), result.complete) == (refs_of(FAMILIES), True)


@pytest.mark.parametrize("spoil", [short, swapped])
def test_a_batch_that_answers_something_else_is_not_used(spoil: Any) -> None:
    with OddEhr(FAMILIES, declares=SEARCH_ONLY - {"patient"}, batch=True, spoil=spoil) as ehr:
        rows, result = read(ehr)
        assert (refs(rows), result.complete) == (refs_of(FAMILIES), True)
        assert "the EHR does not obey a batch of searches" in result.strategy


def test_an_ehr_that_leaves_out_a_parameter_of_the_profile_is_not_read() -> None:
    rules = SearchRules(params={"Patient": {"_tag": "urn:ours|kids"}})
    with OddEhr(FAMILIES) as ehr:
        rows, result = read(ehr, rules=rules)
        assert (rows, result.complete) == ([], False)
        assert "left out _tag" in result.problems[0]
    of_ours = {"_tag": lambda row, value: row["resourceType"] != "Patient" or row["id"] in ("p1", "p2")}
    with OddEhr(FAMILIES, known_params=of_ours) as ehr:
        rows, result = read(ehr, rules=rules, strategy="each")
        assert result.complete, result.problems
        assert refs(rows) == {"Patient/p1", "Patient/p2", "RelatedPerson/c1", "RelatedPerson/c2"}


@pytest.mark.parametrize("strategy", ["auto", "revinclude", "list", "batch", "each"])
def test_no_contact_of_a_chart_that_was_not_asked_about_gets_through(strategy: StrategyName) -> None:
    stray = contact("c900", "p900")
    with OddEhr(FAMILIES, batch=True) as ehr:
        ehr.fault("RelatedPerson", lambda reply: reply.json["entry"].append({"resource": stray}))
        rows, _ = read(ehr, strategy=strategy)
        assert "RelatedPerson/c900" not in refs(rows)
