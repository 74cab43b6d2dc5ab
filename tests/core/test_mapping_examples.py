"""Every example that lies beside a mapping profile gives exactly the facts it promises."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from adapter.core.facts import Contact, Ignored, Patient, Quarantined
from adapter.core.mapping import Mapper
from adapter.profiles import data_folder, load_profile

KINDS: dict[str, type[Patient | Contact | Quarantined | Ignored]] = {
    "patient": Patient,
    "contact": Contact,
    "quarantined": Quarantined,
    "ignored": Ignored,
}
EXAMPLES = sorted(data_folder("mappings").glob("*/examples/*.json"))


def example_of(path: Path) -> dict[str, Any]:
    example: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return example


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: f"{path.parts[-3]}/{path.stem}")
def test_an_example_gives_the_facts_it_promises(path: Path) -> None:
    example = example_of(path)
    kind = KINDS[example["expect"].pop("fact")]
    assert set(example["expect"]) <= set(kind.__struct_fields__), "a fact that does not exist is promised"
    reading = Mapper(load_profile(path.parts[-3])).read(example["resource"], "")
    assert reading == msgspec.convert(example["expect"], kind), example["description"]


def test_every_profile_has_its_proof_beside_it() -> None:
    counts = {profile.stem: 0 for profile in data_folder("mappings").glob("*.toml")}
    for path in EXAMPLES:
        counts[path.parts[-3]] += 1
    assert counts["family-contacts"] >= 8
    assert counts["us-core"] >= 4
    assert all(counts.values()), "a profile without examples"


def test_the_examples_show_every_kind_of_reading() -> None:
    assert {example_of(path)["expect"]["fact"] for path in EXAMPLES} == set(KINDS)
