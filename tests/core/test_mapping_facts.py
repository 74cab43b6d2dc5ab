"""Facts of charts and contacts: chart reference, e-mail address, names, dates, merges."""

from typing import Any

import pytest

from adapter.core.facts import Contact, EmailProblem, Ignored, Patient, Quarantined
from adapter.core.mapping import UNRESOLVED, ContactPaths, Mapper
from adapter.profiles import load_profile

PROFILE = load_profile("family-contacts")
BASE = "https://ehr.example/fhir"
MAPPER = Mapper(PROFILE, base_url=BASE)


def email(value: str | None, **more: Any) -> dict[str, Any]:
    return {"system": "email"} | ({} if value is None else {"value": value}) | more


def contact(**elements: Any) -> Contact:
    reading = MAPPER.read(
        {"resourceType": "RelatedPerson", "id": "r1", "patient": {"reference": "Patient/p1"}} | elements
    )
    assert isinstance(reading, Contact), reading
    return reading


def patient(**elements: Any) -> Patient:
    reading = MAPPER.read({"resourceType": "Patient", "id": "p1"} | elements)
    assert isinstance(reading, Patient), reading
    return reading


@pytest.mark.parametrize(
    ("reference", "resolved", "problem"),
    [
        ({"reference": "Patient/p1"}, "Patient/p1", ""),
        ({"reference": "Patient/p1/_history/2"}, "Patient/p1", ""),
        ({"reference": f"{BASE}/Patient/p1"}, "Patient/p1", ""),
        ({"reference": "https://EHR.example:443/fhir/Patient/p1/_history/4"}, "Patient/p1", ""),
        ({"reference": "Patient/p1", "type": "Patient"}, "Patient/p1", ""),
        ({"reference": "http://ehr.example/fhir/Patient/p1"}, "", "it belongs to another system"),
        ({"reference": "https://ehr.example.evil.example/fhir/Patient/p1"}, "", "it belongs to another system"),
        ({"reference": "https://user@ehr.example/fhir/Patient/p1"}, "", "it belongs to another system"),
        ({"reference": "https://ehr.example/fhir/other/Patient/p1"}, "", "it belongs to another system"),
        ({"reference": "https://[broken/Patient/p1"}, "", "it belongs to another system"),
        ({"reference": "#p1"}, "", "it is contained in the record itself"),
        (
            {"reference": "urn:uuid:9be88cc6-09e8-4dc6-b058-88676240dbc7"},
            "",
            "it is a URN that only its own bundle could resolve",
        ),
        ({"reference": "Practitioner/p1"}, "", "it is not a Patient"),
        ({"reference": "Patient/p1", "type": "Practitioner"}, "", "the reference says two different types"),
        ({"reference": "Patient/p1\n"}, "", "the reference is not one to a record"),
        ({"reference": "Patient/a b"}, "", "the reference is not one to a record"),
        ({"reference": "p1"}, "", "the reference is not one to a record"),
        ({"identifier": {"value": "4711"}}, "", "it is given by an identifier only"),
        ({"display": "Nora"}, "", "the reference is empty"),
    ],
)
def test_the_chart_must_be_in_this_ehr(reference: dict[str, Any], resolved: str, problem: str) -> None:
    found = contact(patient=reference)
    assert (found.patient, found.patient_problem) == (resolved, problem)


def test_without_a_base_url_every_absolute_reference_is_foreign() -> None:
    resource = {"resourceType": "RelatedPerson", "id": "r1", "patient": {"reference": f"{BASE}/Patient/p1"}}
    reading = Mapper(PROFILE).read(resource)
    assert isinstance(reading, Contact)
    assert reading.patient_problem == "it belongs to another system"


def test_a_contact_without_a_chart_says_so() -> None:
    reading = MAPPER.read({"resourceType": "RelatedPerson", "id": "r1"})
    assert isinstance(reading, Contact)
    assert reading.patient_problem == "the record names none"


@pytest.mark.parametrize(
    ("telecom", "address", "problem"),
    [
        ([], "", EmailProblem.MISSING),
        ([{"system": "phone", "value": "555-0142"}], "", EmailProblem.MISSING),
        ([email("a@x.example")], "a@x.example", None),
        ([email(" A@X.example ")], "A@X.example", None),
        ([email("a@x.example", use="old")], "", EmailProblem.OLD),
        ([email("a@x.example", use="old"), email("b@x.example")], "b@x.example", None),
        ([email("a@x.example", rank=2), email("b@x.example", rank=1)], "b@x.example", None),
        ([email("a@x.example"), email("b@x.example", rank=9)], "b@x.example", None),
        ([email("a@x.example", use="work"), email("b@x.example", use="home")], "b@x.example", None),
        ([email("a@x.example"), email("b@x.example", use="mobile")], "b@x.example", None),
        ([email("a@x.example"), email("b@x.example")], "a@x.example", None),
        ([email("a@x.example", period={"end": "2020"}), email("b@x.example", rank=9)], "b@x.example", None),
        ([email("wrong"), email("b@x.example")], "", EmailProblem.INVALID),
        ([email("wrong", rank=2), email("b@x.example", rank=1)], "b@x.example", None),
        ([email(None), email("b@x.example")], "", EmailProblem.INVALID),
        ([email(None)], "", EmailProblem.MISSING),
        ([{"use": "home"}, email("b@x.example")], "b@x.example", None),
        ([email("a@x.example,b@x.example")], "", EmailProblem.INVALID),
    ],
)
def test_one_address_counts(telecom: list[dict[str, Any]], address: str, problem: EmailProblem | None) -> None:
    found = contact(telecom=telecom) if telecom else contact()
    assert (found.email, found.email_key, found.email_problem) == (address, address.lower(), problem)


def test_the_period_of_the_address_is_kept_for_deciding() -> None:
    found = contact(telecom=[email("a@x.example", period={"start": "2020-01", "end": "2024-02-29"})])
    assert (found.email_start, found.email_end) == ("2020-01", "2024-02-29")


def test_the_patients_own_addresses() -> None:
    own = [
        email("A@x.example"),
        email("a@X.example"),
        email("b@x.example", use="old"),
        email("c@x.example", period={"end": "2020"}),
    ]
    assert patient(telecom=[*own, email("wrong")]).emails == ("a@x.example", "c@x.example")


@pytest.mark.parametrize(
    ("names", "displays"),
    [
        ([{"text": "Nora  Jane\tCalloway"}], ("Nora Jane Calloway",)),
        ([{"prefix": ["Ms."], "given": ["Nora", "Jane"], "family": "Calloway"}], ("Nora Jane Calloway",)),
        ([{"given": ["Nora", None, ""], "_given": [None, {"id": "a"}, None]}], ("Nora",)),
        ([{"text": "", "family": "Calloway"}], ("Calloway",)),
        ([{"use": "usual"}], ()),
        (
            [
                {"use": "old", "text": "D"},
                {"text": "C"},
                {"use": "usual", "text": "B"},
                {"use": "official", "text": "A"},
            ],
            ("A", "B", "C", "D"),
        ),
        ([{"use": "official", "text": "B", "period": {"end": "2019"}}, {"text": "A"}], ("A", "B")),
        ([{"text": "A"}, {"use": "usual", "text": "A"}], ("A",)),
    ],
)
def test_names_best_first(names: list[dict[str, Any]], displays: tuple[str, ...]) -> None:
    assert patient(name=names).names == displays
    assert contact(name=names).names == displays


@pytest.mark.parametrize(
    "birth_date", ["2017-09-30", "2017-09", "2017", "1991-1-13", "1994-11-01T00:00:00.000Z", "next week"]
)
def test_a_birth_date_is_kept_as_recorded_for_deciding_to_judge(birth_date: str) -> None:
    assert patient(birthDate=birth_date).birth_date == birth_date


def test_a_birth_date_with_only_an_extension_is_missing() -> None:
    absent = {
        "extension": [{"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "unknown"}]
    }
    assert patient(_birthDate=absent).birth_date == ""


@pytest.mark.parametrize(
    "death",
    [
        {"deceasedBoolean": True},
        {"deceasedDateTime": "2024-01-01"},
        {"deceasedDateTime": "some day"},
        {"_deceasedDateTime": {"id": "x"}},
    ],
)
def test_any_sign_of_death_counts(death: dict[str, Any]) -> None:
    assert patient(**death).deceased
    assert patient(**({"deceasedBoolean": False} | death)).deceased
    assert not patient(deceasedBoolean=False).deceased
    assert not patient().deceased


def test_merges_and_links() -> None:
    links = [
        {"other": {"reference": "Patient/p2"}, "type": "replaced-by"},
        {"other": {"identifier": {"value": "1"}}, "type": "replaced-by"},
        {"other": {"reference": "Patient/p0"}, "type": "replaces"},
        {"other": {"reference": "RelatedPerson/r9"}, "type": "seealso"},
        {"other": {"reference": f"{BASE}/Patient/p3"}, "type": "refer"},
        {"other": {"reference": "https://elsewhere.example/Patient/p4"}, "type": "refer"},
    ]
    found = patient(link=links)
    assert found.replaced_by == ("Patient/p2", UNRESOLVED)
    assert found.links == ("RelatedPerson/r9", "Patient/p3")


@pytest.mark.parametrize(
    ("communication", "language"),
    [
        ([{"language": {"coding": [{"code": "es-US"}]}}], "es-us"),
        (
            [{"language": {"coding": [{"code": "en"}]}}, {"language": {"coding": [{"code": "es"}]}, "preferred": True}],
            "es",
        ),
        ([{"language": {"text": "Spanish"}}], ""),
        ([{"language": {"coding": [{"system": "urn:local", "code": "0042"}, {"code": "fr"}]}}], "fr"),
        ([], ""),
    ],
)
def test_the_preferred_language(communication: list[dict[str, Any]], language: str) -> None:
    assert patient(communication=communication).language == language
    assert contact(communication=communication).language == language


def test_the_chart_number_is_the_one_of_type_mr() -> None:
    numbers = [{"value": "A"}, {"type": {"coding": [{"code": "XX"}, {"code": "MR"}]}, "value": "B"}]
    assert patient(identifier=numbers).mrn == "B"
    assert patient(identifier=numbers[:1]).mrn == ""


def test_a_version_id_that_fits_no_reference_is_left_out_of_the_source() -> None:
    assert patient(meta={"versionId": "a/b c"}).source == "Patient/p1"
    assert patient(meta={"versionId": "MTY5_Nz=="}).source == "Patient/p1/_history/MTY5_Nz=="


def test_what_is_not_read_may_be_anything() -> None:
    found = patient(
        address="nowhere", photo=[None], contact={"x": 1}, text=7, contained="x", extension=[{"url": 3}], gender=[]
    )
    assert found == patient()
    assert contact(identifier={"value": "x"}, address=5, photo={}) == contact()


def test_other_resources_are_ignored() -> None:
    assert MAPPER.read({"resourceType": "Observation", "id": "o1"}, "x") == Ignored(
        ref="Observation/o1", why="neither a Patient nor a RelatedPerson", origin="x"
    )
    assert MAPPER.read({"resourceType": "no type at all"}, "x") == Ignored(
        ref="", why="neither a Patient nor a RelatedPerson", origin="x"
    )


def test_a_profile_can_find_everything_in_extensions() -> None:
    vendor = "https://vendor.example/"
    paths = ContactPaths(
        role=f"RelatedPerson.extension('{vendor}relation').valueCodeableConcept",
        authority=f"RelatedPerson.extension.where(url='{vendor}custody').extension('level').value",
        period=f"RelatedPerson.extension('{vendor}period').valuePeriod",
    )
    mapper = Mapper(type(PROFILE)(name="v", roles=PROFILE.roles, contact=paths, authorities=PROFILE.authorities))
    custody = {"url": f"{vendor}custody", "extension": [{"url": "level", "valueString": "Joint"}]}
    relation = {"url": f"{vendor}relation", "valueCodeableConcept": {"text": "Mother"}}
    period = {"url": f"{vendor}period", "valuePeriod": {"end": "2024-01-01"}}
    resource = {"resourceType": "RelatedPerson", "id": "r1", "extension": [custody, relation, period]}
    reading = mapper.read(resource)
    assert isinstance(reading, Contact)
    assert (reading.role, reading.authority, reading.end) == ("mother", "joint", "2024-01-01")
    for broken in ({"end": 5}, {"end": "yesterday"}, {}):
        reading = mapper.read(resource | {"extension": [custody, relation, period | {"valuePeriod": broken}]})
        assert isinstance(reading, Quarantined)
    later = {"url": f"{vendor}period", "valuePeriod": {"start": "2019", "end": "2024-02"}}
    reading = mapper.read(
        resource | {"extension": [later, period, {"url": f"{vendor}period", "valuePeriod": {"start": "2018-05-01"}}]}
    )
    assert isinstance(reading, Contact)
    assert (reading.start, reading.end) == ("2019", "2024-01-01"), "what all periods have in common"
    assert isinstance(mapper.read(resource | {"extension": [later, period | {"valuePeriod": {"end": 5}}]}), Quarantined)


def test_the_hash_of_a_profile_follows_what_it_reads_not_what_it_is_called() -> None:
    same = type(PROFILE)(
        name="copy",
        title="Copy",
        roles=PROFILE.roles,
        patient=PROFILE.patient,
        contact=PROFILE.contact,
        authorities=PROFILE.authorities,
    )
    assert same.hash == PROFILE.hash == load_profile("family-contacts").hash
    other = type(PROFILE)(name="family-contacts", roles=PROFILE.roles, contact=PROFILE.contact)
    assert other.hash != PROFILE.hash
