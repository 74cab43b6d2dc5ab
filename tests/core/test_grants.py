"""What each reason does to a grant: a new one, an existing one, and one that no contact supports any more."""

from datetime import UTC, datetime
from typing import Any

import pytest

from adapter.core.accounts import Dependent, lost_grant
from adapter.core.facts import Authority, EmailProblem, Fact, Role
from adapter.core.policy import Access, Policy
from adapter.core.state import Grant, GrantState
from tests.core.personas import ANNAS, LEO, MIA, anna, ben, leo, mia, rosa
from tests.core.practice import decided, decisions

ACTIVE, HELD, SUSPENDED, ENDED = GrantState.ACTIVE, GrantState.HELD, GrantState.SUSPENDED, GrantState.ENDED
NONE = Authority.NONE


def annas_grant(*facts: Fact) -> Dependent:
    return decisions(decided(facts))[ANNAS].dependents[MIA]


# fmt: off
STATES: list[tuple[str, list[Fact], str, GrantState | None, GrantState | None]] = [
    ("in order", [mia(), anna()], "eligible", ACTIVE, ACTIVE),
    ("chart died", [mia(deceased=True), anna()], "patient-deceased", None, SUSPENDED),
    ("chart merged", [mia(replaced_by=("Patient/x",)), anna()], "patient-merged", None, SUSPENDED),
    ("chart inactive", [mia(active=False), anna()], "patient-inactive", None, SUSPENDED),
    ("contact inactive", [mia(), anna(active=False)], "contact-inactive", None, ENDED),
    ("contact ended", [mia(), anna(end="2026-03-01")], "contact-ended", None, ENDED),
    ("contact not yet", [mia(), anna(start="2026-04-01")], "contact-not-yet", None, SUSPENDED),
    ("authority none", [mia(), anna(authority=NONE)], "authority-none", None, ENDED),
    ("authority unknown", [mia(), anna(authority=Authority.UNKNOWN)], "authority-unknown", None, SUSPENDED),
    ("role self", [mia(), anna(role=Role.SELF)], "role-self", None, ENDED),
    ("role unknown", [mia(), anna(role=Role.UNKNOWN)], "role-unknown", HELD, HELD),
    ("role not allowed", [mia(), anna(role=Role.OTHER)], "role-not-allowed", HELD, HELD),
    ("one exclusive", [mia(), anna(), ben(authority=Authority.EXCLUSIVE)], "authority-conflict", SUSPENDED, SUSPENDED),
    ("two exclusives", [mia(), anna(authority=Authority.EXCLUSIVE), ben(authority=Authority.EXCLUSIVE)],
     "authority-conflict", HELD, None),
    ("beside two exclusives", [mia(), anna(), rosa(authority=Authority.EXCLUSIVE), ben(authority=Authority.EXCLUSIVE)],
     "authority-conflict", HELD, None),
    ("no birth date", [mia(birth_date=""), anna()], "birthdate-unusable", HELD, HELD),
    ("adult", [mia(birth_date="2001-01-01"), anna()], "dependent-is-adult", None, ENDED),
    ("own mailbox", [mia(emails=(ANNAS,)), anna()], "shared-email", HELD, HELD),
    ("record unusable", [mia(), anna(unusable="$: unreadable")], "record-unusable", HELD, HELD),
    ("wrong chart", [mia(), anna(patient_problem="points to another EHR")], "patient-mismatch", HELD, HELD),
    ("error", [mia(), anna(end="soon")], "internal-error", HELD, HELD),
]
# fmt: on


@pytest.mark.parametrize(
    ("facts", "reason", "new", "existing"), [pytest.param(*case, id=name.replace(" ", "-")) for name, *case in STATES]
)
def test_what_a_reason_does_to_a_new_and_to_an_existing_grant(
    facts: list[Fact], reason: str, new: GrantState | None, existing: GrantState | None
) -> None:
    dependent = annas_grant(*facts)
    assert (dependent.reason, dependent.fresh, dependent.standing) == (reason, new, existing)


def test_a_grant_says_who_may_see_what_and_why() -> None:
    dependent = annas_grant(mia(), anna())
    assert dependent.grant(ACTIVE) == Grant(
        MIA,
        "RelatedPerson/anna-mia",
        Role.MOTHER,
        Authority.JOINT,
        Access.FULL,
        ACTIVE,
        "eligible",
        "RelatedPerson/anna-mia/_history/1",
        until=datetime(2037, 5, 4, 4, tzinfo=UTC),  # midnight in New York on Mia's eighteenth birthday
    )


GRANT = annas_grant(mia(), anna()).grant(ACTIVE)
NO_EMAIL: dict[str, Any] = {"email": "", "email_key": ""}


@pytest.mark.parametrize(
    ("facts", "access"),
    [
        ([mia(), anna(role=Role.OTHER)], Access.NONE),
        ([mia(), anna(), ben(authority=Authority.EXCLUSIVE)], Access.NONE),
        ([mia(), anna(), ben(email=ANNAS, authority=NONE)], Access.FULL),
    ],
    ids=["a-rule-refuses", "a-conflict", "only-the-mailbox"],
)
def test_a_held_grant_says_what_a_release_would_open(facts: list[Fact], access: Access) -> None:
    assert annas_grant(*facts).grant(HELD).access is access


def test_a_grant_names_the_authority_that_was_decided_by() -> None:
    policy = Policy(authority_when_unknown={Role.MOTHER: Authority.JOINT})
    members = decided((mia(), anna(authority=Authority.UNKNOWN)), policy=policy)
    assert decisions(members)[ANNAS].dependents[MIA].grant(ACTIVE).authority is Authority.JOINT


# fmt: off
LOST: list[tuple[str, list[Fact], GrantState, str]] = [
    ("removed", [mia()], ENDED, "contact-gone"),
    ("another chart", [mia(), leo(), anna(patient=LEO)], ENDED, "contact-moved"),
    ("another address", [mia(), anna(email="anna@work.example")], ENDED, "email-changed"),
    ("no address", [mia(), anna(email="")], SUSPENDED, "email-missing"),
    ("a bad address", [mia(), anna(**NO_EMAIL, email_problem=EmailProblem.INVALID)], SUSPENDED, "email-invalid"),
    ("no chart", [mia(), anna(patient="", patient_problem="has an identifier only")], HELD, "patient-mismatch"),
    ("no address and no Authority", [mia(), anna(email="", authority=NONE)], ENDED, "authority-none"),
    ("no address and damaged", [mia(), anna(email="", unusable="$: unreadable")], HELD, "record-unusable"),
]
# fmt: on


@pytest.mark.parametrize(
    ("facts", "state", "reason"), [pytest.param(*case, id=name.replace(" ", "-")) for name, *case in LOST]
)
def test_why_a_grant_is_lost(facts: list[Fact], state: GrantState, reason: str) -> None:
    assert lost_grant(GRANT, decided(facts)) == (state, reason)
