"""Random families for the property tests: up to three charts, five contacts, three addresses, and all their trouble."""

from dataclasses import dataclass
from typing import Any

import msgspec
from hypothesis import strategies as st

from adapter.core.facts import Authority, Contact, EmailProblem, Fact, Patient, Role
from adapter.core.policy import Access, Band, Policy

ADDRESSES = ("anna@rivera.example", "ben@rivera.example", "family@rivera.example")
NAMES: tuple[tuple[str, ...], ...] = (
    ("Anna Rivera",),
    ("Ana Rivera",),
    ("Anna Rivera", "Anna Lopez"),
    ("Ben Rivera",),
    ("Rosa Lopez",),
    (),
)
POLICIES = (
    Policy(),
    Policy(bands=(Band(0, Access.FULL), Band(12, Access.LIMITED), Band(18, Access.NONE))),
    Policy(own_email_from_age=13, authority_when_unknown={Role.MOTHER: Authority.JOINT, Role.FATHER: Authority.JOINT}),
    Policy(allowed_roles=frozenset({Role.MOTHER, Role.FATHER, Role.OTHER_RELATIVE})),
)


@dataclass(frozen=True)
class Family:
    """What the EHR says, and the practice's policy."""

    patients: tuple[Patient, ...]
    contacts: tuple[Contact, ...]
    policy: Policy

    @property
    def facts(self) -> tuple[Fact, ...]:
        return (*self.patients, *self.contacts)

    def with_contact(self, changed: Contact) -> "Family":
        """The family with one contact replaced by a changed one."""
        contacts = tuple(changed if one.ref == changed.ref else one for one in self.contacts)
        return Family(self.patients, contacts, self.policy)

    def on_chart(self, patient: Patient) -> tuple[Contact, ...]:
        return tuple(contact for contact in self.contacts if contact.patient == patient.ref)


def often(usual: Any, *others: Any) -> st.SearchStrategy[Any]:
    """The usual value about five times out of six: most records are in order, else nothing would ever be granted."""
    return st.sampled_from([usual] * (5 * len(others)) + list(others))


def _mailbox(email: str) -> dict[str, Any]:
    problem = None if "@" in email else EmailProblem(email)
    return {
        "email": email if problem is None else "",
        "email_key": email if problem is None else "",
        "email_problem": problem,
    }


mailboxes = st.sampled_from([*ADDRESSES * 5, *EmailProblem]).map(_mailbox)
_AUTHORITIES: list[dict[str, Any]] = [
    *[{"authority": Authority.JOINT}] * 10,
    {"authority": Authority.EXCLUSIVE},
    {"authority": Authority.NONE},
    {"authority": Authority.UNKNOWN},
    {"authority": Authority.UNKNOWN, "authority_text": "see papers"},
    {"authority": Authority.UNKNOWN, "last_authority": Authority.EXCLUSIVE},
    {"authority": Authority.UNKNOWN, "last_authority": Authority.NONE},
    {"authority": Authority.JOINT, "last_authority": Authority.EXCLUSIVE},
]
authorities = st.sampled_from(_AUTHORITIES)
roles = st.sampled_from([Role.MOTHER, Role.FATHER, Role.OTHER_RELATIVE] * 6 + list(Role))
patient_states = often(
    {}, {"active": False}, {"deceased": True}, {"replaced_by": ("Patient/x",)}, {"unusable": "$: bad"}
)
contact_states = often(
    {},
    {"active": False},
    {"start": "2026-03-01"},
    {"start": "2026-04-01"},
    {"end": "2026-03-01"},
    {"end": "2027"},
    {"end": "soon"},
    {"unusable": "$: bad"},
    {"patient_problem": "points to another EHR"},
    {"email_end": "2026-03-01"},
    {"email_start": "2026-03-09"},
)
patient_births = often("2019-05-04", "2012-06-01", "2008-03-02", "1988-02-11", "2010", "", "1788-01-01", "2031-05-05")


patient_names = st.sampled_from([("Mia Rivera",), ("Leo Rivera",), ("Anna Rivera",), ()])
patient_emails = often((), *((address,) for address in ADDRESSES))
links = often((), ("RelatedPerson/0",), ("RelatedPerson/1",))
contact_names = st.sampled_from(NAMES)
contact_births = often("", "1988-02-11", "1988", "1961-07-30")
policies = st.sampled_from(POLICIES)
up_to_three, up_to_five, any_chart = st.integers(1, 3), st.integers(1, 5), st.integers(0, 2)


@st.composite
def families(draw: st.DrawFn) -> Family:
    """A family and a policy. What is drawn from is built once: building it anew is what takes the time."""
    charts, people = draw(up_to_three), draw(up_to_five)
    return Family(
        tuple(_patient(draw, number) for number in range(charts)),
        tuple(_contact(draw, number, charts) for number in range(people)),
        draw(policies),
    )


def _patient(draw: st.DrawFn, number: int) -> Patient:
    """One chart; now and then it knows the patient's own address, and who among the contacts the patient is."""
    return Patient(
        f"Patient/{number}",
        f"Patient/{number}/_history/1",
        names=draw(patient_names),
        birth_date=draw(patient_births),
        emails=draw(patient_emails),
        links=draw(links),
        **draw(patient_states),
    )


def _contact(draw: st.DrawFn, number: int, charts: int) -> Contact:
    """One contact on one of the charts."""
    return Contact(
        f"RelatedPerson/{number}",
        f"RelatedPerson/{number}/_history/1",
        patient=f"Patient/{draw(any_chart) % charts}",
        role=draw(roles),
        names=draw(contact_names),
        birth_date=draw(contact_births),
        **(draw(authorities) | draw(mailboxes) | draw(contact_states)),
    )


def _lost(contact: Contact) -> dict[str, Any]:
    """What is remembered when the Authority of a record that was known is lost, as the merge of facts does it."""
    known = contact.authority if contact.authority is not Authority.UNKNOWN else contact.last_authority
    return {"authority": Authority.UNKNOWN, "last_authority": known}


def damaged(contact: Contact, damage: str) -> Contact:
    """The contact with one field lost or garbled."""
    changes: dict[str, dict[str, Any]] = {
        "names": {"names": ()},
        "birth date": {"birth_date": ""},
        "birth date garbled": {"birth_date": contact.birth_date and "31.02.1988"},
        "email": _mailbox(EmailProblem.MISSING),
        "email garbled": _mailbox(EmailProblem.INVALID),
        "email old": _mailbox(EmailProblem.OLD),
        "role": {"role": Role.UNKNOWN},
        "role garbled": {"role": Role.UNKNOWN, "role_text": "Mtoher"},
        "authority": _lost(contact),
        "authority garbled": {**_lost(contact), "authority_text": "jiont"},
        "chart": {"patient_problem": "is not a reference"},
        "start garbled": {"start": "soon"},
        "end garbled": {"end": "soon"},
        "email period garbled": {"email_end": "soon"},
        "record": {"unusable": "$: is not an object"},
    }
    return msgspec.structs.replace(contact, **changes[damage])


EMAIL = ("email", "email garbled", "email old")
IDENTITY = ("names", "birth date", "birth date garbled")
RIGHTS = (
    "role",
    "role garbled",
    "authority",
    "authority garbled",
    "chart",
    "start garbled",
    "end garbled",
    "email period garbled",
    "record",
)
