"""How the ``fhir`` reader chooses to read, and how it notices that it was not obeyed."""

from datetime import UTC, datetime
from urllib.parse import unquote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapter.ehr import Broken, ReadResult, Record
from adapter.ehr.fhir import FhirReader
from adapter.ehr.files import FilesReader
from tests.edges.ehr import scripted
from tests.edges.ehr.families import OLD, Json, contact, families, patient, quiet, refs, refs_of
from tests.edges.ehr.folders import ndjson
from tests.edges.ehr.scripted import ScriptedEhr

FAMILIES = families(7)
NEW = "2026-06-01T00:00:00Z"
MARK = datetime(2026, 6, 1, 0, 5, tzinfo=UTC)
MARKS = {"Patient": MARK, "RelatedPerson": MARK}
ALL = ScriptedEhr.ALL


def read(
    ehr: ScriptedEhr, *, full: bool = True, marks: dict[str, datetime] | None = None
) -> tuple[list[Record | Broken], ReadResult]:
    result = ReadResult(full=full)
    reader = FhirReader(ehr.base_url, page_size=3, sleep=lambda seconds: None)
    return list(reader.read(result, marks=marks or {}, progress=quiet)), result


def searches_of_contacts(ehr: ScriptedEhr) -> int:
    return sum("RelatedPerson?patient" in path for path in ehr.requests)


def test_contacts_come_with_their_patients_where_the_ehr_declares_it() -> None:
    with ScriptedEhr(FAMILIES) as ehr:
        rows, result = read(ehr)
        assert (refs(rows), result.complete) == (refs_of(FAMILIES), True)
        assert "_revinclude" in result.strategy
        assert result.marks.keys() == {"Patient", "RelatedPerson"}
        assert searches_of_contacts(ehr) <= 4 + 4  # the probe's, and a sample of each further page


@pytest.mark.parametrize("self_links", [True, False])
@pytest.mark.parametrize("declares", [ALL, ALL - {"revinclude"}])
def test_contacts_are_asked_for_per_patient_where_they_do_not_come_along(
    declares: frozenset[str], self_links: bool
) -> None:
    with ScriptedEhr(FAMILIES, declares=declares, obeys=ALL - {"revinclude"}, self_links=self_links) as ehr:
        rows, result = read(ehr)
        assert (refs(rows), result.complete) == (refs_of(FAMILIES), True)
        assert ("does not obey" if declares == ALL else "does not declare") in result.strategy
        assert searches_of_contacts(ehr) >= 7
        assert result.marks.keys() == {"Patient", "RelatedPerson"}


def test_a_server_that_warns_about_the_include_is_asked_per_patient() -> None:
    def refuse(reply: scripted.Reply) -> None:
        scripted.warning_entry(reply)
        reply.json["entry"] = [entry for entry in reply.json["entry"] if entry["search"]["mode"] != "include"]

    with ScriptedEhr(FAMILIES, self_links=False) as ehr:
        ehr.fault("Patient", refuse, times=1)
        rows, result = read(ehr)
        assert (refs(rows), result.complete) == (refs_of(FAMILIES), True)


def test_a_server_that_refuses_the_include_is_asked_per_patient() -> None:
    with ScriptedEhr(FAMILIES) as ehr:
        ehr.fault("Patient", scripted.status(400), times=1)
        rows, result = read(ehr)
        assert (refs(rows), result.complete) == (refs_of(FAMILIES), True)


def test_contacts_of_other_charts_are_dropped_and_mean_that_the_search_was_not_obeyed() -> None:
    with ScriptedEhr(FAMILIES, obeys=frozenset({"since"})) as ehr:
        rows, result = read(ehr)
        assert (rows, result.complete, result.marks) == ([], False, {})
        assert "no way to read this EHR" in result.problems[0]
        assert "does not obey a search of contacts by patient" in result.problems[0]
        assert searches_of_contacts(ehr) <= 10, "it stops asking at the first such answer"


def test_a_server_that_stops_obeying_half_way_is_noticed_at_the_first_row_of_another_chart() -> None:
    with ScriptedEhr(families(30), declares=ALL - {"revinclude"}) as ehr:
        original = ehr.reply

        def forgetful(target: str) -> scripted.Reply:
            return original(target.replace("patient=p20&", "") if "patient=p20&" in target else target)

        ehr.reply = forgetful  # type: ignore[method-assign]
        rows, result = read(ehr)
        assert (result.complete, result.marks) == (False, {})
        assert "does not obey this search" in result.problems[0]
        assert "RelatedPerson/c1" in refs(rows) and "RelatedPerson/c29" not in refs(rows)


def test_a_contact_without_a_readable_chart_is_passed_on_for_the_mapping_to_judge() -> None:
    stray: Json = {"resourceType": "RelatedPerson", "id": "c9", "patient": {"identifier": {"value": "1"}}}
    with ScriptedEhr([patient("p1")], declares=ALL - {"revinclude"}) as ehr:
        ehr.fault("RelatedPerson", lambda reply: reply.json["entry"].append({"resource": stray}))
        rows, result = read(ehr)
        assert (refs(rows), result.complete) == ({"Patient/p1", "RelatedPerson/c9"}, True)


@pytest.mark.parametrize(
    "fault", [scripted.status(503), scripted.half_json, scripted.wrong_bundle, scripted.warning_entry]
)
def test_one_charts_contacts_that_cannot_be_read_make_the_run_incomplete_and_the_others_are_read(
    fault: scripted.Fault,
) -> None:
    with ScriptedEhr(FAMILIES, declares=ALL - {"revinclude"}) as ehr:
        original = ehr.reply

        def only_p4(target: str) -> scripted.Reply:
            reply = original(target)
            if "RelatedPerson?patient=p4" in target:
                fault(reply)
            return reply

        ehr.reply = only_p4  # type: ignore[method-assign]
        rows, result = read(ehr)
        assert not result.complete
        assert result.marks == {}
        assert "Patient/p4" in result.problems[0]
        assert refs(rows) >= refs_of(FAMILIES) - {"RelatedPerson/c4"}


def test_a_walk_stops_when_the_contacts_of_too_many_charts_cannot_be_read() -> None:
    with ScriptedEhr(families(40), declares=ALL - {"revinclude"}) as ehr:
        ehr.fault("RelatedPerson", scripted.status(403))
        _, result = read(ehr)
        assert not result.complete
        assert len(result.problems) == 11
        assert searches_of_contacts(ehr) < 25


@pytest.mark.parametrize("missing", ["Patient", "RelatedPerson"])
def test_an_ehr_that_does_not_offer_a_type_is_not_read(missing: str) -> None:
    def hide(reply: scripted.Reply) -> None:
        server = reply.json["rest"][0]
        server["resource"] = [entry for entry in server["resource"] if entry["type"] != missing]

    with ScriptedEhr(FAMILIES) as ehr:
        ehr.fault("metadata", hide)
        rows, result = read(ehr)
        assert (rows, result.complete) == ([], False)
        assert f"does not offer a search of {missing}" in result.problems[0]


def test_only_what_changed_is_read_from_ten_minutes_before_the_mark() -> None:
    changed = [patient("p1", NEW), contact("c2", "p2", NEW)]
    others = [row for row in FAMILIES if row["id"] not in ("p1", "c2")]
    with ScriptedEhr(changed + others) as ehr:
        rows, result = read(ehr, full=False, marks=MARKS)
        assert refs(rows) == {"Patient/p1", "RelatedPerson/c1", "RelatedPerson/c2"}
        assert (result.full, result.complete) == (False, True)
        assert result.marks.keys() == {"Patient", "RelatedPerson"}
        assert any("_lastUpdated=ge2026-05-31T23:55:00Z" in unquote(path) for path in ehr.requests)


@pytest.mark.parametrize(
    ("declares", "obeys", "marks", "why"),
    [
        (ALL - {"since"}, ALL, MARKS, "does not declare _lastUpdated"),
        (ALL, ALL - {"since"}, MARKS, "does not obey it"),
        (ALL, ALL, {}, "no mark"),
        (ALL, ALL, {"Patient": MARK}, "no mark"),
    ],
)
def test_everything_is_read_when_changes_cannot_be_told(
    declares: frozenset[str], obeys: frozenset[str], marks: dict[str, datetime], why: str
) -> None:
    with ScriptedEhr(FAMILIES, declares=declares, obeys=obeys) as ehr:
        rows, result = read(ehr, full=False, marks=marks)
        assert (refs(rows), result.full, result.complete) == (refs_of(FAMILIES), True, True)
        assert why in result.strategy


def test_changes_are_still_told_when_only_the_include_is_not_obeyed() -> None:
    with ScriptedEhr([patient("p1", NEW), contact("c1", "p1")], obeys=ALL - {"revinclude"}) as ehr:
        rows, result = read(ehr, full=False, marks=MARKS)
        assert (refs(rows), result.full, result.complete) == ({"Patient/p1"}, False, True)


@pytest.mark.parametrize("kind", ["Patient", "RelatedPerson"])
def test_a_failed_search_for_changes_sets_no_mark_for_its_type(kind: str) -> None:
    rows = [patient(f"p{n}", NEW) for n in range(7)] + [contact(f"c{n}", f"p{n}", NEW) for n in range(7)]
    with ScriptedEhr(rows) as ehr:
        ehr.fault(kind, scripted.status(503), page=2)
        _, result = read(ehr, full=False, marks=MARKS)
        assert not result.complete
        assert kind not in result.marks


def test_a_family_is_its_charts_and_their_contacts() -> None:
    with ScriptedEhr(FAMILIES) as ehr:
        result = ReadResult(full=False)
        reader = FhirReader(ehr.base_url)
        rows = list(reader.read_family(result, patients=["Patient/p1", "Patient/p3", "Patient/gone", "Patient/p4"]))
        assert refs(rows) == {"Patient/p1", "Patient/p3", "Patient/p4", "RelatedPerson/c1", "RelatedPerson/c4"}
        assert result.complete


def test_a_family_with_an_unreadable_chart_is_incomplete() -> None:
    with ScriptedEhr(FAMILIES) as ehr:
        ehr.fault("Patient/p1", scripted.status(403))
        result = ReadResult(full=False)
        rows = list(FhirReader(ehr.base_url).read_family(result, patients=["Patient/p1", "Patient/../x"]))
        assert refs(rows) == {"RelatedPerson/c1"}
        assert len(result.problems) == 2


@pytest.mark.parametrize("missing", [None, "revinclude", "since", "patient"])
def test_the_check_tells_how_this_ehr_would_be_read(missing: str | None) -> None:
    with ScriptedEhr(FAMILIES, declares=ALL - {missing or ""}) as ehr:
        checks = {check.what: check for check in FhirReader(ehr.base_url).check()}
        assert all(check.ok for check in checks.values())
        assert checks["FHIR version"].detail == "4.0.1"
        assert ("(_revinclude" in checks["EHR strategy"].detail) is (missing != "revinclude")
        assert checks["EHR changes"].detail.startswith("every sync") is (missing == "since")
        assert len(ehr.requests) <= 12


rows_of_any_shape = st.lists(
    st.builds(patient, st.sampled_from("abcdefgh"), st.sampled_from([OLD, NEW]))
    | st.builds(contact, st.sampled_from("mnopqrst"), st.sampled_from("abcdefgh")),
    unique_by=lambda row: row["id"],
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=rows_of_any_shape, declares=st.sampled_from([ALL, ALL - {"revinclude"}]))
def test_the_same_resources_give_the_same_records_from_a_folder_and_from_a_server(
    tmp_path_factory: pytest.TempPathFactory, rows: list[Json], declares: frozenset[str]
) -> None:
    charts = refs_of([row for row in rows if row["resourceType"] == "Patient"])
    rows = [row for row in rows if row["resourceType"] == "Patient" or scripted.chart_of(row) in charts]
    folder = tmp_path_factory.mktemp("export")
    (folder / "all.ndjson").write_bytes(ndjson(rows))
    result = ReadResult(full=True)
    from_folder = FilesReader(folder).read(result, marks={}, progress=quiet)
    with ScriptedEhr(rows, declares=declares) as ehr:
        from_server, over_http = read(ehr)
    assert result.complete
    assert over_http.complete
    assert canonical(from_folder) == canonical(from_server)


def canonical(rows: object) -> list[str]:
    return sorted(repr(row.resource) for row in rows)  # type: ignore[attr-defined]
