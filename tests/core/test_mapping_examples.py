"""Every example that lies beside a mapping profile gives exactly the facts it promises."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from adapter.jobs.examples import KINDS, check_example, examples_in
from adapter.profiles import data_folder, load_profile
from tests.core.personas import NOW

EXAMPLES = sorted(data_folder("mappings").glob("*/examples/*.json"))
MOTHER = data_folder("mappings") / "family-contacts" / "examples" / "01-mother-joint.json"


def example_of(path: Path) -> dict[str, Any]:
    example: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return example


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: f"{path.parts[-3]}/{path.stem}")
def test_an_example_gives_the_facts_it_promises(path: Path) -> None:
    example = check_example(load_profile(path.parts[-3]), path, NOW)
    assert example.problems == (), example.description
    assert example.description.endswith("."), "an example says what it shows"


def test_every_profile_has_its_proof_beside_it() -> None:
    profiles = sorted(data_folder("mappings").glob("*.toml"))
    counts = {profile.stem: len(examples_in(profile.parent / profile.stem)) for profile in profiles}
    assert counts["family-contacts"] >= 8
    assert min(counts.values()) >= 4, "a profile with too few examples"
    assert sum(counts.values()) == len(EXAMPLES), "examples of no profile"


def test_the_examples_show_every_kind_of_reading() -> None:
    shown = [example_of(path)["expect"] for path in EXAMPLES]
    assert {each["fact"] for one in shown for each in (one if isinstance(one, list) else [one])} == set(KINDS)


def without(key: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda example: {name: value for name, value in example.items() if name != key}


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda e: e | {"expect": e["expect"] | {"role": "father"}}, 'role should be "father", is "mother"'),
        (lambda e: e | {"expect": e["expect"] | {"email_problem": "old"}}, 'email_problem should be "old", is null'),
        (lambda e: e | {"expect": {"fact": "quarantined", "ref": "", "source": "", "path": "", "problem": ""}}, "came"),
        (lambda e: e | {"expect": [e["expect"], e["expect"]]}, "2 facts are promised, 1 came"),
        (lambda e: e | {"expect": e["expect"] | {"fact": "parent"}}, "`fact` is one of patient, contact"),
        (lambda e: e | {"expect": e["expect"] | {"rolle": "mother"}}, "`rolle` is not a fact of a contact"),
        (lambda e: e | {"expect": e["expect"] | {"role": "mum"}}, "Invalid enum value 'mum'"),
        (lambda e: e | {"resource": e["resource"] | {"active": "yes"}}, "(RelatedPerson.active: should be true"),
        (without("resource"), "`resource` is missing"),
        (without("expect"), "`expect` is missing"),
        (lambda e: [e], "it has another form"),
    ],
)  # fmt: skip
def test_an_example_that_does_not_hold_says_where(tmp_path: Path, change: Any, problem: str) -> None:
    path = tmp_path / "example.json"
    path.write_text(json.dumps(change(example_of(MOTHER))), encoding="utf-8")
    assert any(problem in each for each in check_example(load_profile("family-contacts"), path, NOW).problems)


def test_an_example_that_is_no_json_says_the_line(tmp_path: Path) -> None:
    (tmp_path / "example.json").write_text("{\n oops", encoding="utf-8")
    example = check_example(load_profile("family-contacts"), tmp_path / "example.json", NOW)
    assert example.problems == ("example.json is no example: it is not valid JSON (line 2)",)
