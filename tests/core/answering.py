"""Answering findings in tests: as somebody at the practice does it, but in memory."""

from datetime import datetime
from typing import Any

from adapter.core.answers import Answer, Decision, answers_to
from adapter.core.facts import Fact
from adapter.core.findings import Finding
from adapter.core.policy import Policy
from tests.core.personas import anna, leo, mia, rosa
from tests.core.practice import Practice

FAMILYS = "family@rivera.example"


def answered(finding: Finding, answer: Answer, *, until: datetime | None = None) -> Decision:
    """The answer to this finding, as it is kept."""
    return Decision(
        f"{finding.id('p')}-{answer}",
        finding.id("p"),
        finding.scope,
        finding.code,
        answer,
        finding.bound_to,
        finding.patient,
        finding.contact,
        until,
    )


def answer_everything(practice: Practice, answer: Answer, *, until: datetime | None = None) -> list[Decision]:
    """Gives this answer to every finding that takes it; what that uncovers is answered too."""
    for _ in range(3):
        for finding in practice.findings():
            given = answered(finding, answer, until=until)
            if answer in answers_to(finding.code, finding.scope) and given not in practice.answers:
                practice.answers.append(given)
    return practice.answers


def practice(*facts: Fact, policy: Policy | None = None) -> Practice:
    """A practice that has synced these facts."""
    one = Practice(policy=policy or Policy())
    one.sync(*facts)
    return one


def after(one: Practice, answer: Answer, **options: Any) -> Practice:
    """The same practice once everything was answered so, and synced again."""
    answer_everything(one, answer, **options)
    one.sync(*one.facts)
    return one


def shared(**rosas: Any) -> tuple[Fact, ...]:
    """Anna may see Mia's chart, Rosa may see Leo's, and both have one address."""
    return mia(), leo(), anna(email=FAMILYS), rosa("leo", email=FAMILYS, **rosas)
