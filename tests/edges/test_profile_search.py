"""The ``[search]`` table of a mapping profile: read as it stands, and every slip in it named."""

from pathlib import Path

import pytest

from adapter.core.search import SearchRules
from adapter.errors import ConfigError
from adapter.profiles import load_profile

PROFILE = """
title = "Ours"
[roles]
source = "RelatedPerson.relationship"
tables = ["kinship"]
[authority]
source = "not-recorded"
"""


def rules(folder: Path, text: str) -> SearchRules:
    (folder / "ours.toml").write_text(PROFILE + text, encoding="utf-8")
    return load_profile("ours", [folder]).search


def test_a_profile_without_the_table_asks_as_fhir_promises(tmp_path: Path) -> None:
    assert rules(tmp_path, "") == SearchRules()
    assert rules(tmp_path, "").is_plain


def test_everything_in_the_table_reaches_the_reader(tmp_path: Path) -> None:
    text = """
    [search]
    contacts = "Patient.contact"
    contact_ids = "person"
    patient_identifier = "https://fhir.nhs.uk/Id/nhs-number"
    avoid = ["revinclude", "list"]
    [search.RelatedPerson.params]
    "-relationship-level" = "patient"
    [search.Patient]
    params = { _tag = "urn:ours|kids" }
    """
    assert rules(tmp_path, text) == SearchRules(
        contacts="Patient.contact",
        contact_ids="person",
        patient_identifier="https://fhir.nhs.uk/Id/nhs-number",
        avoid=("revinclude", "list"),
        params={"RelatedPerson": {"-relationship-level": "patient"}, "Patient": {"_tag": "urn:ours|kids"}},
    )


@pytest.mark.parametrize(
    ("text", "key", "problem"),
    [
        ('[search]\ncontacts = "Patient"', "search.contacts", "'Patient.contact'"),
        ('[search]\navoid = ["revinclud"]', "search.avoid.0", "'revinclude'"),
        ("[search]\nstrategy = 1", "search.strategy", "not a known key"),
        ('[search]\npatient_identifier = "nhs"', "search.patient_identifier", "pattern"),
        (
            '[search.Patient.params]\n_count = "5"',
            "search.Patient.params",
            "_count is a parameter that the adapter sets",
        ),
        ('[search.Patient.params]\n"patient:identifier" = "5"', "search.Patient.params", "adapter sets itself"),
        ('[search.Patient.params]\n"a&b" = "5"', "search.Patient.params", "pattern"),
        ('[search.Observation.params]\ncode = "5"', "search.Observation", "not a known key"),
    ],
)
def test_a_slip_in_the_table_is_named(tmp_path: Path, text: str, key: str, problem: str) -> None:
    with pytest.raises(ConfigError) as caught:
        rules(tmp_path, text)
    (fault,) = caught.value.faults
    assert fault.key.startswith(key) and problem in fault.problem


def test_other_search_rules_are_other_rules(tmp_path: Path) -> None:
    first = load_profile("ours", [tmp_path]) if rules(tmp_path, "") else None
    assert first is not None
    rules(tmp_path, '[search]\ncontact_ids = "person"')
    assert load_profile("ours", [tmp_path]).hash != first.hash
