"""The families of the demo: each shows something a practice admin gets asked about. All names are made up."""

from datetime import date, timedelta

from adapter.sandbox import parent_patients
from adapter.sandbox.charts import CONTACT_ROLE, LANGUAGE, Family, born, contact, patient
from adapter.sandbox.population import population, write_ndjson

__all__ = ["EMAILLESS_ROW", "SELF_ROW", "WITHDRAWN_ROW", "Family", "population", "story", "write_ndjson"]

SELF_ROW = "RelatedPerson/osei-imani-self"
"""The demo makes this Self row an Other Relative: it was the only row with Imani Osei's e-mail address."""
EMAILLESS_ROW = "RelatedPerson/osei-kofi-mother"
"""The demo enters the same address here: Imani Osei then sees herself beside her child."""
WITHDRAWN_ROW = "RelatedPerson/lindgren-elsa-father"
"""The demo sets this contact's Authority to None: Mats Lindgren then loses the chart."""


def story(today: date) -> list[Family]:
    """The hand-written families; ages are right on ``today``. Fresh values on every call, the same every time."""
    families = (
        _siblings,
        _both_parents,
        _authority_not_right,
        _email_not_right,
        *parent_patients.FAMILIES,
        _exclusive_beside_joint,
        _two_exclusives,
        _shared_mailbox_same_children,
        _shared_mailbox_other_children,
        _teenagers_own_address,
        _grown_up,
        _contacts_that_no_longer_count,
        _charts_that_no_longer_count,
        _spanish_and_emergency_contact,
    )
    return [family(today) for family in families]


def _siblings(today: date) -> Family:
    ada = patient("okafor-ada", "Ada Okafor", born(today, 4), "female")
    ben = patient("okafor-ben", "Ben Okafor", born(today, 7), "male")
    return Family(
        "Okafor",
        "one mother, two children",
        "A mother of two children gets one account and one Welcome email, and sees both children.",
        [
            ada,
            ben,
            contact(ada, "mother", "Grace Okafor", "Mother", "joint", "grace.okafor@mail.example"),
            contact(ben, "mother", "Grace Okafor", "Mother", "joint", "Grace.Okafor@Mail.example"),
        ],
    )


def _both_parents(today: date) -> Family:
    elsa = patient("lindgren-elsa", "Elsa Lindgren", born(today, 6), "female")
    return Family(
        "Lindgren",
        "both parents, both Joint",
        "Mother and father both have Joint authority and an e-mail address, so each gets an account.",
        [
            elsa,
            contact(elsa, "mother", "Karin Lindgren", "Mother", "joint", "karin.lindgren@post.example"),
            contact(elsa, "father", "Mats Lindgren", "Father", "joint", "mats.lindgren@post.example"),
        ],
    )


def _authority_not_right(today: date) -> Family:
    sami = patient("haddad-sami", "Sami Haddad", born(today, 3), "male")
    return Family(
        "Haddad",
        "Authority missing, or None",
        "No Welcome email: the mother's Authority was never filled in, and the father's says None.",
        [
            sami,
            contact(sami, "mother", "Leila Haddad", "Mother", None, "leila.haddad@mail.example"),
            contact(sami, "father", "Omar Haddad", "Father", "none", "omar.haddad@mail.example"),
        ],
    )


def _email_not_right(today: date) -> Family:
    theo = patient("moreau-theo", "Theo Moreau", born(today, 9), "male")
    return Family(
        "Moreau",
        "e-mail missing, or mistyped",
        "No Welcome email: the mother has no e-mail address on file, and the father's is mistyped.",
        [
            theo,
            contact(theo, "mother", "Alice Moreau", "Mother", "joint", None),
            contact(theo, "father", "Paul Moreau", "Father", "joint", "paul.moreau@mail..example"),
        ],
    )


def _exclusive_beside_joint(today: date) -> Family:
    nina = patient("castellano-nina", "Nina Castellano", born(today, 5), "female")
    return Family(
        "Castellano",
        "Exclusive beside Joint",
        "The father's authority is Exclusive, so the mother's Joint authority opens nothing until staff settle it.",
        [
            nina,
            contact(nina, "father", "Marco Castellano", "Father", "exclusive", "marco@castellano.example"),
            contact(nina, "mother", "Dana Price", "Mother", "joint", "dana.price@mail.example"),
        ],
    )


def _two_exclusives(today: date) -> Family:
    jonas = patient("brandt-jonas", "Jonas Brandt", born(today, 8), "male")
    return Family(
        "Brandt",
        "two Exclusives on one chart",
        "Both parents are marked Exclusive, which cannot be: nobody gets this chart until staff correct one of them.",
        [
            jonas,
            contact(jonas, "mother", "Heike Brandt", "Mother", "exclusive", "heike@brandt.example"),
            contact(jonas, "father", "Uwe Brandt", "Father", "exclusive", "uwe@brandt.example"),
        ],
    )


def _shared_mailbox_same_children(today: date) -> Family:
    mila = patient("petrov-mila", "Mila Petrov", born(today, 3), "female")
    lev = patient("petrov-lev", "Lev Petrov", born(today, 6), "male")
    return Family(
        "Petrov",
        "one mailbox, same children",
        "Mother and father share one mailbox and have the same children: one account for both, and a note to staff.",
        [
            mila,
            lev,
            *(
                contact(child, "mother", "Irina Petrov", "Mother", "joint", "family@petrov.example")
                for child in (mila, lev)
            ),
            *(
                contact(child, "father", "Boris Petrov", "Father", "joint", "family@petrov.example")
                for child in (mila, lev)
            ),
        ],
    )


def _shared_mailbox_other_children(today: date) -> Family:
    lou = patient("dubois-lou", "Lou Dubois", born(today, 2), "female")
    marc = patient("dubois-marc", "Marc Dubois", born(today, 11), "male")
    return Family(
        "Dubois",
        "one mailbox, other children",
        "Mother and father share one mailbox, but the older boy is only his: that chart waits until staff decide.",
        [
            lou,
            marc,
            contact(lou, "mother", "Claire Tanaka", "Mother", "joint", "home@dubois.example"),
            contact(lou, "father", "Jules Dubois", "Father", "joint", "home@dubois.example"),
            contact(marc, "father", "Jules Dubois", "Father", "joint", "home@dubois.example"),
        ],
    )


def _teenagers_own_address(today: date) -> Family:
    asha = patient("iyer-asha", "Asha Iyer", born(today, 15), "female", email="asha.iyer@mail.example")
    return Family(
        "Iyer",
        "a teenager's own address",
        "The guardian's row carries the teenager's own e-mail address: the Welcome email would go to the wrong person.",
        [asha, contact(asha, "guardian", "Lakshmi Raman", "Legal Guardian", "joint", "asha.iyer@mail.example")],
    )


def _grown_up(today: date) -> Family:
    nils = patient("sorensen-nils", "Nils Sorensen", born(today, 18, days=20), "male")
    freja = patient("sorensen-freja", "Freja Sorensen", born(today, 16), "female")
    return Family(
        "Sorensen",
        "a child who turned 18",
        "The son turned 18 last month: his mother still sees his sister's chart, but no longer his.",
        [
            nils,
            freja,
            contact(nils, "mother", "Anna Sorensen", "Mother", "joint", "anna.sorensen@post.example"),
            contact(freja, "mother", "Anna Sorensen", "Mother", "joint", "anna.sorensen@post.example"),
        ],
    )


def _contacts_that_no_longer_count(today: date) -> Family:
    zola = patient("mbeki-zola", "Zola Mbeki", born(today, 7), "female")
    ended = {"start": born(today, 3).isoformat(), "end": (today - timedelta(days=30)).isoformat()}
    return Family(
        "Mbeki",
        "contacts that have ended",
        "The grandmother has the account: the mother's row is inactive and the foster father's placement has ended.",
        [
            zola,
            contact(zola, "grandmother", "Thandi Mbeki", "Grandmother", "joint", "thandi@mbeki.example"),
            contact(zola, "mother", "Nomsa Mbeki", "Mother", "joint", "nomsa.mbeki@mail.example", active=False),
            contact(zola, "foster", "Peter Kruger", "Foster Father", "joint", "p.kruger@mail.example", period=ended),
        ],
    )


def _charts_that_no_longer_count(today: date) -> Family:
    ines = patient("ferreira-ines", "Ines Ferreira", born(today, 4), "female")
    merged = {"other": {"reference": "Patient/ferreira-ines"}, "type": "replaced-by"}
    duplicate = patient("ferreira-ines-old", "Inez Ferreira", born(today, 4), "female", link=[merged])
    rui = patient("ferreira-rui", "Rui Ferreira", born(today, 6), "male", deceasedBoolean=True)
    charts = (ines, duplicate, rui)
    return Family(
        "Ferreira",
        "merged chart, deceased child",
        "One chart was merged into another and one child has died: only the living child's current chart is opened.",
        [
            *charts,
            *(
                contact(chart, "mother", "Lucia Ferreira", "Mother", "joint", "lucia@ferreira.example")
                for chart in charts
            ),
        ],
    )


def _spanish_and_emergency_contact(today: date) -> Family:
    diego = patient("ramirez-diego", "Diego Ramirez", born(today, 5), "male")
    spanish = [{"language": {"coding": [{"system": LANGUAGE, "code": "es"}]}, "preferred": True}]
    emergency = [{"coding": [{"system": CONTACT_ROLE, "code": "C", "display": "Emergency Contact"}]}]
    return Family(
        "Ramirez",
        "Spanish; emergency contact",
        "The mother gets her Welcome email in Spanish; a neighbor listed only as emergency contact gets none.",
        [
            diego,
            contact(
                diego, "mother", "Carmen Ramirez", "Mother", "joint", "carmen@ramirez.example", communication=spanish
            ),
            contact(
                diego, "neighbor", "Walter Boyd", "Neighbor", "joint", "w.boyd@mail.example", relationship=emergency
            ),
        ],
    )
