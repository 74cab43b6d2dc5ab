"""Contacts that stop coming along on a later page are noticed, and nothing else is taken for that."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from adapter.ehr import ReadResult
from adapter.ehr.fhir import FhirReader
from tests.edges.ehr.families import contact, families, patient, quiet, refs, refs_of
from tests.edges.ehr.scripted import Json, Reply, ScriptedEhr
from tests.edges.ehr.strategies.odd_ehr import Looks, OddEhr, all_of, first_of, first_ten_of, none_of

ALL = ScriptedEhr.ALL
EVERYBODY = families(12)


def last_of(asked: list[str]) -> list[str]:
    return asked[-1:]


def drop_includes(reply: Reply) -> None:
    """The page without its last contact, where contacts came along."""
    if reply.json["entry"][-1]["search"]["mode"] == "include":
        reply.json["entry"].pop()


def read(ehr: ScriptedEhr, reader: FhirReader | None = None, **more: Any) -> tuple[set[str], ReadResult]:
    result = ReadResult(full=True)
    reader = reader or FhirReader(ehr.base_url, page_size=4, sleep=lambda _: None, **more)
    return refs(list(reader.read(result, marks={}, progress=quiet))), result


@pytest.mark.parametrize("page", [2, 3])
def test_a_contact_that_did_not_come_along_has_everything_read_another_way(page: int) -> None:
    with ScriptedEhr(EVERYBODY) as ehr:
        ehr.fault("Patient", drop_includes, page=page)
        found, result = read(ehr)
    assert (found, result.complete, result.problems) == (refs_of(EVERYBODY), True, [])
    assert f"because the EHR left contacts out of page {page} of _revinclude without a word" in result.strategy
    assert result.marks.keys() == {"Patient", "RelatedPerson"}


def test_a_reader_that_has_seen_it_once_does_not_try_again() -> None:
    with ScriptedEhr(EVERYBODY) as ehr:
        reader = FhirReader(ehr.base_url, page_size=4)
        ehr.fault("Patient", drop_includes, page=2, times=1)
        read(ehr, reader)
        asked = len(ehr.requests)
        assert read(ehr, reader)[1].complete
        assert not any("_revinclude" in request for request in ehr.requests[asked:])


def test_where_no_other_way_is_allowed_the_run_is_incomplete() -> None:
    with ScriptedEhr(EVERYBODY) as ehr:
        ehr.fault("Patient", drop_includes, page=2)
        _, result = read(ehr, strategy="revinclude")
    assert (result.complete, result.marks) == (False, {})
    assert 'strategy = "revinclude" cannot be used: the EHR left contacts out of page 2' in result.problems[0]


def test_a_contact_that_appeared_while_the_pages_were_read_is_no_reason_to_doubt() -> None:
    just_now = (datetime.now(UTC) - timedelta(minutes=2)).isoformat()
    with ScriptedEhr([*EVERYBODY]) as ehr:

        def somebody_comes(reply: Reply) -> None:
            charts = [entry["resource"]["id"] for entry in reply.json["entry"] if entry["search"]["mode"] == "match"]
            ehr.resources.append(contact("new", charts[-1], just_now))

        ehr.fault("Patient", somebody_comes, page=2, times=1)
        found, result = read(ehr)
    assert result.complete and "_revinclude" in result.strategy and "because" not in result.strategy
    assert found == refs_of(EVERYBODY)


def test_three_small_searches_a_page_are_all_it_costs() -> None:
    some: list[Json] = [patient(f"x{number}") for number in range(40)]
    some += [contact(f"c{number}", f"x{number}") for number in range(0, 40, 2)]
    with ScriptedEhr(some) as ehr:
        _, result = read(ehr)
        searches = [request for request in ehr.requests if "patient=" in request]
    assert result.complete and "_revinclude" in result.strategy
    assert len(searches) <= 4 + 3 * 9


def test_one_search_a_page_is_enough_where_a_list_of_charts_is_proven() -> None:
    with OddEhr(families(120)) as ehr:
        _, result = read(ehr)
        searches = [request for request in ehr.requests if "patient=" in request]
    assert result.complete and "because" not in result.strategy
    assert any("%2C" in request or "," in request for request in searches)
    assert len(searches) < 4 + 3 * 3 + 6 + 27


@pytest.mark.parametrize("looks_for", [all_of, first_of, first_ten_of, none_of, last_of])
@pytest.mark.parametrize("page", [5, 17, 30])
def test_a_late_page_is_checked_whatever_the_ehr_makes_of_a_list(looks_for: Looks, page: int) -> None:
    with OddEhr(families(120), looks_for=looks_for) as ehr:
        ehr.fault("Patient", drop_includes, page=page)
        found, result = read(ehr)
    if looks_for is none_of:  # then nothing can be asked about one chart, and no list is believed
        assert "_revinclude" in result.strategy
        return
    assert f"left contacts out of page {page} of _revinclude" in result.strategy
    assert found == refs_of(families(120)) and result.complete


def test_a_list_that_is_not_obeyed_any_more_is_asked_chart_by_chart() -> None:
    lists: list[int] = []

    def at_first(asked: list[str]) -> list[str]:
        lists.extend([len(asked)] if len(asked) > 1 else [])
        return asked if len(lists) < 5 else asked[:1]

    with OddEhr(families(120), looks_for=at_first) as ehr:
        ehr.fault("Patient", drop_includes, page=29)
        found, result = read(ehr)
    assert "left contacts out of page 29 of _revinclude" in result.strategy
    assert found == refs_of(families(120)) and result.complete


def test_a_record_that_is_damaged_on_its_way_is_not_taken_for_one_left_out() -> None:
    def twice(reply: Reply) -> None:
        entry = reply.json["entry"][-1]["resource"]
        entry["meta"] = {"tag": [{"code": "SUBSETTED"}]}

    with ScriptedEhr(EVERYBODY) as ehr:
        ehr.fault("Patient", twice, page=2)
        _, result = read(ehr)
    assert result.complete and "because" not in result.strategy


def test_without_a_search_of_contacts_by_patient_there_is_nothing_to_compare_with() -> None:
    with ScriptedEhr(EVERYBODY, declares=ALL - {"patient"}) as ehr:
        _, result = read(ehr)
        assert result.complete and "_revinclude" in result.strategy
        assert not any("patient=" in request for request in ehr.requests)
