"""Mapping profiles from TOML: what comes with the adapter, what a practice writes, and every fault at once."""

from pathlib import Path
from typing import Any

import pytest
from fhir.resources.R4B import get_fhir_model_class

from adapter.core.elements import elements
from adapter.core.facts import Authority, Role
from adapter.core.mapping import Mapper
from adapter.errors import ConfigError, Fault
from adapter.profiles import data_folder, load_profile

GOOD = """
title = "Ours"
understood_modifier_extensions = ["https://ehr.example/reviewed"]
[patient]
mrn = "Patient.identifier.where(system='urn:ours').value"
[contact]
names = "RelatedPerson.name.where(use='official')"
[roles]
source = "RelatedPerson.relationship"
tables = ["kinship"]
[roles.codes."urn:ours:kin"]
7 = "guardian"
[roles.words]
"Legal  Guardian" = "foster_parent"
[authority]
source = "RelatedPerson.extension('urn:ours:custody').value"
[authority.codes]
FULL = "joint"
"""


def written(folder: Path, text: str, name: str = "ours") -> list[Path]:
    (folder / f"{name}.toml").write_text(text, encoding="utf-8")
    return [folder]


def faults_of(folder: Path, text: str) -> list[Fault]:
    with pytest.raises(ConfigError) as caught:
        load_profile("ours", written(folder, text))
    return caught.value.faults


def swapped(old: str, new: str) -> str:
    assert old in GOOD
    return GOOD.replace(old, new)


@pytest.mark.parametrize("name", [path.stem for path in data_folder("mappings").glob("*.toml")])
def test_every_profile_that_comes_with_the_adapter_loads(name: str) -> None:
    profile = load_profile(name)
    assert profile.name == name
    assert profile.roles.codes["http://terminology.hl7.org/CodeSystem/v3-RoleCode"]["MTH"] is Role.MOTHER
    assert (Authority.JOINT in profile.authorities.codes.values()) == bool(profile.contact.authority)
    Mapper(profile)


def test_a_practices_own_profile_adds_to_the_shared_tables_and_wins(tmp_path: Path) -> None:
    profile = load_profile("ours", written(tmp_path, GOOD))
    assert profile.roles.codes["urn:ours:kin"] == {"7": Role.GUARDIAN}
    assert profile.roles.words["legal guardian"] is Role.FOSTER_PARENT
    assert profile.roles.words["mother"] is Role.MOTHER
    assert profile.authorities.codes == {"full": Authority.JOINT}
    assert profile.understood_modifiers == ("https://ehr.example/reviewed",)
    assert profile.patient.mrn == "Patient.identifier.where(system='urn:ours').value"
    assert profile.patient.names == "Patient.name"


def test_a_folder_beside_the_configuration_comes_first(tmp_path: Path) -> None:
    profile = load_profile("family-contacts", written(tmp_path, GOOD, "family-contacts"))
    assert profile.title == "Ours"
    assert load_profile("family-contacts", [tmp_path / "empty"]).title == "Family Contacts"


def test_shared_tables_can_be_replaced_too(tmp_path: Path) -> None:
    (tmp_path / "tables").mkdir()
    (tmp_path / "tables" / "kinship.toml").write_text('[words]\nmother = "other"\n', encoding="utf-8")
    profile = load_profile("ours", written(tmp_path, GOOD))
    assert profile.roles.words == {"mother": Role.OTHER, "legal guardian": Role.FOSTER_PARENT}


def test_an_expression_may_go_over_several_lines(tmp_path: Path) -> None:
    long = swapped(
        'source = "RelatedPerson.relationship"',
        '''source = """
RelatedPerson.relationship
| RelatedPerson.relationship.extension('urn:ours:kin').value"""''',
    )
    found = load_profile("ours", written(tmp_path, long)).contact.role
    assert found == "RelatedPerson.relationship | RelatedPerson.relationship.extension('urn:ours:kin').value"


def test_codes_that_say_whom_to_call_add_up_over_the_tables(tmp_path: Path) -> None:
    (tmp_path / "tables").mkdir()
    (tmp_path / "tables" / "kinship.toml").write_text('[contact_codes]\n"urn:k" = ["C"]\n', encoding="utf-8")
    text = swapped("[roles.words]", '[roles.contact_codes]\n"urn:k" = ["E"]\n[roles.words]')
    assert load_profile("ours", written(tmp_path, text)).roles.contact_codes == {"urn:k": {"C", "E"}}


def test_words_and_code_systems_exclude_each_other(tmp_path: Path) -> None:
    text = swapped("[authority.codes]", 'by = "text"\nsystems = ["urn:x"]\n[authority.codes]')
    [fault] = faults_of(tmp_path, text)
    assert fault.key == "authority.systems"


def test_an_ehr_without_authority_says_so(tmp_path: Path) -> None:
    text = GOOD[: GOOD.index("[authority]")] + '[authority]\nsource = "not-recorded"\n'
    assert load_profile("ours", written(tmp_path, text)).contact.authority == ""
    [fault] = faults_of(tmp_path, text + '[authority.codes]\nx = "joint"\n')
    assert fault.key == "authority.codes"


def test_a_profile_that_does_not_exist_names_those_that_do(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"nowhere\.toml: file: does not exist\. Choose one of athenahealth, .*, us-core, or put"
    ):
        load_profile("nowhere", [tmp_path])


@pytest.mark.parametrize("name", ["../kinship", "tables/kinship", "", "Family-Contacts"])
def test_a_name_never_leads_out_of_the_folders(name: str) -> None:
    with pytest.raises(ConfigError, match="is not a profile's name"):
        load_profile(name)


@pytest.mark.parametrize(
    ("text", "key", "problem"),
    [
        ("title = ", "syntax", "Invalid value"),
        (swapped("tables =", "tabels ="), "roles.tabels", "is not a known key"),
        (swapped("mrn =", "chart_number ="), "patient.chart_number", "is not a known key"),
        (swapped('title = "Ours"', ""), "title", "is missing"),
        (swapped("tables = ", "tables = 5 #"), "roles.tables", "valid tuple"),
        (swapped('["kinship"]', '["kinschip"]'), "roles.tables", '"kinschip" does not exist'),
        (swapped('"guardian"', '"gardian"'), "roles.codes.urn:ours:kin.7", "'guardian'"),
        (swapped('"joint"', '"shared"'), "authority.codes.FULL", "'joint', 'exclusive', 'none'"),
        (swapped('FULL = "joint"', ""), "authority.codes", "is missing"),
        (swapped('FULL = "joint"', 'FULL = "joint"\nfull = "none"'), "authority.codes", "twice"),
        (swapped("[authority]", '"legal-guardian" = "other"\n[authority]'), 'words."legal-guardian"', "twice"),
        (
            swapped("RelatedPerson.relationship", "RelatedPerson.relatonship"),
            "roles.source",
            "did you mean `relationship`",
        ),
        (swapped("RelatedPerson.relationship", "RelatedPerson..relationship"), "roles.source", "is not FHIRPath"),
        (swapped("RelatedPerson.relationship", "Patient.name"), "roles.source", "starts at Patient"),
        (swapped("use='official'", "use='officail'"), "contact.names", "a code it never has"),
        (swapped("(system='urn:ours')", "(sistem='urn:ours')"), "patient.mrn", "did you mean `system`"),
        (swapped("custody').value", "custody')"), "authority.source", "add .value"),
    ],
)
def test_a_fault_names_file_key_and_problem(tmp_path: Path, text: str, key: str, problem: str) -> None:
    [fault] = faults_of(tmp_path, text)
    assert fault.file == str(tmp_path / "ours.toml")
    assert fault.key == key
    assert problem in fault.problem
    assert fault.remedy


def test_all_faults_are_told_at_once(tmp_path: Path) -> None:
    text = (
        swapped("RelatedPerson.relationship", "RelatedPerson.relatonship")
        .replace("use=", "uze=")
        .replace('["kinship"]', '["a", "b"]')
    )
    assert {fault.key for fault in faults_of(tmp_path, text)} == {"roles.source", "contact.names", "roles.tables"}
    assert len(faults_of(tmp_path, text)) == 4
    keys = {fault.key for fault in faults_of(tmp_path, 'titel = "x"\n[roles]\nsuorce = "x"\n')}
    assert keys == {"titel", "title", "roles.suorce", "roles.source", "authority"}


def test_a_fault_in_a_shared_table_names_that_file(tmp_path: Path) -> None:
    (tmp_path / "tables").mkdir()
    table = tmp_path / "tables" / "kinship.toml"
    table.write_text('[words]\nmother = "mothr"\n', encoding="utf-8")
    [fault] = faults_of(tmp_path, GOOD)
    assert (fault.file, fault.key) == (str(table), "words.mother")


def test_a_file_that_is_not_text_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "ours.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="cannot be read as UTF-8 text"):
        load_profile("ours", [tmp_path])


def test_the_elements_intake_checks_are_fhirs() -> None:
    """Names, repetition and types of every element, against the R4 definitions of fhir.resources."""
    ours = {
        "Link": "PatientLink",
        "Communication": "PatientCommunication",
        "ResourceMeta": "Meta",
        "Resource": "",
        "Shape": "",
    }
    for kind, fields in elements().items():
        model: Any = get_fhir_model_class(ours.get(kind, kind)) if ours.get(kind, kind) else None
        for name, element in fields.items() if model else ():
            field = next(info for key, info in model.model_fields.items() if (info.alias or key) == name)
            kinds = str(field.annotation)
            assert ("List[" in kinds) == element.many, f"{kind}.{name}"
            if element.type in elements():
                expected = ours.get(element.type, element.type).removeprefix("Patient")
                assert expected in kinds, f"{kind}.{name} is {kinds}"
