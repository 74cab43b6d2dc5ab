"""Who uses a shared address: one person with two names, or several people, as somebody at the practice has answered."""

import pytest

from adapter.core.answers import Answer
from adapter.core.facts import Authority, Role
from adapter.core.reasons import APPROVED
from tests.core.answering import FAMILYS, after, answered, practice, shared
from tests.core.personas import LEO, MIA, anna, ben, leo, mia, rosa

APPROVE, DISMISS, SAME, DIFFERENT = Answer


def test_one_person_with_two_names_may_see_all_their_charts() -> None:
    one = practice(*shared())
    assert one.opens(FAMILYS) == []
    assert after(one, SAME).opens(FAMILYS) == [LEO, MIA]
    assert {grant.reason for grant in one.accounts[FAMILYS].grants.values()} == {APPROVED}


def test_several_people_stay_held() -> None:
    assert after(practice(*shared()), DIFFERENT).opens(FAMILYS) == []


def test_an_address_may_be_approved_for_one_chart_alone() -> None:
    one = practice(*shared())
    (of_mia,) = [finding for finding in one.findings() if finding.patient == MIA]
    one.answers = [answered(of_mia, APPROVE)]
    one.sync(*one.facts)
    assert one.opens(FAMILYS) == [MIA]


def test_several_people_outweigh_one_person() -> None:
    one = practice(*shared())
    finding = one.findings()[0]
    one.answers = [answered(finding, SAME), answered(finding, DIFFERENT)]
    one.sync(*one.facts)
    assert one.opens(FAMILYS) == []


@pytest.mark.parametrize("answer", [APPROVE, SAME])
def test_somebody_with_an_explicit_no_on_the_chart_keeps_a_shared_address_out_of_it(answer: Answer) -> None:
    facts = (*shared(), rosa(email=FAMILYS, authority=Authority.NONE))
    assert MIA not in after(practice(*facts), answer).opens(FAMILYS)


def test_somebody_who_was_taken_off_the_chart_and_still_reads_the_mailbox_keeps_it_out_of_it() -> None:
    """Ben reads it as Leo's father; that his entry on Mia's chart has ended is a no that no answer lifts."""
    facts = (mia(), leo(), anna(email=FAMILYS, role=Role.GUARDIAN), ben("leo", email=FAMILYS))
    assert MIA in after(practice(*facts), APPROVE).opens(FAMILYS)
    assert MIA not in after(practice(*facts, ben(email=FAMILYS, active=False)), APPROVE).opens(FAMILYS)


def test_somebody_on_the_chart_with_a_hold_is_no_explicit_no() -> None:
    facts = (*shared(), rosa(email=FAMILYS, role=Role.OTHER))
    one = practice(*facts)
    one.answers = [answered(finding, APPROVE) for finding in one.findings() if finding.email == FAMILYS]
    one.sync(*facts)
    assert MIA in one.opens(FAMILYS)


def test_a_mother_and_a_father_are_never_one_person() -> None:
    facts = (mia(), leo(), anna(email=FAMILYS), ben("leo", email=FAMILYS))
    assert after(practice(*facts), SAME).opens(FAMILYS) == []


def test_a_new_contact_at_the_address_has_to_be_looked_at_again() -> None:
    one = after(practice(*shared()), SAME)
    one.sync(*shared(), ben("leo", email=FAMILYS, role=Role.GUARDIAN, authority=Authority.NONE))
    assert one.opens(FAMILYS) == []


def test_what_two_people_may_both_see_needs_no_answer() -> None:
    facts = (mia(), anna(email=FAMILYS), ben(email=FAMILYS))
    one = practice(*facts)
    assert one.opens(FAMILYS) == [MIA]
    (clash,) = one.findings()
    assert clash.code == "shared-email"
    one.answers = [answered(clash, DIFFERENT)]
    one.sync(*facts)
    assert one.opens(FAMILYS) == [MIA]
    assert one.accounts[FAMILYS].grants[MIA].reason == "eligible"
