"""Compiled FHIRPath answers what fhirpathpy answers, and what it cannot compile it leaves to fhirpathpy."""

import copy
import json
from typing import Any

import fhirpathpy
import pytest
from fhirpathpy.models import models
from hypothesis import given, settings
from hypothesis import strategies as st

from adapter.core.elements import CONCEPTS, problems
from adapter.core.fhirpath import compile_path
from adapter.core.fhirpath_library import PathError
from adapter.core.intake import Damaged
from adapter.profiles import data_folder

PLAIN = {
    "Patient": [
        "Patient.name",
        "Patient.name.given",
        "name.where(use = 'official').family",
        "Patient.telecom.where(system='email').first().value",
        "Patient.identifier.where(type.coding.exists(code='MR')).value",
        "Patient.identifier.where(type.coding.code='MR').value",
        "Patient.identifier.where(type.exists()).value",
        "Patient.communication.where(preferred=true).language.coding.code",
        "Patient.communication.where(preferred = false)",
        "Patient.birthDate",
        "Patient.link.other.reference",
        "Patient.extension.where(url='urn:a').value",
    ],
    "RelatedPerson": [
        "RelatedPerson.relationship.coding.where(system='s').code",
        "RelatedPerson.relationship.where(coding.exists(system='s'))",
        "RelatedPerson.relationship.where(coding.where(system='s').exists())",
        "RelatedPerson.relationship.text.first()",
        "RelatedPerson.relationship.text | RelatedPerson.extension.where(url='urn:a').value",
        "RelatedPerson.relationship | relationship.where(coding.exists()) | extension.where(url='urn:b').value",
        "RelatedPerson.extension.where(url='urn:a').value",
        "RelatedPerson.extension.where(url='urn:a').extension.where(url='urn:b').value",
        "RelatedPerson.extension.where(url='urn:b').value.coding.code",
        "RelatedPerson.patient.reference",
    ],
}
PATHS = [(root, expression) for root, expressions in PLAIN.items() for expression in expressions]

CODES = st.sampled_from(["MR", "XX", "s", "official", "email"])
CODING = st.fixed_dictionaries({}, optional={"system": CODES, "code": CODES, "display": CODES})
CONCEPT = st.fixed_dictionaries({}, optional={"coding": st.lists(CODING, min_size=1, max_size=2), "text": CODES})
VALUE = st.one_of(
    st.fixed_dictionaries({"valueCode": CODES}), st.fixed_dictionaries({"valueCodeableConcept": CONCEPT.filter(bool)})
)
INNER = st.builds(lambda url, value: {"url": url} | value, st.sampled_from(["urn:b", "urn:c"]), VALUE)
NESTING = st.fixed_dictionaries({"url": st.just("urn:c"), "extension": st.lists(INNER, min_size=1, max_size=2)})
SIMPLE = st.builds(lambda url, value: {"url": url} | value, st.sampled_from(["urn:a", "urn:b"]), VALUE)
EXTENSIONS = st.lists(SIMPLE | NESTING, min_size=1, max_size=3)


def some(items: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Any]]:
    return st.lists(items, min_size=1, max_size=3)


NAME = st.fixed_dictionaries({"family": CODES}, optional={"use": CODES, "given": some(CODES)})
POINT = st.fixed_dictionaries({"system": CODES}, optional={"value": CODES})
NUMBER = st.fixed_dictionaries({"value": CODES}, optional={"type": CONCEPT.filter(bool)})
SPEECH = st.fixed_dictionaries({"language": CONCEPT.filter(bool)}, optional={"preferred": st.booleans()})
ELEMENTS: dict[str, dict[str, st.SearchStrategy[Any]]] = {
    "Patient": {
        "name": some(NAME),
        "telecom": some(POINT),
        "identifier": some(NUMBER),
        "communication": some(SPEECH),
        "birthDate": st.just("2020-01-01"),
        "extension": EXTENSIONS,
    },
    "RelatedPerson": {
        "relationship": some(CONCEPT.filter(bool)),
        "extension": EXTENSIONS,
        "patient": st.just({"reference": "Patient/p1"}),
    },
}
RESOURCES = {
    root: st.fixed_dictionaries({"resourceType": st.just(root)}, optional=elements)
    for root, elements in ELEMENTS.items()
}


def by_library(expression: str, resource: dict[str, Any]) -> list[Any]:
    return list(fhirpathpy.evaluate(copy.deepcopy(resource), expression, {}, models["r4"]))


def check_equal(root: str, expression: str, resource: dict[str, Any]) -> None:
    before = copy.deepcopy(resource)
    try:
        found = compile_path(expression, root).find(resource)
    except Damaged:
        return
    assert found == by_library(expression, resource)
    assert resource == before


@pytest.mark.parametrize(("root", "expression"), PATHS)
def test_an_expression_in_the_plain_subset_is_compiled(root: str, expression: str) -> None:
    path = compile_path(expression, root)
    plain = path.steps is not None or bool(path.sides)
    assert plain == (".where(system='s').exists()" not in expression)


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_compiled_expressions_answer_what_the_library_answers(data: st.DataObject) -> None:
    root, expression = data.draw(st.sampled_from(PATHS))
    check_equal(root, expression, data.draw(RESOURCES[root]))


@pytest.mark.parametrize(
    "path", sorted(data_folder("mappings").glob("*/examples/*.json")), ids=lambda path: str(path.stem)
)
def test_the_examples_of_the_profiles_are_answered_alike(path: Any) -> None:
    resource = json.loads(path.read_text(encoding="utf-8"))["resource"]
    urls = {extension["url"] for extension in resource.get("extension", ())}
    of_extensions = [f"extension.where(url='{url}').value" for url in urls if "race" not in url]
    for root, expression in [*PATHS, *((resource["resourceType"], each) for each in of_extensions)]:
        if resource["resourceType"] == root:
            check_equal(root, expression, resource)


def test_every_extension_of_a_url_is_seen_where_the_library_sees_only_the_first() -> None:
    resource = {
        "resourceType": "Patient",
        "extension": [{"url": "u", "valueCode": "joint"}, {"url": "u", "valueCode": "none"}],
    }
    assert compile_path("Patient.extension('u').value", "Patient").find(resource) == ["joint", "none"]
    assert by_library("Patient.extension('u').value", resource) == ["joint"]


def test_a_value_of_another_type_is_damage_not_absence() -> None:
    resource = {
        "resourceType": "Patient",
        "extension": [{"url": "u", "valueCode": "joint"}, {"url": "u", "valueString": "none"}],
    }
    assert compile_path("Patient.extension('u').value", "Patient").find(resource) == ["joint", "none"]
    with pytest.raises(Damaged, match="another type"):
        compile_path("Patient.extension('u').valueCode", "Patient").find(resource)


def test_beyond_the_subset_the_library_answers() -> None:
    path = compile_path("RelatedPerson.telecom.where(system='email' and use.empty()).value", "RelatedPerson")
    telecom = [{"system": "email", "value": "a", "use": "old"}, {"system": "email", "value": "b"}]
    assert path.steps is None
    assert path.find({"resourceType": "RelatedPerson", "telecom": telecom}) == ["b"]


@pytest.mark.parametrize(
    "extensions",
    [
        "x",
        [],
        [None],
        [{}],
        [{"url": "u"}],
        [{"url": "u", "valueCode": None}],
        [{"url": "u", "valueCode": "a", "valueString": "b"}],
    ],
)
def test_beyond_the_subset_a_damaged_extension_is_still_damage(extensions: Any) -> None:
    path = compile_path("Patient.extension.where(url='u' and true).value", "Patient")
    with pytest.raises(Damaged):
        path.find({"resourceType": "Patient", "extension": extensions})


def test_an_expression_that_fails_on_a_record_is_damage() -> None:
    path = compile_path("Patient.name.where(family > 3).text", "Patient")
    assert path.find({"resourceType": "Patient"}) == []
    with pytest.raises(Damaged, match="cannot be answered"):
        path.find({"resourceType": "Patient", "name": [{"family": "A"}, {"family": "B"}]})


@pytest.mark.parametrize(
    "expression",
    [
        *(
            "",
            " ",
            ".",
            "Patient..name",
            "Patient.name.",
            "Patient name",
            "Patient.name)",
            "Patient.name.where(",
            "a = = b",
        ),
        *(
            "Patient.name.where(use='x",
            "Patient.name.where(use=)",
            "1 +",
            "Patient.name[",
            "RelatedPerson.name",
            "Observation.code",
        ),
        *(
            "now()",
            "Patient.name.where(today() > 1)",
            "Patient.name.trace('x')",
            "Patient.name.nosuchfunction()",
            "Patient.name.single()",
        ),
        "(Patient.extension('u').value) | Patient.name",
    ],
)
def test_what_is_no_expression_for_this_record_is_refused(expression: str) -> None:
    with pytest.raises(PathError):
        compile_path(expression, "Patient")


@pytest.mark.parametrize(
    ("expression", "problem"),
    [
        ("RelatedPerson.relatonship", "did you mean `relationship`"),
        ("RelatedPerson.relationship.codng", "did you mean `coding`"),
        ("RelatedPerson.relationship.where(txt='x')", "did you mean `text`"),
        ("RelatedPerson.photo", "is not an element of RelatedPerson that the adapter reads"),
        ("RelatedPerson.active.code", "has no elements"),
        ("RelatedPerson.name", "gives HumanName, but"),
        ("RelatedPerson.telecom.where(system='e-mail')", "a code it never has"),
        ("RelatedPerson.telecom.where(period='x')", "which is Period, with text"),
        ("RelatedPerson.telecom.where(system=true)", "with true or false"),
        ("RelatedPerson.extension", "say which one"),
        ("RelatedPerson.extension('u')", "add .value"),
        ("RelatedPerson.extension('')", "empty url"),
        ("RelatedPerson.extension('u').valueCodeableconcept", "did you mean `valueCodeableConcept`"),
        ("RelatedPerson.extension('u').valuePeriod", "gives Period"),
        ("RelatedPerson.relationship | RelatedPerson.relatonship", "did you mean `relationship`"),
    ],
)
def test_an_expression_that_can_never_match_is_a_problem(expression: str, problem: str) -> None:
    found = problems(compile_path(expression, "RelatedPerson"), CONCEPTS)
    assert len(found) == 1
    assert problem in found[0]


@pytest.mark.parametrize(
    "expression",
    [
        "RelatedPerson.relationship",
        "RelatedPerson.relationship.coding.where(system='s')",
        "RelatedPerson.relationship.text",
        "RelatedPerson.extension('u').value",
        "RelatedPerson.extension('u').extension('v').valueCode",
        "RelatedPerson.extension('u').valueCodeableConcept.coding.first()",
        "RelatedPerson.relationship | RelatedPerson.extension.where(url='u').value.ofType(CodeableConcept)",
    ],
)
def test_an_expression_that_can_match_is_none(expression: str) -> None:
    assert problems(compile_path(expression, "RelatedPerson"), CONCEPTS) == []
