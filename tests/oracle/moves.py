"""What happens to families: each move changes one record of one family in the EHR. Invented people only.

``choose`` picks one of a sequence: a seeded random number generator, or Hypothesis, which can make a history shorter.
"""

from collections.abc import Callable, Sequence
from datetime import date, timedelta
from typing import Any, TypeVar

from tests.oracle.ehr import DAMAGE, Ehr
from tests.oracle.oracle import Dict

T = TypeVar("T")
Choose = Callable[[Sequence[Any]], Any]
ROLES = ("mother", "father", "mother", "father", "other_relative", "self", "grandparent", "guardian", "step_parent")
RARE_ROLES = ("parent", "foster_parent", "sibling", "spouse", "child", "unknown")
GIVEN = ("Anna", "Benjamin", "Rosa", "Oliver", "Mia", "Leo")
BAD_ADDRESSES = ("none", "anna at mail.example", "a@@mail.example", "a b@mail.example")
ADULT_BORN = ("", "", "1988-02-11", "1988", "1961-07-30")


class Family:
    """One family's records in the EHR, and who and what there is to choose from."""

    def __init__(self, ehr: Ehr, number: int) -> None:
        self.ehr = ehr
        self.key = f"f{number}"
        self.surname = ("Rivera", "Okafor", "Lindgren", "Haddad")[number % 4]
        domain = ("mail.example.org", "mail.example.org", "münchen.example.org")[number % 3]
        self.addresses = [f"{name}.{self.key}@{domain}" for name in ("anna", "ben", "family", "rosa+kids")]
        self.made = 0

    @property
    def charts(self) -> list[Dict]:
        return [one for id_, one in self.ehr.charts.items() if id_.startswith(f"{self.key}-")]

    @property
    def contacts(self) -> list[Dict]:
        return [one for id_, one in self.ehr.contacts.items() if id_.startswith(f"{self.key}-")]

    def new_id(self) -> str:
        self.made += 1
        return f"{self.key}-{self.made}"

    def address(self, choose: Choose) -> str:
        """One of the family's addresses; now and then one that nobody had before."""
        self.made += 1
        email: str = choose([*self.addresses, f"new{self.made}.{self.addresses[0]}"])
        return email

    def found(self, choose: Choose, today: date) -> None:
        """A family as most are: one or two children, a mother and a father, each with an address of their own."""
        for _ in range(choose((1, 2))):
            add_chart(self, choose, today)
        for chart in self.charts:
            for role, given, address in (("mother", "Anna", 0), ("father", "Benjamin", 1)):
                self.add_contact(chart["id"], role=role, names=[(given, self.surname)], email=self.addresses[address])

    def add_chart(self, **known: Any) -> None:
        chart: Dict = {
            "id": self.new_id(),
            "damaged": False,
            "active": True,
            "deceased": False,
            "replaced_by": "",
            "born": "2019-05-04",
            "names": [("Mia", self.surname)],
            "emails": [],
            "links": [],
        }
        self.ehr.charts[chart["id"]] = chart | known
        self.ehr.touch(f"Patient/{chart['id']}")

    def add_contact(self, chart: str, /, **known: Any) -> None:
        contact: Dict = {
            "id": self.new_id(),
            "chart": chart,
            "damaged": False,
            "active": True,
            "start": "",
            "end": "",
            "role": "mother",
            "authority": "joint",
            "garbled": "",
            "email": "",
            "email_old": False,
            "names": [("Anna", self.surname)],
            "born": "",
        }
        self.ehr.contacts[contact["id"]] = contact | known
        self.ehr.touch(f"RelatedPerson/{contact['id']}")

    def change(self, record: Dict, **known: Any) -> None:
        kind = "RelatedPerson" if "role" in record else "Patient"
        record.update(known)
        self.ehr.touch(f"{kind}/{record['id']}")


Move = Callable[[Family, Choose, date], None]


def add_chart(family: Family, choose: Choose, today: date) -> None:
    if len(family.charts) < 4:
        given = choose(("Mia", "Leo", "Anna"))
        family.add_chart(names=[(given, family.surname)], born=_birth(choose, today))


def add_contact(family: Family, choose: Choose, today: date) -> None:
    if family.charts and len(family.contacts) < 8:
        family.add_contact(
            choose(family.charts)["id"],
            role=choose(ROLES),
            authority=choose(("joint", "joint", "exclusive", "none")),
            email=family.address(choose),
            names=[(choose(GIVEN), family.surname)],
            born=choose(ADULT_BORN),
        )


def custody(family: Family, choose: Choose, today: date) -> None:
    if contact := _contact(family, choose):
        authority = choose(("joint", "joint", "joint", "exclusive", "none", "unknown"))
        family.change(contact, authority=authority, garbled=choose(("", "see papers")))


def dispute(family: Family, choose: Choose, today: date) -> None:
    """Everybody on a chart gets the same Authority."""
    if chart := _chart(family, choose):
        authority = choose(("exclusive", "exclusive", "joint", "none"))
        for contact in [one for one in family.contacts if one["chart"] == chart["id"]]:
            family.change(contact, authority=authority)


def role(family: Family, choose: Choose, today: date) -> None:
    if contact := _contact(family, choose):
        family.change(contact, role=choose(ROLES + RARE_ROLES))


def address(family: Family, choose: Choose, today: date) -> None:
    """One contact's address: another one, written otherwise, shared, bad, old or gone."""
    if contact := _contact(family, choose):
        email = family.address(choose)
        email = choose((email, email, email, email.upper(), f" {email} ", "", choose(BAD_ADDRESSES)))
        family.change(contact, email=email, email_old=choose((False, False, False, False, True)))


def address_everywhere(family: Family, choose: Choose, today: date) -> None:
    """A person's new address, on all of their contacts."""
    if contact := _contact(family, choose):
        email = family.address(choose)
        for one in family.contacts:
            if one["names"] == contact["names"]:
                family.change(one, email=email, email_old=False)


def contact_life(family: Family, choose: Choose, today: date) -> None:
    if contact := _contact(family, choose):
        days = [today + timedelta(days=days) for days in (-400, -1, 0, 1, 20)]
        start, end = choose(["", "", *days]), choose(["", "", *days])
        span = {"start": str(start), "end": str(end)} if not start or not end or start <= end else {}
        family.change(contact, active=choose((True, True, True, False)), **span)


def delete_contact(family: Family, choose: Choose, today: date) -> None:
    if contact := _contact(family, choose):
        del family.ehr.contacts[contact["id"]]


def move_contact(family: Family, choose: Choose, today: date) -> None:
    """A contact on another chart, or on none of this EHR."""
    if contact := _contact(family, choose):
        family.change(contact, chart=choose([*(chart["id"] for chart in family.charts), None]))


def chart_life(family: Family, choose: Choose, today: date) -> None:
    if chart := _chart(family, choose):
        family.change(chart, active=choose((True, True, False)), deceased=choose((False, False, False, True)))


def merge(family: Family, choose: Choose, today: date) -> None:
    """Merged into another chart or itself, in chains and in cycles; or not any more."""
    if chart := _chart(family, choose):
        family.change(chart, replaced_by=choose(["", "", *(one["id"] for one in family.charts)]))


def birth(family: Family, choose: Choose, today: date) -> None:
    if chart := _chart(family, choose):
        family.change(chart, born=_birth(choose, today))


def own_address(family: Family, choose: Choose, today: date) -> None:
    if chart := _chart(family, choose):
        family.change(chart, emails=choose([[], [], *([email] for email in family.addresses)]))


def link(family: Family, choose: Choose, today: date) -> None:
    """The chart says that a contact is the patient; or does not any more."""
    if (chart := _chart(family, choose)) and family.contacts:
        family.change(chart, links=choose(([], [choose(family.contacts)["id"]])))


def contact_name(family: Family, choose: Choose, today: date) -> None:
    if contact := _contact(family, choose):
        surname = family.surname
        names = [(given, surname) for given in GIVEN] + [("Ana", surname), ("Ben", surname), ("Anna", "Lopez")]
        options: list[list[tuple[str, str]]] = [[], [("Anna", surname), ("Anna", "Lopez")], *([name] for name in names)]
        family.change(contact, names=choose(options), born=choose(ADULT_BORN))


def is_patient_too(family: Family, choose: Choose, today: date) -> None:
    """A contact is the patient of the chart, by name and birth date: FAQ 4."""
    if (contact := _contact(family, choose)) and (chart := family.ehr.charts.get(contact["chart"])):
        role = choose(("other_relative", "other_relative", "self", "guardian"))
        family.change(contact, names=chart["names"], born=choose((chart["born"], chart["born"], "")), role=role)


def damage(family: Family, choose: Choose, today: date) -> None:
    records = [*family.charts, *family.contacts]
    if records:
        family.change(choose(records), damaged=choose(DAMAGE))


def repair(family: Family, choose: Choose, today: date) -> None:
    for record in [one for one in (*family.charts, *family.contacts) if one["damaged"]]:
        family.change(record, damaged=False)


def settle(family: Family, choose: Choose, today: date) -> None:
    """The practice puts the charts in order: mother and father have Joint Authority, each with their own address."""
    repair(family, choose, today)
    for chart in family.charts:
        family.change(chart, active=True, deceased=False, replaced_by="", emails=[], links=[], born="2019-05-04")
        for contact in [one for one in family.contacts if one["chart"] == chart["id"]]:
            known: Dict = {"active": True, "start": "", "end": "", "authority": "joint", "email_old": False}
            mother = contact["id"] == min(one["id"] for one in family.contacts if one["chart"] == chart["id"])
            role, given, number = ("mother", "Anna", 0) if mother else ("father", "Benjamin", 1)
            name = [(given, family.surname)]
            family.change(contact, **known, role=role, names=name, born="", email=family.addresses[number])


MOVES: tuple[Move, ...] = (
    *(
        settle,
        settle,
        settle,
        dispute,
        custody,
        custody,
        role,
        address,
        address,
        address_everywhere,
        contact_life,
        add_contact,
        add_contact,
    ),
    *(delete_contact, move_contact, chart_life, merge, birth, own_address, link, contact_name, is_patient_too),
    *(damage, repair, repair, add_chart, settle),
)
"""More often those that put things right: in a family where nothing is in order, nothing can go wrong."""


def _contact(family: Family, choose: Choose) -> Dict | None:
    contacts = family.contacts
    return choose(contacts) if contacts else None


def _chart(family: Family, choose: Choose) -> Dict | None:
    charts = family.charts
    return choose(charts) if charts else None


def _birth(choose: Choose, today: date) -> str:
    """Most often a child; else around the eighteenth birthday, on 29 February, partial, missing or absurd."""
    nearly = [str(_years_before(today, 18) + timedelta(days=days)) for days in (-1, 0, 1, 10)]
    nearly += ["2008-02-29"]
    odd = ("2016-02-29", "2009", "2010-07", "", "1788-01-01", str(today + timedelta(days=30)))
    return str(choose(("2019-05-04", "2015-11-30", "2021-01-15", choose(nearly), choose(odd), "1988-02-11")))


def _years_before(today: date, years: int) -> date:
    day = 28 if (today.month, today.day) == (2, 29) else today.day
    return today.replace(year=today.year - years, day=day)
