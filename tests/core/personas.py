"""The Rivera family and the few people around them: each function gives one fact, in order unless told otherwise."""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from adapter.core.facts import Authority, Contact, EmailProblem, Patient, Role

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=ZoneInfo("America/New_York"))

MIA, LEO, ANNA = "Patient/mia", "Patient/leo", "Patient/anna"
ANNAS, BENS, ROSAS = "anna@rivera.example", "ben@rivera.example", "rosa@lopez.example"


def chart(id: str, name: str, born: str, **changes: Any) -> Patient:
    """Any chart."""
    facts: dict[str, Any] = {"names": (name,) if name else (), "birth_date": born}
    return Patient(f"Patient/{id}", f"Patient/{id}/_history/1", **(facts | changes))


def mia(**changes: Any) -> Patient:
    """A girl of six."""
    return chart("mia", "Mia Rivera", "2019-05-04", **changes)


def leo(**changes: Any) -> Patient:
    """Her brother, four."""
    return chart("leo", "Leo Rivera", "2021-09-12", **changes)


def anna_as_patient(**changes: Any) -> Patient:
    """Their mother's own chart."""
    return chart("anna", "Anna Rivera", "1988-02-11", **changes)


def contact(id: str, name: str, on: str, email: str, **changes: Any) -> Contact:
    """Any Family Contact; Authority Joint. An empty ``email`` is a missing one."""
    facts: dict[str, Any] = {
        "ref": f"RelatedPerson/{id}",
        "source": f"RelatedPerson/{id}/_history/1",
        "patient": f"Patient/{on}",
        "authority": Authority.JOINT,
        "names": (name,) if name else (),
        **mailbox(email),
    }
    return Contact(**(facts | changes))


def mailbox(email: str) -> dict[str, Any]:
    """The fields of a contact that say where mail goes."""
    problem = None if email else EmailProblem.MISSING
    return {"email": email, "email_key": email.lower(), "email_problem": problem}


def anna(on: str = "mia", *, email: str = ANNAS, **changes: Any) -> Contact:
    """The mother."""
    return contact(f"anna-{on}", "Anna Rivera", on, email, **({"role": Role.MOTHER} | changes))


def ben(on: str = "mia", *, email: str = BENS, **changes: Any) -> Contact:
    """The father."""
    return contact(f"ben-{on}", "Ben Rivera", on, email, **({"role": Role.FATHER} | changes))


def rosa(on: str = "mia", *, email: str = ROSAS, **changes: Any) -> Contact:
    """The grandmother."""
    return contact(f"rosa-{on}", "Rosa Lopez", on, email, **({"role": Role.GRANDPARENT} | changes))


def anna_as_self(*, email: str = ANNAS, **changes: Any) -> Contact:
    """The entry in Anna's own chart that says Self."""
    return contact("anna-self", "Anna Rivera", "anna", email, **({"role": Role.SELF} | changes))


def anna_as_other_relative(*, email: str = ANNAS, **changes: Any) -> Contact:
    """The entry in Anna's own chart as the portal's FAQ recommends it."""
    return contact("anna-other", "Anna Rivera", "anna", email, **({"role": Role.OTHER_RELATIVE} | changes))
