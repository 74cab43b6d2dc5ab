"""Which way an EHR is read: the best that it declares, that the profile does not rule out, and that a probe proves."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from adapter.core.search import STRATEGIES, StrategyName
from adapter.ehr.fhir.strategies import Strategy, Unproven, Way
from adapter.ehr.fhir.strategies.batch import Batch
from adapter.ehr.fhir.strategies.comma_list import CommaList
from adapter.ehr.fhir.strategies.each import Each
from adapter.ehr.fhir.strategies.patient_contact import PatientContact
from adapter.ehr.fhir.strategies.revinclude import RevInclude
from adapter.ehr.fhir.strategies.source import Source
from adapter.errors import SourceError

SEARCHING: tuple[Strategy, ...] = (RevInclude(), CommaList(), Batch(), Each(), PatientContact())
"""Those that need nothing but a search."""


@dataclass(frozen=True, slots=True)
class Choice:
    """The way that was chosen, and why not a better one: ``(strategy, reason)`` in the order they were tried."""

    name: StrategyName
    way: Way
    passed_over: tuple[tuple[StrategyName, str], ...] = ()

    def __str__(self) -> str:
        reasons = dict.fromkeys(why for _, why in self.passed_over)
        return f"{self.way.how}{', because ' + '; '.join(reasons) if reasons else ''}"


def choose(
    source: Source,
    strategies: Iterable[Strategy],
    marks: dict[str, datetime],
    *,
    forced: StrategyName | None = None,
    doubted: Mapping[StrategyName, str] | None = None,
) -> Choice:
    """The best way that is proven. ``forced`` allows one alone, declared or not; it must still be proven.

    ``doubted`` are ways that were proven before and showed while reading that they do not work, and why.

    Raises SourceError, which names every way and why not, when there is none, or when the EHR does not answer.
    """
    passed_over: list[tuple[StrategyName, str]] = []
    for strategy in _in_order(strategies, forced):
        reason = (doubted or {}).get(strategy.name, "")
        reason = reason or (_excluded(strategy, source) if forced is None else _contradicted(strategy, source))
        if not reason:
            try:
                return Choice(strategy.name, strategy.prove(source, marks), tuple(passed_over))
            except Unproven as unproven:
                reason = str(unproven)
        passed_over.append((strategy.name, reason))
    if forced:
        why = passed_over[0][1] if passed_over else "this EHR is not set up for it"
        raise SourceError(f'strategy = "{forced}" cannot be used: {why}. Set strategy = "auto", or correct the EHR.')
    ways = "; ".join(f"{name}: {why}" for name, why in passed_over)
    raise SourceError(f"There is no way to read this EHR ({ways}). Ask the EHR's support, or write a mapping profile.")


def _in_order(strategies: Iterable[Strategy], forced: StrategyName | None) -> Sequence[Strategy]:
    wanted = [each for each in strategies if forced in (None, each.name)]
    return sorted(wanted, key=lambda each: STRATEGIES.index(each.name))


def _excluded(strategy: Strategy, source: Source) -> str:
    if strategy.name in source.rules.avoid:
        return f'the profile says to avoid "{strategy.name}" with this EHR'
    return _contradicted(strategy, source) or strategy.able(source.capability, source.rules)


def _contradicted(strategy: Strategy, source: Source) -> str:
    """Contacts are in one place: reading them from the other would find none and call that complete."""
    in_charts = source.rules.contacts == "Patient.contact"
    if in_charts and strategy.name not in ("patient-contact", "bulk"):
        return "the profile reads contacts from Patient.contact"
    if not in_charts and strategy.name == "patient-contact":
        return "the profile reads contacts from RelatedPerson"
    return ""
