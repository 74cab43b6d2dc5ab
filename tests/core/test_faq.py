"""The portal's FAQ, line by line: from the chart to the Welcome email, and to the answer when the practice asks."""

import pytest

from adapter.core.facts import Authority, Contact, Fact, Role
from adapter.core.policy import Access
from adapter.core.state import EffectState
from tests.core.personas import (
    ANNA,
    ANNAS,
    LEO,
    MIA,
    anna,
    anna_as_other_relative,
    anna_as_patient,
    anna_as_self,
    leo,
    mia,
)
from tests.core.practice import Practice, invited, registered, synced

JOINT, EXCLUSIVE, NONE, UNKNOWN = Authority.JOINT, Authority.EXCLUSIVE, Authority.NONE, Authority.UNKNOWN
QUEUED = EffectState.QUEUED
NEW = "anna@work.example"


def after_welcome(*facts: Fact) -> Practice:
    """The practice after its first sync, once Anna's Welcome email has left."""
    practice = synced(*facts)
    practice.accounts[ANNAS] = invited(practice.accounts[ANNAS])
    return practice


# ---- 1. No Welcome email? Check Authority and e-mail address -------------------------------------------------------


@pytest.mark.parametrize("authority", [JOINT, EXCLUSIVE])
def test_joint_or_exclusive_with_an_email_address_gets_the_welcome_email(authority: Authority) -> None:
    practice = synced(mia(), anna(authority=authority))
    assert practice.opens(ANNAS) == [MIA]
    assert practice.welcome(ANNAS) is QUEUED


def test_authority_none_gets_no_welcome_email() -> None:
    practice = synced(mia(), anna(authority=NONE))
    assert practice.accounts == {}
    answer = practice.explain(ANNAS)
    assert answer.verdict == "Anna Rivera did not get the Welcome email because the Authority is None."
    assert answer.remedy == "If this parent should have access, set Authority to Joint or Exclusive in Family Contacts."


def test_no_authority_gets_no_welcome_email_and_no_guess() -> None:
    practice = synced(mia(), anna(authority=UNKNOWN))
    assert practice.accounts == {}
    answer = practice.explain(ANNAS)
    assert answer.verdict == "Anna Rivera did not get the Welcome email because the chart states no Authority."
    assert answer.remedy.startswith("Set Authority to Joint or Exclusive in Family Contacts")


@pytest.mark.parametrize("authority", [NONE, UNKNOWN])
def test_the_welcome_email_goes_out_when_the_authority_becomes_joint(authority: Authority) -> None:
    practice = synced(mia(), anna(authority=authority))
    practice.sync(mia(), anna())
    assert practice.welcome(ANNAS) is QUEUED


def test_a_missing_email_address_gets_no_welcome_email_until_it_is_entered() -> None:
    practice = synced(mia(), anna(email=""))
    assert practice.accounts == {}
    practice.sync(mia(), anna())
    assert practice.welcome(ANNAS) is QUEUED


def test_if_both_are_right_the_answer_is_to_register_again() -> None:
    answer = after_welcome(mia(), anna()).explain(ANNAS)
    assert answer.verdict == f"The Welcome email to Anna Rivera was sent to {ANNAS} on 02 March 2026 at 09:00."
    assert "check the spam folder and the e-mail address" in answer.remedy
    assert "Register" in answer.remedy


def test_a_corrected_email_address_gets_a_welcome_email_of_its_own() -> None:
    practice = after_welcome(mia(), anna())
    practice.sync(mia(), anna(email=NEW))
    assert list(practice.accounts) == [NEW]
    assert practice.welcome(NEW) is QUEUED
    assert practice.explain(ANNAS).reason == "address-unknown"


def test_withdrawing_the_authority_closes_the_portal() -> None:
    practice = after_welcome(mia(), leo(), anna(), anna("leo"))
    practice.sync(mia(), leo(), anna(authority=NONE), anna("leo"))
    assert practice.opens(ANNAS) == [LEO]
    practice.sync(mia(), leo(), anna(authority=NONE), anna("leo", authority=NONE))
    assert practice.opens(ANNAS) == []


# ---- 4. The parent who is also a patient ---------------------------------------------------------------------------


def test_parent_listed_as_self_gets_no_welcome_email() -> None:
    practice = synced(anna_as_patient(), anna_as_self())
    assert practice.accounts == {}
    answer = practice.explain(ANNAS)
    assert answer.verdict == (
        "Anna Rivera did not get the Welcome email because "
        "the entry in the person's own chart has the Role/Reason Self."
    )
    assert answer.remedy == (
        "In the person's own chart, change the Role/Reason from Self to Other Relative, set Authority to Joint or "
        "Exclusive, and use the same e-mail address as in the child's chart."
    )


@pytest.mark.parametrize("authority", list(Authority))
def test_self_gets_no_welcome_email_whatever_the_authority(authority: Authority) -> None:
    assert synced(anna_as_patient(), anna_as_self(authority=authority)).accounts == {}


def test_self_in_the_own_chart_does_not_stop_the_welcome_email_for_the_child() -> None:
    practice = synced(mia(), anna_as_patient(), anna(), anna_as_self())
    assert practice.opens(ANNAS) == [MIA]
    assert practice.welcome(ANNAS) is QUEUED
    answer = practice.explain(ANNAS)
    assert "Anna Rivera's chart is not included because the entry in the person's own chart" in answer.verdict
    assert "Other Relative" in answer.remedy


def test_family_contact_in_the_childs_chart_gets_the_welcome_email() -> None:
    practice = synced(mia(), anna_as_patient(), anna())
    assert (practice.opens(ANNAS), practice.welcome(ANNAS)) == ([MIA], QUEUED)


@pytest.mark.parametrize("authority", [JOINT, EXCLUSIVE])
def test_other_relative_in_the_own_chart_gets_the_welcome_email(authority: Authority) -> None:
    practice = synced(anna_as_patient(), anna_as_other_relative(authority=authority))
    assert (practice.opens(ANNAS), practice.welcome(ANNAS)) == ([ANNA], QUEUED)


@pytest.mark.parametrize("authority", [NONE, UNKNOWN])
def test_other_relative_without_authority_gets_no_welcome_email(authority: Authority) -> None:
    assert synced(anna_as_patient(), anna_as_other_relative(authority=authority)).accounts == {}


SELF_ROWS: list[tuple[str, list[Contact]]] = [
    ("changed", [anna_as_self(role=Role.OTHER_RELATIVE, authority=JOINT)]),
    ("beside", [anna_as_self(), anna_as_other_relative()]),
    ("beside-without-authority", [anna_as_self(authority=NONE), anna_as_other_relative()]),
]


@pytest.mark.parametrize("rows", [pytest.param(rows, id=name) for name, rows in SELF_ROWS])
def test_parent_sees_themselves_as_a_dependent_beside_their_children(rows: list[Contact]) -> None:
    practice = synced(mia(), leo(), anna_as_patient(), anna(), anna("leo"), *rows)
    account = practice.accounts[ANNAS]
    assert practice.opens(ANNAS) == [ANNA, LEO, MIA]
    assert {patient: grant.is_self for patient, grant in account.grants.items()} == {ANNA: True, LEO: False, MIA: False}
    assert account.grants[ANNA].access is Access.FULL
    assert account.generation == 1


def test_changing_self_to_other_relative_after_registering_adds_the_chart_without_a_second_email() -> None:
    practice = synced(mia(), anna_as_patient(), anna(), anna_as_self())
    practice.accounts[ANNAS] = registered(practice.accounts[ANNAS])
    actions = practice.sync(mia(), anna_as_patient(), anna(), anna_as_self(role=Role.OTHER_RELATIVE))
    assert [(action.action, action.patient, action.reason) for action in actions] == [("grant", ANNA, "eligible")]


def test_another_address_in_the_own_chart_is_another_account() -> None:
    practice = synced(mia(), anna_as_patient(), anna(), anna_as_other_relative(email=NEW))
    assert (practice.opens(ANNAS), practice.opens(NEW)) == ([MIA], [ANNA])


def test_other_relative_who_is_not_the_patient_does_not_see_an_adults_chart() -> None:
    practice = synced(anna_as_patient(), anna_as_other_relative(names=("Rosa Lopez",)))
    assert practice.accounts == {}
    assert practice.explain(ANNAS).reason == "dependent-is-adult"
