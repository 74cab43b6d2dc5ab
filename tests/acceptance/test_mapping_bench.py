"""``adapter mapping``: the bench on which an integrator tries a profile on a real record."""

import json
from pathlib import Path
from typing import Any

import pytest

from adapter.profiles import data_folder
from tests.acceptance.adapter_cli import Done, in_process

EXAMPLES = data_folder("mappings")
MOTHER = EXAMPLES / "family-contacts" / "examples" / "01-mother-joint.json"
OURS = """
title = "Ours"
[roles]
source = "RelatedPerson.relationship"
[roles.codes."urn:ours:kin"]
7 = "mother"
[authority]
source = "RelatedPerson.extension('urn:ours:custody').value"
[authority.codes]
full = "joint"
"""


def resource(example: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(example.read_text(encoding="utf-8"))["resource"]
    return found


def mapping(folder: Path, *arguments: str) -> Done:
    return in_process(["--config", str(folder / "config.toml"), "mapping", *arguments])


def bench(folder: Path, profile: str, record: Any) -> Any:
    path = folder / "record.json"
    path.write_text(json.dumps(record), encoding="utf-8")
    done = mapping(folder, "test", profile, str(path), "--json")
    assert (done.code, done.err) == (0, "")
    return done.document["records"]


def line_of(record: Any, key: str) -> Any:
    return next(line for line in record["lines"] if line["key"] == key)


def test_every_expression_is_shown_with_what_it_found_and_what_became_of_it(tmp_path: Path) -> None:
    [record] = bench(tmp_path, "family-contacts", resource(MOTHER))
    assert record["fact"]["role"] == "mother"
    assert line_of(record, "roles.source")["found"] == resource(MOTHER)["relationship"]
    authority = line_of(record, "authority.source")
    assert (authority["expression"], authority["found"], authority["fact"]) == (
        "RelatedPerson.extension('urn:fhir-portal-adapter:contact-authority').value",
        ["joint"],
        "joint",
    )
    assert line_of(record, "contact.telecom")["fact"].endswith(".example")
    assert record["decision"]["opens"] and record["decision"]["stand_in_chart"]


@pytest.mark.parametrize(
    ("relationship", "note"),
    [
        ([{"coding": [{"system": "urn:other", "code": "7"}]}], "nobody mapped the code system urn:other"),
        ([{"coding": [{"system": "urn:ours:kin", "code": "8"}]}], '"8" is not in [roles.codes."urn:ours:kin"]'),
        ([{"coding": [{"code": "7"}]}], 'the code "7" has no system'),
        ([{"text": "Aunt of sorts"}], '"Aunt of sorts" is not among the words'),
        ([], "the expression finds nothing"),
    ],
)
def test_an_unknown_role_says_which_code_or_word_was_in_no_table(
    tmp_path: Path, relationship: list[Any], note: str
) -> None:
    (tmp_path / "mappings").mkdir()
    (tmp_path / "mappings" / "ours.toml").write_text(OURS, encoding="utf-8")
    record: dict[str, Any] = {"resourceType": "RelatedPerson", "id": "r1", "patient": {"reference": "Patient/p1"}}
    [shown] = bench(tmp_path, "ours", record | ({"relationship": relationship} if relationship else {}))
    line = line_of(shown, "roles.source")
    assert line["fact"] == "unknown"
    assert note in "; ".join(line["notes"])
    assert "role-unknown" in shown["decision"]["reasons"]


def test_an_unknown_authority_says_why(tmp_path: Path) -> None:
    record = resource(MOTHER)
    record["extension"][0]["valueCode"] = "shared"
    [shown] = bench(tmp_path, "family-contacts", record)
    assert line_of(shown, "authority.source")["notes"] == [
        '"shared" is not in [authority.codes], so the Authority cannot be told'
    ]
    [shown] = bench(tmp_path, "family-contacts", {**record, "extension": []} | {"extension": [{"url": "urn:x"}]})
    assert line_of(shown, "authority.source")["notes"] == ["the expression finds nothing: the chart states none"]
    [shown] = bench(tmp_path, "epic", resource(MOTHER))
    assert "records none" in line_of(shown, "authority.source")["notes"][0]


def test_a_bundle_is_decided_with_its_own_charts_and_everybody_on_them(tmp_path: Path) -> None:
    chart = {"resourceType": "Patient", "id": "fc-nora", "active": False, "birthDate": "2017-01-01"}
    bundle = {
        "resourceType": "Bundle",
        "type": "collection",
        "entry": [{"resource": chart}, {"resource": resource(MOTHER)}],
    }
    first, second = bench(tmp_path, "family-contacts", bundle)
    assert first["fact"]["fact"] == "patient"
    assert second["decision"]["reasons"] == ["patient-inactive"]
    assert not second["decision"]["stand_in_chart"]


def test_contacts_in_a_chart_and_charts_by_number_are_read_as_the_reader_would(tmp_path: Path) -> None:
    canvas = bench(tmp_path, "canvas", resource(EXAMPLES / "canvas/examples/01-contacts-by-category.json"))
    assert [record["fact"]["fact"] for record in canvas] == ["patient", "contact", "contact"]
    assert [record["decision"]["opens"] for record in canvas[1:]] == [True, False]
    nhs = bench(tmp_path, "nhs", resource(EXAMPLES / "nhs/examples/01-parent-and-mother.json"))
    assert nhs[1]["fact"]["patient"] == "Patient/9990000018"


def test_a_consent_is_shown_and_what_it_does_to_the_contact(tmp_path: Path) -> None:
    records = bench(tmp_path, "nhs", resource(EXAMPLES / "nhs/examples/05-mother-with-consent.json"))
    assert [record["fact"]["fact"] for record in records] == ["consent", "patient", "contact"]
    says = records[0]["lines"][1]["fact"]
    assert says.startswith("permit https://fhir.nhs.uk/Id/nhs-number|9990000026, 2025-02-11 to")
    assert line_of(records[2], "authority.source")["fact"] == "joint"
    alone = bench(tmp_path, "nhs", resource(EXAMPLES / "nhs/examples/01-parent-and-mother.json"))
    assert line_of(alone[1], "authority.source")["notes"] == ["no Consent in this file says anything of this contact"]
    [damaged] = bench(tmp_path, "nhs", {"resourceType": "Consent", "id": "c1", "status": "active"})
    assert "damaged: Consent.patient" in damaged["lines"][0]["notes"][0]
    [other] = bench(tmp_path, "epic", {"resourceType": "Consent", "id": "c1"})
    assert other["fact"]["fact"] == "ignored"


def test_a_record_that_is_put_aside_says_what_is_wrong(tmp_path: Path) -> None:
    done = mapping(
        tmp_path, "test", "family-contacts", str(EXAMPLES / "family-contacts/examples/19-active-as-text.json")
    )
    assert done.code == 0
    assert "RelatedPerson.active should be true or false, is text" in done.out
    assert done.out.splitlines()[-1] == "1 put aside"


@pytest.mark.parametrize(
    "path", sorted(EXAMPLES.glob("*/examples/*.json")), ids=lambda path: path.parts[-3] + "-" + path.stem
)
def test_every_sheet_fits_80_columns(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    done = mapping(tmp_path, "test", path.parts[-3], str(path))
    assert done.code == 0
    lines = done.out.splitlines()
    headings = ("RelatedPerson/", "Patient/")  # an id is never broken
    assert [line for line in lines if len(line) > 80 and not line.startswith(headings)] == []
    assert all(line == line.rstrip() for line in lines)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"{", "record.json: ends too early"),
        (b"[1]", "1 put aside"),
        (b"\xff", "record.json: is not valid UTF-8"),
        (b"", "record.json: is empty"),
    ],
)
def test_a_bad_file_is_one_clear_line(tmp_path: Path, content: bytes, says: str) -> None:
    (tmp_path / "record.json").write_bytes(content)
    done = mapping(tmp_path, "test", "epic", str(tmp_path / "record.json"))
    assert says in (done.err if done.code else done.out)
    assert done.code == (0 if content == b"[1]" else 1)
    assert "Traceback" not in done.err and done.err.count("\n") <= 1


def test_a_file_or_profile_that_does_not_exist_is_one_clear_line(tmp_path: Path) -> None:
    done = mapping(tmp_path, "test", "epic", str(tmp_path / "nowhere.json"))
    assert (done.code, done.out) == (1, "")
    assert "nowhere.json: cannot be read" in done.err
    done = mapping(tmp_path, "test", "epik", str(MOTHER))
    assert (done.code, done.out) == (2, "")
    assert "Choose one of athenahealth" in done.err


def test_every_line_of_an_ndjson_file_is_on_the_bench(tmp_path: Path) -> None:
    lines = [json.dumps(resource(path)) for path in sorted(MOTHER.parent.glob("*.json"))]
    (tmp_path / "people.ndjson").write_text("\n".join(lines) + "\n\n", encoding="utf-8")
    done = mapping(tmp_path, "test", "family-contacts", str(tmp_path / "people.ndjson"), "--json")
    assert len(done.document["records"]) == len(lines)
    assert done.document["records"][2]["origin"] == "people.ndjson:3"


def test_the_list_has_every_profile_and_a_practices_own_first(tmp_path: Path) -> None:
    (tmp_path / "mappings").mkdir()
    (tmp_path / "mappings" / "epic.toml").write_text(OURS, encoding="utf-8")
    rows = {row["name"]: row for row in mapping(tmp_path, "list", "--json").document}
    assert set(rows) == {path.stem for path in EXAMPLES.glob("*.toml")}
    assert rows["epic"]["file"] == str(tmp_path / "mappings" / "epic.toml")
    assert (rows["canvas"]["contacts"], rows["nhs"]["authority"]) == ("Patient.contact", False)
    assert "Oracle Health" in mapping(tmp_path, "list").out


def test_check_runs_the_examples_and_fails_with_the_first_that_does_not_hold(tmp_path: Path) -> None:
    assert mapping(tmp_path, "check", "epic").out.splitlines()[-1] == "5 examples, all as promised."
    (tmp_path / "mappings").mkdir()
    (tmp_path / "mappings" / "ours.toml").write_text(OURS, encoding="utf-8")
    assert "no examples yet" in mapping(tmp_path, "check", "ours").out
    examples = tmp_path / "mappings" / "ours" / "examples"
    examples.mkdir(parents=True)
    promise = {"resource": resource(MOTHER), "expect": {"fact": "contact", "ref": "RelatedPerson/x", "source": ""}}
    (examples / "01.json").write_text(json.dumps(promise), encoding="utf-8")
    done = mapping(tmp_path, "check", "ours")
    assert done.code == 1
    assert "FAIL 01" in done.out and "ref should be" in done.out
    document = mapping(tmp_path, "check", "ours", "--json").document
    assert document["examples"][0]["ok"] is False and document["examples"][0]["problems"]
