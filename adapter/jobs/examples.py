"""A mapping profile's proof: every example beside it, and where the facts differ from those it promises."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from adapter.core.consent import Consent
from adapter.core.facts import Contact, Ignored, Patient, Quarantined, Reading
from adapter.core.mapping import MappingProfile
from adapter.ehr.bundle import unfold
from adapter.jobs.bench import try_records

KINDS: dict[str, type[Reading | Consent]] = {
    "patient": Patient,
    "contact": Contact,
    "quarantined": Quarantined,
    "ignored": Ignored,
    "consent": Consent,
}


@dataclass(frozen=True, slots=True)
class Example:
    """One example: an empty ``problems`` means that it gives what it promises."""

    name: str
    description: str
    problems: tuple[str, ...]


def examples_in(folder: Path) -> list[Path]:
    """The examples of one profile: every .json of its folder ``examples``, in order."""
    return sorted(folder.glob("examples/*.json"))


def check_example(profile: MappingProfile, path: Path, now: datetime) -> Example:
    """Reads one example and compares. What is wrong with the file itself is a problem too."""
    try:
        example = json.loads(path.read_text(encoding="utf-8"))
        expected = [_expected(each) for each in _list(example["expect"])]
        resource, description = example["resource"], str(example.get("description", ""))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        return Example(path.stem, "", (f"{path.name} is no example: {_reason(error)}",))
    found = [msgspec.structs.replace(one.reading, **_plain(one.reading)) for one in _readings(profile, resource, now)]
    problems = [f"{len(expected)} facts are promised, {len(found)} came"] if len(expected) != len(found) else []
    for promised, came in zip(expected, found, strict=False):
        problems += _differences(promised, came)
    return Example(path.stem, description, tuple(problems))


def _readings(profile: MappingProfile, resource: Any, now: datetime) -> Iterator[Any]:
    yield from try_records(profile, unfold(resource, ""), now)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _expected(facts: dict[str, Any]) -> Reading | Consent:
    kind = KINDS.get(facts.get("fact", ""))
    if kind is None:
        raise ValueError(f"`fact` is one of {', '.join(KINDS)}")
    given = {name: value for name, value in facts.items() if name != "fact"}
    unknown = set(given) - set(kind.__struct_fields__)
    if unknown:
        raise ValueError(f"`{min(unknown)}` is not a fact of a {facts['fact']}")
    return msgspec.convert(given, kind)


def _plain(reading: Reading | Consent) -> dict[str, str]:
    """An example has no place to come from."""
    return {"origin": ""} if hasattr(reading, "origin") else {}


def _differences(promised: Reading | Consent, came: Reading | Consent) -> Iterator[str]:
    where = promised.ref or came.ref or "the record"
    if type(promised) is not type(came):
        why = f" ({came.path}: {came.problem})" if isinstance(came, Quarantined) else ""
        yield f"{where}: {_kind(promised)} is promised, {_kind(came)} came{why}"
        return
    for name in promised.__struct_fields__:
        wanted, got = getattr(promised, name), getattr(came, name)
        if wanted != got:
            yield f"{where}: {name} should be {_word(wanted)}, is {_word(got)}"


def _kind(reading: Reading | Consent) -> str:
    return type(reading).__name__.lower()


def _word(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _reason(error: Exception) -> str:
    if isinstance(error, KeyError):
        return f"`{error.args[0]}` is missing"
    if isinstance(error, json.JSONDecodeError):
        return f"it is not valid JSON (line {error.lineno})"
    return (
        str(error)
        if type(error) in (ValueError, msgspec.ValidationError)
        else "it has another form than docs/mappings.md"
    )
