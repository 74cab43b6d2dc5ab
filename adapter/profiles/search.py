"""The ``[search]`` table of a profile: how this EHR's API differs from what FHIR promises."""

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from adapter.core.search import SearchRules, StrategyName

_OURS = frozenset(
    {
        "_count", "_elements", "_format", "_id", "_include", "_lastUpdated", "_revinclude", "_since", "_sort",
        "_summary", "_total", "_type", "identifier", "page", "patient",
    }
)  # fmt: skip
"""What the adapter asks for itself: another value would change what an answer means."""


def _not_ours(params: dict[str, str]) -> dict[str, str]:
    taken = sorted(name for name in params if name.split(":")[0] in _OURS)
    if taken:
        raise ValueError(f"{taken[0]} is a parameter that the adapter sets itself; leave it out")
    return params


Params = Annotated[
    dict[
        Annotated[str, Field(pattern=r"^[-_A-Za-z][-_.:A-Za-z0-9]{0,63}$")],
        Annotated[str, Field(min_length=1, max_length=500)],
    ],
    AfterValidator(_not_ours),
]


class TypeTable(BaseModel):
    """About searches of one type."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    params: Params = {}


class SearchTable(BaseModel):
    """See ``core.search.SearchRules``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    contacts: Literal["RelatedPerson", "Patient.contact"] = "RelatedPerson"
    contact_ids: Literal["contact", "person"] = "contact"
    patient_identifier: Annotated[str, Field(pattern=r"^([A-Za-z][A-Za-z0-9+.-]*:[^\s|,\\]+)?$")] = ""
    avoid: tuple[StrategyName, ...] = ()
    Patient: TypeTable = TypeTable()
    RelatedPerson: TypeTable = TypeTable()
    Consent: TypeTable = TypeTable()

    def to_rules(self) -> SearchRules:
        """The same as the reader takes it."""
        tables = {"Patient": self.Patient, "RelatedPerson": self.RelatedPerson, "Consent": self.Consent}
        params = {kind: table.params for kind, table in tables.items()}
        return SearchRules(
            contacts=self.contacts,
            contact_ids=self.contact_ids,
            patient_identifier=self.patient_identifier,
            avoid=self.avoid,
            params={kind: given for kind, given in params.items() if given},
        )
