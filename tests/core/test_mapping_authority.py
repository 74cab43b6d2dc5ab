"""An Authority from codes of some systems, from yes or no, and codes that are known to say nothing."""

from typing import Any

import pytest

from adapter.core.authority import AuthorityTable, authority_of
from adapter.core.facts import Authority
from adapter.core.intake import Damaged

CUSTODY, OTHER = "urn:ehr:custody", "urn:ehr:billing"
J, E, N, U = Authority.JOINT, Authority.EXCLUSIVE, Authority.NONE, Authority.UNKNOWN
CODED = AuthorityTable({"full": J, "sole": E, "denied": N, "family": None}, frozenset({CUSTODY}))
WORDS = AuthorityTable({"authorized representative": J, "family member": None, "no access": N}, by_text=True)
YES_NO = AuthorityTable({"true": J, "false": N})


def concept(*codings: tuple[str, str], text: str = "") -> dict[str, Any]:
    listed = [{"system": system, "code": code} if system else {"code": code} for system, code in codings]
    return {"coding": listed} | ({"text": text} if text else {})


@pytest.mark.parametrize(
    ("values", "authority"),
    [
        ([concept((CUSTODY, "full"))], J),
        ([concept((CUSTODY, "SOLE"))], E),
        ([concept((OTHER, "denied"))], U),
        ([concept((OTHER, "denied"), (CUSTODY, "full"))], J),
        ([concept((CUSTODY, "family"))], U),
        ([concept((CUSTODY, "family")), concept((CUSTODY, "full"))], J),
        ([concept((CUSTODY, "full")), concept((CUSTODY, "denied"))], U),
        ([concept((CUSTODY, "full")), concept((CUSTODY, "new-code"))], U),
        ([concept((CUSTODY, "full")), concept(("", "full"))], U),
        ([concept((CUSTODY, "full")), {"text": "denied"}], J),
        ([{"coding": [{"display": "Mother"}]}, concept((CUSTODY, "full"))], J),
        (["full"], J),
        (["full", concept((CUSTODY, "denied"))], U),
        (["new-code"], U),
    ],
)
def test_only_codings_of_the_named_systems_count(values: list[dict[str, Any]], authority: Authority) -> None:
    assert authority_of(values, CODED, "x")[0] is authority
    assert authority_of(values[::-1], CODED, "x")[0] is authority


@pytest.mark.parametrize(
    "coding", [{"system": CUSTODY}, {"system": "", "code": "full"}, {"system": "a\x00", "code": "full"}, {"system": 5}]
)
def test_a_coding_that_lost_its_code_or_system_is_damaged_not_silent(coding: dict[str, Any]) -> None:
    with pytest.raises(Damaged):
        authority_of([{"coding": [coding, {"system": CUSTODY, "code": "full"}]}], CODED, "x")


@pytest.mark.parametrize(
    ("values", "authority", "words"),
    [
        ([{"text": "Authorized Representative"}], J, ""),
        ([{"text": "Family Member"}, {"text": "Authorized Representative"}], J, ""),
        ([{"text": "Family Member"}], U, ""),
        ([{"text": "Family Member"}, {"text": "Step aunt"}], U, "Family Member, Step aunt"),
        ([{"text": "Authorized Representative"}, {"text": "No access"}], U, "Authorized Representative, No access"),
        ([{"text": "Family Member", "coding": [{"system": "s", "code": "no access"}]}], U, ""),
        ([{"coding": [{"system": "s", "code": "7"}]}], U, "a code without words"),
        (
            [{"text": "Authorized Representative"}, {"coding": [{"system": "s", "code": "7"}]}],
            U,
            "Authorized Representative, a code withou",
        ),
        ([{"system": "s", "code": "7", "display": "No access"}], N, ""),
    ],
)
def test_what_is_known_to_say_nothing_is_not_a_disagreement(
    values: list[dict[str, Any]], authority: Authority, words: str
) -> None:
    assert authority_of(values, WORDS, "x") == (authority, words)


def test_yes_and_no_count_only_where_the_profile_says_what_they_mean() -> None:
    assert authority_of([True], YES_NO, "x") == (J, "")
    assert authority_of([False], YES_NO, "x") == (N, "")
    assert authority_of([True, False], YES_NO, "x") == (U, "true, false")
    with pytest.raises(Damaged):
        authority_of([True], WORDS, "x")
