"""What ``adapter check`` says about a FHIR EHR, and what makes one unusable."""

from collections.abc import Callable, Iterable

from adapter.core.search import SearchRules, StrategyName
from adapter.ehr import Check
from adapter.ehr.fhir.capability import KNOWN_VERSIONS, Capability, probe
from adapter.ehr.fhir.client import Client
from adapter.ehr.fhir.strategies import Strategy
from adapter.ehr.fhir.strategies.choosing import choose
from adapter.ehr.fhir.strategies.source import Source
from adapter.errors import SourceError

_ASK = "Ask the EHR's support to switch that on for this client."


def usable(able: Capability, rules: SearchRules) -> Capability:
    """The same value. Raises SourceError when a type that is needed cannot be searched at all."""
    needs = {"Patient": able.has_patients, "RelatedPerson": able.has_contacts or rules.contacts == "Patient.contact"}
    for kind, there in needs.items():
        if not there:
            raise SourceError(
                f"GET metadata: the EHR does not offer a search of {kind}, so it cannot be read. {_ASK}"
                + (
                    " If its contacts are in Patient.contact, choose a mapping profile that says so."
                    if kind != "Patient"
                    else ""
                )
            )
    return able


def is_exported(
    able: Capability, rules: SearchRules, strategies: Iterable[Strategy], forced: StrategyName | None
) -> bool:
    """Whether everything will be read by Bulk Data exports, so that no search is needed: some EHRs have none."""
    return forced in (None, "bulk") and any(
        strategy.name == "bulk" and (forced or not strategy.able(able, rules)) for strategy in strategies
    )


def run(
    client: Client,
    asking: Callable[[Capability], Source],
    strategies: Iterable[Strategy],
    forced: StrategyName | None,
) -> list[Check]:
    """One line each: reach, FHIR version, access to both types, and how they would be read."""
    try:
        able = probe(client)
    except SourceError as error:
        return [Check("EHR reach", False, str(error))]
    known = able.fhir_version.startswith(KNOWN_VERSIONS)
    lines = [
        Check("EHR reach", True, "answers with a CapabilityStatement"),
        Check("FHIR version", known, able.fhir_version, "" if known else "FHIR R4, R4B or R5 is needed."),
    ]
    source, strategies = asking(able), tuple(strategies)
    exported = is_exported(able, source.rules, strategies, forced)
    access = "Patients can be searched"
    try:
        if exported and not able.has_patients:
            access = "no search, exports only: what this client may export shows with the first one"
        else:
            usable(able, source.rules)
            source.search("Patient", {}, count=1)
    except SourceError as error:
        return [*lines, Check("EHR access", False, str(error))]
    return [
        *lines,
        Check("EHR access", True, access),
        _strategy(source, strategies, forced),
        _changes(source, exported=exported, forced=forced),
    ]


def _strategy(source: Source, strategies: Iterable[Strategy], forced: StrategyName | None) -> Check:
    try:
        choice = choose(source, strategies, {}, forced=forced)
    except SourceError as error:
        return Check("EHR strategy", False, str(error))
    return Check("EHR strategy", True, str(choice))


def _changes(source: Source, *, exported: bool, forced: StrategyName | None) -> Check:
    able = source.capability
    kinds = ["Patient"] if source.rules.contacts == "Patient.contact" else ["Patient", "RelatedPerson"]
    declared = {"Patient": able.patients_since, "RelatedPerson": able.contacts_since}
    missing = [kind for kind in kinds if not declared[kind]]
    if forced == "bulk" or (missing and exported):
        return Check("EHR changes", True, "read incrementally, by exports of what changed (_since)")
    if not missing:
        return Check("EHR changes", True, f"read incrementally, by _lastUpdated of {' and '.join(kinds)}")
    detail = f"every sync reads everything: _lastUpdated is not declared for {' and '.join(missing)}"
    return Check("EHR changes", True, detail)
