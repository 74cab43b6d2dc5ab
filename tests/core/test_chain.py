"""The rest of the chain: which expression gave what, since when, what the portal took, and what became of the link."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from adapter.core.chain import (
    Chain,
    Expressions,
    Link,
    Said,
    Sent,
    Waits,
    delivered_steps,
    grant_steps,
    mapped_steps,
    moment,
    said_steps,
    waiting_steps,
)
from adapter.core.decide import PASSED
from adapter.core.explain import explain_address
from adapter.core.facts import Authority
from adapter.core.state import EffectState
from tests.core.personas import ANNAS, MIA, NOW, anna, mia
from tests.core.practice import Practice, decided, decisions, registered, row_of

BY = Expressions("RelatedPerson.relationship", "RelatedPerson.extension('a').value", "RelatedPerson.telecom")
AT = datetime(2026, 3, 1, 15, 30, tzinfo=UTC)


def practice() -> Practice:
    """Anna may see Mia's chart."""
    one = Practice()
    one.sync(mia(), anna())
    return one


def test_each_fact_names_the_expression_and_the_version_it_came_from() -> None:
    steps = mapped_steps(anna(role_text="Mom"), BY)
    assert [step.because for step in steps] == [
        "RelatedPerson.relationship gave the Role/Reason Mom.",
        "RelatedPerson.extension('a').value gave the Authority joint.",
        f"RelatedPerson.telecom gave the e-mail address {ANNAS}.",
    ]
    assert {step.source for step in steps} == {"RelatedPerson/anna-mia/_history/1"}


def test_what_was_not_found_is_said() -> None:
    steps = mapped_steps(anna(email="", authority=Authority.UNKNOWN, authority_text="jiont"), BY)
    assert "gave the Authority jiont." in steps[1].because
    assert "gave the e-mail address nothing." in steps[2].because


def test_a_grant_says_since_when_in_the_practices_own_time() -> None:
    grants = practice().accounts[ANNAS].grants
    (step,) = grant_steps(grants, Chain(since={MIA: AT}), NOW)
    assert step.because.startswith(f"{MIA}: active since 1 March 2026 at 10:30, because")
    assert (step.outcome, step.source) == ("active", "RelatedPerson/anna-mia/_history/1")
    assert moment(AT, NOW) == "1 March 2026 at 10:30"


@pytest.mark.parametrize("state", EffectState)
def test_the_portal_step_says_what_the_portal_took(state: EffectState) -> None:
    chain = Chain(portal=Sent("e1", state, AT, "The portal answered 503."))
    (step,) = delivered_steps(practice().accounts[ANNAS], chain, NOW)
    assert (step.rule, step.outcome, step.source) == ("portal", state, "outbox/e1")
    assert ("since 1 March" in step.because) == (state is EffectState.SENT)
    assert ("503" in step.because) == (state is not EffectState.SENT)


# fmt: off
LINKS: list[tuple[dict[str, Any], bool, str, str]] = [
    ({"expires_at": NOW + timedelta(hours=1)}, False, PASSED, "works until"),
    ({"expires_at": NOW}, False, "expired", "expired on"),
    ({"expires_at": NOW + timedelta(hours=1), "closed_at": AT}, False, "closed", "ended on 1 March 2026 at 10:30"),
    ({"expires_at": NOW + timedelta(hours=1), "closed_at": AT}, True, "used", "was used on 1 March 2026 at 10:30"),
]
# fmt: on


@pytest.mark.parametrize(("known", "has_registered", "outcome", "says"), LINKS)
def test_the_link_is_open_used_closed_or_expired(
    known: dict[str, Any], has_registered: bool, outcome: str, says: str
) -> None:
    account = practice().accounts[ANNAS]
    account = registered(account) if has_registered else account
    link, last = delivered_steps(account, Chain(link=Link("w1", **({"closed_at": None} | known))), NOW)
    assert (link.outcome, link.source) == (outcome, "welcome/w1") and says in link.because
    assert last.outcome == (PASSED if has_registered else "not-yet")
    assert last.source == f"account/{account.id}"


def test_a_link_that_was_never_sent_is_no_step() -> None:
    steps = delivered_steps(practice().accounts[ANNAS], Chain(link=Link("w1", None, None)), NOW)
    assert [step.rule for step in steps] == ["registered"]


def test_a_decision_says_who_why_and_whether_it_still_counts() -> None:
    said = Said("f1", "role-unknown", "approve", "person:rita", AT, "Papers seen.")
    gone = msgspec.structs.replace(said, ended="facts-changed")
    first, second = said_steps(Chain(said=[said, gone]), NOW)
    assert first.because == 'rita answered role-unknown with approve on 1 March 2026 at 10:30: "Papers seen.".'
    assert (first.outcome, first.source) == (PASSED, "finding/f1")
    assert second.outcome == "facts-changed" and "because the facts have changed" in second.because


def test_what_a_brake_holds_is_the_answer() -> None:
    members = decided((mia(), anna()))
    decision, chain = decisions(members)[ANNAS], Chain(waits=[Waits(7, 2), Waits(8, 1)])
    answer = explain_address(ANNAS, [row_of(anna(), mia())], decision, None, None, NOW, chain)
    assert answer.reason == "brake-on" and "wait for a release" in answer.verdict
    assert answer.remedy.endswith("adapter release 7.")
    assert [(step.because, step.source) for step in waiting_steps(chain)] == [
        ("2 changes of this address wait for a release: adapter release 7.", "run/7"),
        ("1 change of this address waits for a release: adapter release 8.", "run/8"),
    ]
