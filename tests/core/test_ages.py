"""Age and identity: the bands, the contact who is the patient, the patient's own mailbox, and the day to look again."""

from datetime import date
from typing import Any

import pytest

from adapter.core.decide import Outcome, decide_chart
from adapter.core.facts import Contact, Patient, Role
from adapter.core.policy import Access, Band, Policy
from tests.core.personas import NOW, anna, anna_as_other_relative, anna_as_patient, mia

TEENS = Policy(bands=(Band(0, Access.FULL), Band(12, Access.LIMITED), Band(18, Access.NONE)))


def outcome(patient: Patient, contact: Contact, *, policy: Policy | None = None) -> Outcome:
    return decide_chart(patient, (contact,), policy or Policy(), NOW).outcomes[contact.ref]


@pytest.mark.parametrize(
    ("born", "access"),
    [
        ("2019-05-04", Access.FULL),
        ("2014-03-03", Access.FULL),
        ("2014-03-02", Access.LIMITED),
        ("2014", Access.LIMITED),
        ("2008-03-03", Access.LIMITED),
        ("2008-03-02", Access.NONE),
    ],
)
def test_access_follows_the_bands_of_the_practice(born: str, access: Access) -> None:
    decided = outcome(mia(birth_date=born), anna(), policy=TEENS)
    assert decided.access is access
    assert decided.opens is (access is not Access.NONE)


def test_without_any_band_nobody_sees_anything() -> None:
    assert outcome(mia(), anna(), policy=Policy(bands=())).headline == "dependent-is-adult"


def test_an_adult_sees_their_own_chart_in_full() -> None:
    decided = outcome(anna_as_patient(), anna_as_other_relative())
    assert (decided.opens, decided.is_self, decided.access) == (True, True, Access.FULL)


# ---- the contact is the patient ------------------------------------------------------------------------------------

LINK = ("RelatedPerson/anna-other",)
BOTH_BORN: dict[str, Any] = {"birth_date": "1988-02-11"}

# fmt: off
THE_PATIENT: list[tuple[str, Patient, dict[str, Any], bool | None]] = [
    ("by-name", anna_as_patient(), {}, True),
    ("by-name-and-birth-date", anna_as_patient(), BOTH_BORN, True),
    ("by-nickname", anna_as_patient(names=("Elizabeth Rivera",)), {"names": ("Beth Rivera",)}, True),
    ("by-link", anna_as_patient(links=LINK), {"names": ("A. R.",)}, True),
    ("by-link-as-mother", anna_as_patient(links=LINK), {"role": Role.MOTHER}, True),
    ("mother-with-both-birth-dates", anna_as_patient(), {"role": Role.MOTHER} | BOTH_BORN, True),
    ("another-birth-date", anna_as_patient(), {"birth_date": "1961-07-30"}, False),
    ("another-name", anna_as_patient(), {"names": ("Rosa Lopez",)}, False),
    ("no-name", anna_as_patient(), {"names": ()}, False),
    ("mother-of-the-same-name", anna_as_patient(), {"role": Role.MOTHER}, False),
    ("grandmother-of-the-same-name", anna_as_patient(), {"role": Role.GRANDPARENT}, False),
    ("patient-without-birth-date", anna_as_patient(birth_date=""), BOTH_BORN, None),
    ("patient-with-an-absurd-birth-date", anna_as_patient(birth_date="1788-02-11"), {}, None),
    ("another-link", anna_as_patient(links=("RelatedPerson/anna-mia",)), {"names": ("Rosa Lopez",)}, False),
]
# fmt: on


@pytest.mark.parametrize(
    ("patient", "changes", "is_self"), [pytest.param(*case, id=name) for name, *case in THE_PATIENT]
)
def test_the_contact_is_the_patient(patient: Patient, changes: dict[str, Any], is_self: bool | None) -> None:
    """``None``: nobody can tell, for the patient's birth date is missing or absurd."""
    decided = outcome(patient, anna_as_other_relative(**changes))
    assert decided.is_self is bool(is_self)
    headline = {True: "eligible", False: "dependent-is-adult", None: "birthdate-unusable"}
    assert decided.headline == headline[is_self]


# ---- rule 12: the patient's own mailbox ----------------------------------------------------------------------------


def test_a_teenagers_address_used_by_a_guardian_is_held() -> None:
    teenager = mia(birth_date="2011-01-15", emails=("anna@rivera.example",))
    assert outcome(teenager, anna()).headline == "shared-email"


def test_a_patient_may_use_their_own_address() -> None:
    assert outcome(anna_as_patient(emails=("anna@rivera.example",)), anna_as_other_relative()).opens


@pytest.mark.parametrize(
    ("born", "headline"),
    [("2013-03-03", "eligible"), ("2013-03-02", "shared-email"), ("2013", "shared-email"), ("", "birthdate-unusable")],
)
def test_a_practice_may_let_a_small_childs_record_carry_the_parents_address(born: str, headline: str) -> None:
    patient = mia(birth_date=born, emails=("anna@rivera.example",))
    assert outcome(patient, anna(), policy=Policy(own_email_from_age=13)).headline == headline


# ---- the day to look again -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("patient", "contact", "policy", "day"),
    [
        (mia(), anna(), Policy(), date(2037, 5, 4)),
        (mia(), anna(), TEENS, date(2031, 5, 4)),
        (mia(), anna(), Policy(own_email_from_age=10), date(2029, 5, 4)),
        (mia(), anna(end="2026-03-09"), Policy(), date(2026, 3, 10)),
        (mia(), anna(start="2026-04"), Policy(), date(2026, 4, 1)),
        (mia(), anna(email_end="2027"), Policy(), date(2028, 1, 1)),
        (mia(), anna(email_start="2026-03-05"), Policy(), date(2026, 3, 5)),
        (mia(), anna(end="2026-03-02T15:00:00-05:00"), Policy(), date(2026, 3, 2)),
        (mia(), anna(start="2026-03-02T15:00:00-05:00"), Policy(), date(2026, 3, 2)),
        (mia(), anna(end="2026-03-02"), Policy(), date(2026, 3, 3)),
        (mia(), anna(end="2026-03-02T08:59:00-05:00"), Policy(), date(2037, 5, 4)),
        (mia(), anna(end="9999-12-31"), Policy(), date(2037, 5, 4)),
        (mia(birth_date="2027-01-01"), anna(), Policy(), date(2026, 3, 2)),
        (anna_as_patient(), anna_as_other_relative(), Policy(), None),
        (mia(birth_date=""), anna(), Policy(), None),
        (None, anna(), Policy(), None),
    ],
)
def test_the_day_on_which_time_alone_may_change_the_decision(
    patient: Patient | None, contact: Contact, policy: Policy, day: date | None
) -> None:
    assert decide_chart(patient, (contact,), policy, NOW).review_on == day
