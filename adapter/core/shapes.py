"""The structure intake insists on: FHIR R4 ``Patient`` and ``RelatedPerson``, as far as the rules read them.

Strict where a damaged value could pass for an absent one and so open a chart; lenient where it could not. Elements that
are not listed here are not read, and whatever is in them is of no concern.

=====================================  =================  =========================================================
element                                if damaged         because, taken for absent, it would
=====================================  =================  =========================================================
id, meta.versionId                     quarantined        leave a decision without its source
implicitRules, modifierExtension       quarantined        hide that the record means something else
active, deceased[x], link              quarantined        revive a closed, deceased or merged chart
patient                                quarantined        move a contact to another chart
period, telecom.period, telecom.use    quarantined        bring back an ended contact or an old address
telecom, its system, value and rank    quarantined        promote another address, or hide whose mailbox it is
relationship, its codings and text     quarantined        turn a Self into a mother
extension (those a profile reads)      quarantined        drop the Authority that said none
name                                   quarantined        let two people pass for one
birthDate (empty, not text, too long)  quarantined        let two people pass for one, an adult for a child
identifier                             quarantined        lose the chart number people look for
birthDate (partial, malformed)         kept as recorded   deciding holds what it cannot use
name parts (empty, null in ``given``)  read as absent     shorten a displayed name, no more
communication (empty lists)            read as absent     fall back to the practice's language, no more
managingOrganization                   read as absent     fall back to the practice's own payment widget, no more
meta.lastUpdated                       read as absent     read the record once more, no more
=====================================  =================  =========================================================

Source: https://hl7.org/fhir/R4/patient.html, relatedperson.html, datatypes.html
"""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

MAX_TEXT = 1000
"""No name, address or code is longer; FHIR itself allows a megabyte."""
MAX_ITEMS = 200

Text = Annotated[str, Meta(min_length=1, max_length=MAX_TEXT)]
NamePart = Annotated[str, Meta(max_length=MAX_TEXT)]
Date = Annotated[str, Meta(min_length=1, max_length=40)]
Rank = Annotated[int, Meta(ge=1, le=2**31 - 1)]
Some = Meta(min_length=1, max_length=MAX_ITEMS)
Any_ = Meta(max_length=MAX_ITEMS)


class Shape(msgspec.Struct):
    """An element as FHIR structures it. Only checked, never kept."""


class Period(Shape):
    start: Date | UnsetType = UNSET
    end: Date | UnsetType = UNSET


class Coding(Shape):
    system: Text | UnsetType = UNSET
    code: Text | UnsetType = UNSET
    display: Text | UnsetType = UNSET


class CodeableConcept(Shape):
    coding: Annotated[list[Coding], Some] | UnsetType = UNSET
    text: Text | UnsetType = UNSET


class Reference(Shape):
    reference: Text | UnsetType = UNSET
    type: Text | UnsetType = UNSET
    identifier: dict[str, Any] | UnsetType = UNSET


class Identifier(Shape):
    type: CodeableConcept | UnsetType = UNSET
    system: Text | UnsetType = UNSET
    value: Text | UnsetType = UNSET


class HumanName(Shape):
    use: NamePart = ""
    text: NamePart = ""
    family: NamePart = ""
    given: Annotated[list[NamePart | None], Any_] = []
    period: Period | UnsetType = UNSET


class ContactPoint(Shape):
    system: Literal["phone", "fax", "email", "pager", "url", "sms", "other"] | UnsetType = UNSET
    value: Text | UnsetType = UNSET
    use: Literal["home", "work", "temp", "old", "mobile"] | UnsetType = UNSET
    rank: Rank | UnsetType = UNSET
    period: Period | UnsetType = UNSET


class Communication(Shape):
    language: CodeableConcept
    preferred: bool | UnsetType = UNSET


class Link(Shape):
    other: Reference
    type: Literal["replaced-by", "replaces", "refer", "seealso"]


class ResourceMeta(Shape):
    versionId: Text | UnsetType = UNSET


class Extension(Shape):
    """One extension that a profile reads; its value is checked where it is read."""

    url: Text


class Resource(Shape):
    """What Patient and RelatedPerson have in common."""

    id: Text
    meta: ResourceMeta | UnsetType = UNSET
    modifierExtension: Annotated[list[Extension], Some] | UnsetType = UNSET
    active: bool | UnsetType = UNSET
    name: Annotated[list[HumanName], Some] | UnsetType = UNSET
    telecom: Annotated[list[ContactPoint], Some] | UnsetType = UNSET
    birthDate: Date | UnsetType = UNSET
    communication: Annotated[list[Communication], Any_] | UnsetType = UNSET


class Patient(Resource):
    identifier: Annotated[list[Identifier], Some] | UnsetType = UNSET
    deceasedBoolean: bool | UnsetType = UNSET
    deceasedDateTime: Text | UnsetType = UNSET
    link: Annotated[list[Link], Some] | UnsetType = UNSET
    managingOrganization: Reference | Any = UNSET


class RelatedPerson(Resource):
    patient: Reference | UnsetType = UNSET
    relationship: Annotated[list[CodeableConcept], Some] | UnsetType = UNSET
    period: Period | UnsetType = UNSET
