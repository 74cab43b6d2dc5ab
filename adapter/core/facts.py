"""What the EHR says about one chart and the people on it, in the practice's words (FHIR R4 Patient, RelatedPerson)."""

from enum import StrEnum

import msgspec


class Role(StrEnum):
    """What a contact is to the patient. ``unknown`` is free text or a code nobody mapped."""

    SELF = "self"
    MOTHER = "mother"
    FATHER = "father"
    PARENT = "parent"
    STEP_PARENT = "step_parent"
    FOSTER_PARENT = "foster_parent"
    GRANDPARENT = "grandparent"
    GUARDIAN = "guardian"
    SIBLING = "sibling"
    SPOUSE = "spouse"
    CHILD = "child"
    OTHER_RELATIVE = "other_relative"
    OTHER = "other"
    UNKNOWN = "unknown"


class Authority(StrEnum):
    """Who may decide for the child, as the chart says. FHIR has no such element: the mapping profile finds it."""

    JOINT = "joint"
    EXCLUSIVE = "exclusive"
    NONE = "none"
    UNKNOWN = "unknown"


class EmailProblem(StrEnum):
    """Why a record's e-mail address cannot be used."""

    MISSING = "missing"
    INVALID = "invalid"
    OLD = "old"


class Patient(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """One chart.

    ``ref`` is ``Patient/<id>``; ``source`` is the version that was read, ``Patient/<id>/_history/<n>`` where the
    EHR gives versions. ``birth_date`` is as recorded (``YYYY``, ``YYYY-MM`` or ``YYYY-MM-DD``), empty when there is
    none, and kept verbatim when it is absurd: deciding says so. ``unusable`` is set when a record that was
    known became unreadable: it names the path and the problem, and every contact on the chart is held.
    """

    ref: str
    source: str
    active: bool = True
    gone: bool = False
    """The EHR answered that it has no such chart: that is absence, and nothing that a chart states."""
    deceased: bool = False
    replaced_by: tuple[str, ...] = ()
    links: tuple[str, ...] = ()
    """``Patient.link`` of type seealso or refer, as ``Patient/..`` or ``RelatedPerson/..``."""
    names: tuple[str, ...] = ()
    """Display names, best first (official, usual, then the order given); old names last."""
    birth_date: str = ""
    emails: tuple[str, ...] = ()
    """Normalised keys of the addresses the patient uses now (``core.email.email_key``)."""
    language: str = ""
    """BCP-47 code of the preferred language, lower case, empty when unknown."""
    mrn: str = ""
    organization: str = ""
    """Who keeps the chart: ``Organization/<id>``, or ``system|value`` where the EHR names it by an identifier."""
    unusable: str = ""

    @property
    def name(self) -> str:
        return self.names[0] if self.names else ""


class Contact(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """One Family Contact: one person on one chart.

    ``patient`` is the chart, ``Patient/<id>``, or empty when the reference does not resolve inside this EHR;
    ``patient_problem`` then says why. ``start`` and ``end`` are FHIR date or dateTime strings, empty when open.
    ``email`` is the address as written in the chart, trimmed; ``email_key`` its normalised form, empty when unusable.
    ``last_authority`` is the last explicit Authority this contact was known to have; the mapping never sets it,
    the merge of facts carries it over, so that losing a field cannot undo an exclusive right.
    """

    ref: str
    source: str
    patient: str = ""
    patient_problem: str = ""
    active: bool = True
    start: str = ""
    end: str = ""
    role: Role = Role.UNKNOWN
    role_text: str = ""
    """The relationship in the chart's own words, for people to read."""
    authority: Authority = Authority.UNKNOWN
    authority_text: str = ""
    """The Authority in the chart's own words when it could not be mapped."""
    last_authority: Authority = Authority.UNKNOWN
    email: str = ""
    email_key: str = ""
    email_problem: EmailProblem | None = EmailProblem.MISSING
    email_start: str = ""
    email_end: str = ""
    """The period of the address, as FHIR dates; deciding compares it with the day."""
    names: tuple[str, ...] = ()
    birth_date: str = ""
    language: str = ""
    unusable: str = ""

    @property
    def name(self) -> str:
        return self.names[0] if self.names else ""


class Quarantined(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """A record that cannot be used. ``path`` names the element, ``problem`` says what is wrong; neither quotes a value.

    ``ref`` is empty when not even type and id could be read; ``origin`` is the file and line, or the page and entry.
    """

    ref: str
    source: str
    path: str
    problem: str
    origin: str = ""


class Ignored(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """A resource the adapter has no use for, and why (for the counts)."""

    ref: str
    why: str
    origin: str = ""


Fact = Patient | Contact
Reading = Patient | Contact | Quarantined | Ignored
