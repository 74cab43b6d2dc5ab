"""An entry of Patient.contact keeps its id, or says that it cannot be told: damage never makes a contact look gone."""

from typing import Any

import pytest

from adapter.core.patient_contact import UNTELLABLE, contacts_in
from tests.core.test_mapping_damage import JUNK, damaged, places

MOTHER: dict[str, Any] = {
    "extension": [{"url": "urn:a", "valueCode": "exclusive"}],
    "relationship": [{"coding": [{"system": "urn:k", "code": "MTH"}], "text": "Mother"}],
    "name": {"use": "official", "family": "Reyes", "given": ["Ada", "Luz"]},
    "telecom": [{"system": "email", "value": "ada@mail.example"}],
    "period": {"start": "2020"},
}
FATHER = {"name": {"text": "Leo Reyes"}, "relationship": [{"text": "Father"}]}


def chart(*entries: Any) -> dict[str, Any]:
    return {"resourceType": "Patient", "id": "mia", "contact": list(entries)}


def found(*entries: Any) -> list[Any]:
    return [each["id"] if isinstance(each, dict) else each for each in contacts_in(chart(*entries))]


@pytest.mark.parametrize("place", list(places(MOTHER)), ids=str)
def test_a_damaged_entry_keeps_its_id_or_cannot_be_told(place: tuple[Any, ...]) -> None:
    mother, father = found(MOTHER, FATHER)
    for junk in JUNK:
        if junk == ["Xq7Canary"] and place == ("name", "given"):
            continue  # that is another name, not a damaged one
        after = found(damaged(MOTHER, place, junk), FATHER)
        assert after[0] in (mother, UNTELLABLE), junk
        assert after[1] == father


def test_an_entry_keeps_its_id_in_any_place_and_whatever_it_says_of_authority_and_address() -> None:
    mother, father = found(MOTHER, FATHER)
    assert found(FATHER, {**MOTHER, "extension": [], "telecom": []}) == [father, mother]


@pytest.mark.parametrize("contacts", ["x", {}, 5, None])
def test_contacts_that_are_no_list_cannot_be_told(contacts: Any) -> None:
    assert list(contacts_in({"resourceType": "Patient", "id": "mia", "contact": contacts})) == [UNTELLABLE]


def test_an_entry_without_a_name_is_known_by_its_relationship() -> None:
    nameless = {"relationship": [{"text": "Mother"}]}
    assert found(nameless) == found({**nameless, "telecom": []})
    assert found(nameless) != found({"relationship": [{"text": "Father"}]})
