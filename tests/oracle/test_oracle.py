"""The oracle can say no: one record at a time is changed, and the answer is the one the rules give."""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.oracle.ehr import Ehr
from tests.oracle.moves import Family
from tests.oracle.oracle import ALLOWED, EITHER, FORBIDDEN, NOTHING_NEW, Dict, Oracle, key, remember

NOW = datetime(2026, 5, 4, 9, 30, tzinfo=ZoneInfo("America/New_York"))
ANNA, BEN = "anna@mail.example.org", "ben@mail.example.org"


def records(chart: Dict | None = None, mother: Dict | None = None, father: Dict | None = None) -> Dict:
    """A child with a mother and, where something is said of him, a father: each with Joint Authority."""
    ehr = Ehr()
    family = Family(ehr, 0)
    family.add_chart(**chart or {})
    family.add_contact("f0-1", **{"email": ANNA} | (mother or {}))
    if father is not None:
        names = [("Benjamin", "Rivera")]
        family.add_contact("f0-1", **{"role": "father", "email": BEN, "names": names} | father)
    return {"charts": ehr.charts, "contacts": {id_: remember(None, one) for id_, one in ehr.contacts.items()}}


def answer(known: Dict, email: str = ANNA) -> str:
    return Oracle(known, NOW).verdict(email, "f0-1")[0]


def test_a_mother_with_joint_authority_may_open_her_childs_chart() -> None:
    assert answer(records()) == ALLOWED
    assert answer(records(father={})) == ALLOWED
    assert Oracle(records(), NOW).may_mail(ANNA)


@pytest.mark.parametrize(
    "chart",
    [
        *({"active": False}, {"deceased": True}, {"replaced_by": "f0-9"}, {"damaged": True}, {"emails": [ANNA]}),
        *({"born": ""}, {"born": "1788-01-01"}, {"born": "2026-05-05"}, {"born": "2008-05-04"}, {"born": "2008"}),
    ],
)
def test_a_chart_that_nobody_may_open(chart: Dict) -> None:
    assert answer(records(chart)) == FORBIDDEN
    assert not Oracle(records(chart), NOW).may_mail(ANNA)


@pytest.mark.parametrize(
    "mother",
    [
        *({"active": False}, {"end": "2026-05-03"}, {"start": "2026-05-05"}, {"damaged": True}, {"email_old": True}),
        *({"role": "self"}, {"role": "unknown"}, {"authority": "none"}, {"authority": "unknown"}, {"chart": None}),
        *({"email": ""}, {"email": "anna at mail.example.org"}, {"email": BEN}),
    ],
)
def test_a_contact_that_opens_nothing(mother: Dict) -> None:
    assert answer(records(mother=mother)) == FORBIDDEN


@pytest.mark.parametrize("chart", [{"born": "2008-05-05"}, {"born": "2016-02-29"}])
def test_a_day_before_the_eighteenth_birthday(chart: Dict) -> None:
    assert answer(records(chart)) == ALLOWED


def test_exclusive_authority_shuts_the_other_out_even_when_it_is_lost_or_damaged() -> None:
    known = records(mother={}, father={"authority": "exclusive"})
    assert (answer(known), answer(known, BEN)) == (FORBIDDEN, ALLOWED)
    father = known["contacts"]["f0-3"]
    for lost in ({"authority": "unknown"}, {"damaged": "modifier", "authority": "unknown"}, {"chart": None}):
        known["contacts"]["f0-3"] = remember(father, father | lost)
        assert (answer(known), answer(known, BEN)) == (FORBIDDEN, FORBIDDEN)


def test_two_people_with_exclusive_authority_open_nothing_new() -> None:
    known = records(mother={"authority": "exclusive"}, father={"authority": "exclusive"})
    assert (answer(known), answer(known, BEN)) == (NOTHING_NEW, NOTHING_NEW)
    assert Oracle(known, NOW).stays(ANNA, "f0-1")


@pytest.mark.parametrize(
    "father", [{"authority": "none"}, {"role": "self"}, {"names": [], "authority": "none"}, {"authority": "unknown"}]
)
def test_a_mailbox_that_somebody_else_reads(father: Dict) -> None:
    assert answer(records(father={"email": ANNA} | father)) == FORBIDDEN


def test_the_same_person_with_a_yes_and_a_no() -> None:
    again = {"role": "mother", "names": [("Anna", "Rivera")], "email": ANNA, "authority": "none"}
    assert answer(records(father=again)) == FORBIDDEN


@pytest.mark.parametrize(
    ("chart", "expected"),
    [({"links": ["f0-2"]}, ALLOWED), ({"names": [("Anna", "Rivera")]}, EITHER), ({}, FORBIDDEN)],
)
def test_an_adult_sees_their_own_chart(chart: Dict, expected: str) -> None:
    known = records(chart | {"born": "1988-02-11"}, mother={"role": "other_relative"})
    assert answer(known) == expected


def test_what_is_said_outright_is_told_from_what_is_merely_so() -> None:
    def outright(**known: Any) -> bool:
        return Oracle(records(**known), NOW).explicitly_closed(ANNA, "f0-1")

    assert (
        outright(mother={"authority": "none"})
        and outright(mother={"active": False})
        and outright(chart={"active": False})
    )
    assert not outright(mother={"authority": "unknown"}) and not outright(mother={"email": BEN})


def test_addresses_are_told_apart_as_accounts_are() -> None:
    assert key(" Anna@MÜNCHEN.example ") == key("anna@xn--mnchen-3ya.example") != key("an.na@münchen.example")
