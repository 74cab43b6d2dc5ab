"""How ``adapter mapping test`` shows one record: each fact with the expression behind it, then the decision."""

import textwrap
from collections import Counter
from typing import Any

import orjson
from rich.text import Text

from adapter.cli.base import out, words
from adapter.core.bench import Line
from adapter.core.consent import Consent
from adapter.core.decide import PASSED
from adapter.core.facts import Contact, Ignored, Patient, Quarantined
from adapter.jobs.bench import Tested, fact_of

_KINDS: dict[type, tuple[str, str]] = {
    Contact: ("contact", "contacts"),
    Patient: ("chart", "charts"),
    Quarantined: ("put aside", "put aside"),
    Ignored: ("not read", "not read"),
    Consent: ("Consent", "Consents"),
}
_LABELS = {
    "roles.source": "Role",
    "authority.source": "Authority",
    "names": "name",
    "birth_date": "birth date",
    "telecom": "e-mail",
    "mrn": "chart no.",
    "organization": "organization",
}
_INDENT = 13
_LONGEST_VALUE = 300
_SHORT_TAIL = 4
"""A code system's last word that is no longer than this says nothing alone: ``codeSet/351``."""


def show(profile: str, tested: list[Tested]) -> None:
    """Every record of the file, one after the other."""
    for one in tested:
        reading = one.reading
        kind, _ = _KINDS[type(reading)]
        out.print(Text.assemble((reading.ref or one.origin, "bold"), f" · {kind}, by {profile}"), soft_wrap=True)
        if isinstance(reading, Quarantined):
            _row("problem", f"{reading.path} {reading.problem}".strip(), "red")
            _row("", "Nothing of this record is used until it is corrected in the EHR.", "dim")
        elif isinstance(reading, Ignored):
            _row("because", f"it is {reading.why}")
        for line in one.lines:
            _show_line(line, is_chart=isinstance(reading, Patient))
        if one.steps:
            _show_decision(one)
        out.print()
    counts = Counter(_KINDS[type(one.reading)][0] for one in tested)
    out.print(words(counts, {one: (one, many) for one, many in _KINDS.values()}) if tested else "No records.")


def _show_line(line: Line, *, is_chart: bool) -> None:
    name = line.key.split(".")[-1] if line.key not in _LABELS else line.key
    label = ("state" if is_chart else "chart") if line.key.startswith("(") else _LABELS.get(name, name)
    unclear = line.fact == "unknown"
    if line.key == "authority.consent":
        label = {"patient": "chart", "provision": "says"}.get(line.expression, line.expression)
    _row(label, line.fact or "—", "bold yellow" if unclear else "bold" if line.fact else "dim")
    _row("", line.expression, "dim")
    if line.key.startswith("("):
        return
    for value in line.found:
        _row("", f"= {said(value)}", "cyan", hanging=2)
    for note in line.notes if unclear or not line.fact else ():
        _row("", f"! {note}", "yellow" if unclear else "dim", hanging=2)


def _show_decision(one: Tested) -> None:
    _row(
        "decision",
        "opens the chart" if one.opens else "does not open the chart",
        "bold green" if one.opens else "bold yellow",
    )
    if one.stand_in:
        _row("", "the chart is not in the file: taken for an active child's", "dim")
    for step in one.steps:
        if step.outcome != PASSED:
            _row("", f"✗ {step.because} ({step.outcome})", "yellow", hanging=2)


def _row(label: str, text: str, style: str = "", *, hanging: int = 0) -> None:
    """A labelled text; its further lines begin below it."""
    width = max(out.width - _INDENT - hanging, 20)
    lines = textwrap.wrap(text, width, break_on_hyphens=False) or [""]
    for number, line in enumerate(lines):
        lead = f"  {label:<{_INDENT - 2}}" if number == 0 else " " * (_INDENT + hanging)
        out.print(Text.assemble(lead, (line, style)), soft_wrap=True)


def said(value: Any) -> str:
    """A FHIR value as a person would say it; anything unusual as JSON."""
    text = value if isinstance(value, str) else _in_words(value) if isinstance(value, dict) else ""
    text = text or orjson.dumps(value).decode()
    return text if len(text) <= _LONGEST_VALUE else f"{text[: _LONGEST_VALUE - 1]}…"


def _in_words(value: dict[str, Any]) -> str:
    if isinstance(value.get("coding"), list) or (value.keys() <= {"text", "id", "extension"} and "text" in value):
        codings = [_coding(each) for each in value.get("coding", []) if isinstance(each, dict)]
        return " · ".join([*([f'"{value["text"]}"'] if "text" in value else []), *codings])
    if "family" in value or "given" in value:
        named = value.get("text") or " ".join([*map(str, value.get("given", [])), str(value.get("family", ""))])
        return f"{named}{_in_brackets(value, 'use')}"
    if "system" in value and "value" in value:
        return f"{value['system']} {value['value']}{_in_brackets(value, 'use', 'rank')}"
    if value.keys() <= {"start", "end", "id"}:
        return f"{value.get('start', '…')} to {value.get('end', '…')}"
    return _coding(value) if "code" in value else ""


def _coding(coding: dict[str, Any]) -> str:
    words = [word for word in str(coding.get("system", "no system")).split("/") if word]
    system = "/".join(words[-2:]) if len(words) > 1 and len(words[-1]) <= _SHORT_TAIL else words[-1] if words else ""
    display = f' "{coding["display"]}"' if "display" in coding else ""
    return f"{system} {coding.get('code', '(no code)')}{display}"


def _in_brackets(value: dict[str, Any], *names: str) -> str:
    given = [str(value[name]) for name in names if name in value]
    return f" ({', '.join(given)})" if given else ""


def shape(one: Tested) -> dict[str, Any]:
    """One record as ``adapter mapping test --json`` has it."""
    decision = None
    if one.steps:
        decision = {
            "opens": one.opens,
            "reasons": [step.outcome for step in one.steps if step.outcome != PASSED],
            "steps": [{"rule": step.rule, "outcome": step.outcome, "because": step.because} for step in one.steps],
            "stand_in_chart": one.stand_in,
        }
    return {
        "ref": one.reading.ref,
        "origin": one.origin,
        "fact": fact_of(one.reading),
        "lines": [
            {
                "key": line.key,
                "expression": line.expression,
                "found": list(line.found),
                "fact": line.fact,
                "notes": list(line.notes),
            }
            for line in one.lines
        ],
        "decision": decision,
    }
