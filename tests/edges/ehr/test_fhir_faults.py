"""The ``fhir`` reader against a server that misbehaves: every fault at the first, a middle and the last page."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from pydantic import SecretStr

from adapter.ehr import Broken, ReadResult, Record
from adapter.ehr.fhir import FhirReader
from adapter.ehr.fhir.auth.bearer import Bearer
from adapter.errors import SourceError
from tests.edges.ehr import scripted
from tests.edges.ehr.families import CANARY, contact, families, patient, quiet, refs, refs_of
from tests.edges.ehr.scripted import Fault, ScriptedEhr

TOKEN = "canary-token"
KNOWN = Bearer(SecretStr(TOKEN))
FAMILIES = families(6)


@pytest.fixture
def ehr() -> Iterator[ScriptedEhr]:
    with ScriptedEhr(list(FAMILIES)) as server:
        yield server


def reader(ehr: ScriptedEhr, page_size: int = 2) -> FhirReader:
    return FhirReader(
        ehr.base_url,
        authorization=KNOWN,
        page_size=page_size,
        timeout_seconds=5,
        max_body_megabytes=1,
        sleep=lambda seconds: None,
    )


def read(ehr: ScriptedEhr, page_size: int = 2) -> tuple[list[Record | Broken], ReadResult]:
    result = ReadResult(full=True)
    rows = list(reader(ehr, page_size).read(result, marks={}, progress=quiet))
    told = repr(result) + repr([row for row in rows if isinstance(row, Broken)])
    assert CANARY not in told
    assert TOKEN not in told
    return rows, result


FAULTS: dict[str, tuple[Fault, str]] = {
    "a web page": (scripted.html, "a web page (text/html)"),
    "half a body": (scripted.cut_off, "cut off"),
    "half a JSON": (scripted.half_json, "ends too early"),
    "NaN": (scripted.not_a_number, "is not valid JSON"),
    "an OperationOutcome": (scripted.an_outcome, "OperationOutcome (error: exception)"),
    "a Bundle of another type": (scripted.wrong_bundle, "something else than a searchset"),
    "another resource": (scripted.another_resource, "something else than a searchset"),
    "a gzip bomb": (scripted.bomb, "larger than 1 MB and was not read on"),
    "the search is gone": (scripted.status(410), "answered 410"),
    "always busy": (scripted.status(429, Retry_After="1"), "answered 429, 4 times in a row"),
    "always down": (scripted.status(503), "answered 503, 4 times in a row"),
    "the token is refused": (scripted.status(401), "answered 401"),
    "access is refused": (scripted.status(403), "answered 403"),
}


@pytest.mark.parametrize("page", [1, 2, 3])
@pytest.mark.parametrize("name", FAULTS)
def test_a_page_that_fails_ends_the_read_as_incomplete_in_one_sentence(ehr: ScriptedEhr, name: str, page: int) -> None:
    fault, says = FAULTS[name]
    ehr.fault("Patient", fault, page=page)
    rows, result = read(ehr)
    assert not result.complete
    assert result.marks == {}
    [problem] = result.problems
    assert says in problem
    assert f"page {page}:" in problem
    assert refs(rows) == {ref for ref in refs_of(FAMILIES) if int(ref[-1]) <= (page - 1) * 2}, (
        "what came before the fault is still used"
    )


@pytest.mark.parametrize("name", sorted(FAULTS.keys() - {"a Bundle of another type"}))
def test_metadata_that_fails_ends_the_read_before_anything_is_asked(ehr: ScriptedEhr, name: str) -> None:
    fault, says = FAULTS[name]
    ehr.fault("metadata", fault)
    rows, result = read(ehr)
    assert (rows, result.complete) == ([], False)
    assert says.replace("searchset", "CapabilityStatement") in result.problems[0]
    assert set(ehr.requests) == {"/fhir/metadata"}
    assert [(check.what, check.ok) for check in reader(ehr).check()][-1] == ("EHR reach", False)


@pytest.mark.parametrize("page", [1, 2, 3])
@pytest.mark.parametrize("fault", [scripted.status(503), scripted.status(429, Retry_After="0"), scripted.cut_off])
def test_a_passing_trouble_is_asked_again_and_nothing_is_lost(ehr: ScriptedEhr, fault: Fault, page: int) -> None:
    ehr.fault("Patient", fault, page=page, times=2)
    rows, result = read(ehr)
    assert result.complete
    assert refs(rows) == refs_of(FAMILIES)


@pytest.mark.parametrize("page", [1, 2, 3])
def test_a_warning_among_the_rows_makes_the_run_incomplete_but_the_rows_are_read(ehr: ScriptedEhr, page: int) -> None:
    ehr.fault("Patient", scripted.warning_entry, page=page)
    rows, result = read(ehr)
    assert not result.complete
    assert result.marks == {}
    assert "the EHR reports warning: not-supported" in result.problems[0]
    assert refs(rows) == refs_of(FAMILIES)


def test_information_among_the_rows_is_fine(ehr: ScriptedEhr) -> None:
    ehr.fault("Patient", scripted.information_entry)
    rows, result = read(ehr)
    assert result.complete
    assert refs(rows) == refs_of(FAMILIES)


@pytest.mark.parametrize(
    ("back", "says"),
    [
        ("page=1", "repeats one that was read already"),
        ("page=2", "leads back to a page that was read already"),
        ("page=3", "leads back to a page that was read already"),
    ],
)
def test_a_next_link_that_leads_back_ends_the_walk(ehr: ScriptedEhr, back: str, says: str) -> None:
    link = f"{ehr.base_url}/Patient?_revinclude=RelatedPerson%3Apatient&_count=2&{back}"
    ehr.fault("Patient", scripted.next_link(link), page=3)
    rows, result = read(ehr)
    assert says in result.problems[0]
    assert not result.complete
    assert refs(rows) == refs_of(FAMILIES)


def test_a_server_that_gives_the_same_page_under_ever_new_links_is_left(ehr: ScriptedEhr) -> None:
    more = "_count=2&_revinclude=RelatedPerson:patient"
    ehr.fault("Patient", lambda reply: scripted.next_link(f"?page=1&{more}&turn={len(ehr.requests)}")(reply))
    _, result = read(ehr)
    assert not result.complete
    assert "repeats one that was read already" in result.problems[0]
    assert len(ehr.requests) < 12


def test_a_server_of_endless_empty_pages_is_left() -> None:
    with ScriptedEhr() as ehr:
        ehr.fault("Patient", lambda reply: scripted.next_link(f"?page=1&turn={len(ehr.requests)}")(reply))
        _, result = read(ehr)
        assert "the search has no end" in result.problems[0]
        assert len(ehr.requests) < 60


@pytest.mark.parametrize(
    "link",
    [
        "Patient?page=2&_count=2&_revinclude=x",
        "?page=2&_count=2&_revinclude=x",
        "/fhir/Patient?page=2&_count=2&_revinclude=x",
    ],
)
def test_a_relative_next_link_is_followed(ehr: ScriptedEhr, link: str) -> None:
    ehr.fault("Patient", scripted.next_link(link), page=1)
    rows, result = read(ehr)
    assert result.complete
    assert refs(rows) == refs_of(FAMILIES)


def test_a_page_with_its_links_given_twice_is_incomplete(ehr: ScriptedEhr) -> None:
    ehr.fault("Patient", scripted.doubled_links, page=2)
    _, result = read(ehr)
    assert not result.complete
    assert "key twice" in result.problems[0]


def test_an_entry_with_a_duplicate_key_is_quarantined_alone() -> None:
    with ScriptedEhr(list(FAMILIES)) as ehr:
        ehr.fault("Patient", scripted.doubled_key)
        rows, result = read(ehr)
        assert result.complete
        assert [row.ref for row in rows if isinstance(row, Broken)] == ["Patient/p2"]
        assert refs(rows) == refs_of(FAMILIES)


def test_an_entry_without_a_resource_is_quarantined_alone(ehr: ScriptedEhr) -> None:
    ehr.fault("Patient", lambda reply: reply.json["entry"].extend([{}, None, {"resource": 7}]), page=2)
    rows, result = read(ehr)
    assert result.complete
    assert [row.origin for row in rows if isinstance(row, Broken)] == [
        "Patient page 2, entry 4",
        "Patient page 2, entry 5",
        "Patient page 2, entry 6",
    ]


def test_a_wrong_total_and_repeated_rows_change_nothing(ehr: ScriptedEhr) -> None:
    ehr.fault("Patient", lambda reply: reply.json.update(total=1))
    ehr.fault("Patient", lambda reply: reply.json["entry"].append({"resource": patient("p1")}), page=3)
    rows, result = read(ehr)
    assert result.complete
    assert refs(rows) == refs_of(FAMILIES)


@pytest.mark.parametrize("answer", ["not-found", "", "deleted"])
def test_a_resource_that_the_ehr_calls_gone_is_gone(ehr: ScriptedEhr, answer: str) -> None:
    def gone(reply: scripted.Reply) -> None:
        reply.status, reply.json = 404, scripted.outcome("error", answer)
        if not answer:
            reply.body = b""

    ehr.fault("RelatedPerson/c1", gone)
    assert reader(ehr).read_one("RelatedPerson/c1") is None
    ehr.fault("RelatedPerson/c2", scripted.status(410))
    assert reader(ehr).read_one("RelatedPerson/c2") is None
    assert isinstance(reader(ehr).read_one("RelatedPerson/c4"), Record)


@pytest.mark.parametrize("code", ["forbidden", "not-supported", "throttled"])
def test_a_404_that_says_nothing_about_the_record_does_not_make_it_gone(ehr: ScriptedEhr, code: str) -> None:
    def hidden(reply: scripted.Reply) -> None:
        reply.status, reply.json = 404, scripted.outcome("error", code)

    ehr.fault("RelatedPerson/c1", hidden)
    with pytest.raises(SourceError, match="answered 404"):
        reader(ehr).read_one("RelatedPerson/c1")


@pytest.mark.parametrize(
    "fault", [scripted.status(500), scripted.status(403), scripted.html, scripted.another_resource, scripted.an_outcome]
)
def test_a_read_that_fails_never_means_gone(ehr: ScriptedEhr, fault: Fault) -> None:
    ehr.fault("RelatedPerson/c1", fault)
    with pytest.raises(SourceError) as caught:
        reader(ehr).read_one("RelatedPerson/c1")
    assert CANARY not in str(caught.value)


def test_a_proxys_404_page_does_not_make_a_record_gone(ehr: ScriptedEhr) -> None:
    def proxy(reply: scripted.Reply) -> None:
        scripted.html(reply)
        reply.status = 404

    ehr.fault("RelatedPerson/c1", proxy)
    with pytest.raises(SourceError, match="answered 404"):
        reader(ehr).read_one("RelatedPerson/c1")


@pytest.mark.parametrize("ref", ["Patient/../metadata", "Patient/p1?x=y", "Observation/1", "Patient", "Patient/"])
def test_what_is_no_reference_is_not_asked_for(ehr: ScriptedEhr, ref: str) -> None:
    with pytest.raises(SourceError, match="not a reference"):
        reader(ehr).read_one(ref)
    assert ehr.requests == []


def test_an_unreachable_ehr_is_one_sentence() -> None:
    with ScriptedEhr() as ehr:
        gone = ehr
    rows, result = read(gone)
    assert (rows, result.complete) == ([], False)
    assert result.problems[0].startswith("GET metadata: the EHR cannot be reached")


def test_a_server_that_drips_byte_by_byte_does_not_hold_the_reader_for_ever(ehr: ScriptedEhr) -> None:
    ehr.fault("Patient/p1", scripted.dripping)
    with pytest.raises(SourceError, match=r"not finished within 0\.5 s"):
        FhirReader(ehr.base_url, timeout_seconds=0.05, sleep=lambda seconds: None).read_one("Patient/p1")


def test_one_timestamp_in_the_future_does_not_move_the_mark(ehr: ScriptedEhr) -> None:
    ehr.resources += [patient("p9", "2099-01-01T00:00:00Z"), contact("c9", "p9", "2099-01-01T00:00:00Z")]
    _, result = read(ehr)
    assert result.marks.keys() == {"Patient", "RelatedPerson"}
    assert max(result.marks.values()) <= datetime.now(UTC)


def test_a_mark_is_the_earliest_time_that_the_server_names(ehr: ScriptedEhr) -> None:
    ehr.fault("Patient", lambda reply: reply.json.update(timestamp="2026-01-05T00:00:00Z"), page=1)
    _, result = read(ehr)
    assert result.marks["Patient"] == datetime(2026, 1, 5, tzinfo=UTC)


def test_a_servers_clock_that_is_ahead_does_not_move_the_mark_past_now(ehr: ScriptedEhr) -> None:
    ehr.fault("Patient", lambda reply: reply.headers.update({"Date": "Fri, 01 Jan 2099 00:00:00 GMT"}))
    _, result = read(ehr)
    assert result.marks["Patient"] <= datetime.now(UTC)


def test_a_server_without_a_clock_sets_no_mark(ehr: ScriptedEhr) -> None:
    ehr.fault("Patient", lambda reply: reply.headers.update({"Date": "today"}))
    _, result = read(ehr)
    assert (result.complete, result.marks) == (True, {})
