"""Whatever a program sends that the API's own description allows, or not: no error of ours, and no shape but those."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.generation import GenerationMode

from tests.acceptance.adapter_cli import Adapter
from tests.acceptance.programs import Program, programs

OPERATIONS = (
    "accounts",
    "account",
    "explain",
    "findings",
    "runs",
    "run",
    "held",
    "outbox",
    "widgets",
    "audit",
    "plan",
    "sync",
    "register",
    "release",
    "decide",
    "suspend",
    "lift",
    "deliver",
    "undo",
    "revoke",
    "publish",
    "rollback",
    "retry",
    "cancel",
    "verify",
    "merges",
    "merge",
    "let_merge_go",
)
EXAMPLES = 5
"""Of each operation and each mode."""


@pytest.fixture(scope="module")
def admin(first_sync: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    folder = shutil.copytree(first_sync, tmp_path_factory.mktemp("fuzzed") / "site")
    with programs(Adapter(folder, policy="hold_first_welcome = false")) as found:
        yield found["admin"]


@pytest.fixture(scope="module")
def document(admin: Program) -> Any:
    answer = admin.session.get(f"{admin.base.partition('/practices/')[0]}/openapi.json", timeout=10)
    assert answer.status_code == 200 and answer.json()["openapi"].startswith("3.1")
    return answer.json()


def test_the_description_has_every_operation(document: Any) -> None:
    names = {one["operationId"] for path in document["paths"].values() for one in path.values()}
    assert names == set(OPERATIONS)


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["allowed", "not-allowed"])
@pytest.mark.parametrize("name", OPERATIONS)
def test_no_server_error_and_no_other_shape(admin: Program, document: Any, name: str, mode: GenerationMode) -> None:
    operation = operation_of(document, name)
    headers = {"Authorization": str(admin.session.headers["Authorization"])}
    statuses: list[int] = []

    @given(case=operation.as_strategy(generation_mode=mode))
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
        derandomize=True,
    )
    def run(case: Any) -> None:
        if mode is GenerationMode.POSITIVE:
            case.path_parameters["practice"] = "main-street"
        answer = case.call(
            base_url=admin.base.partition("/api/")[0], headers=headers, session=requests.Session(), timeout=60
        )
        assert answer.status_code < 500, (answer.status_code, answer.text)
        case.operation.validate_response(answer)
        statuses.append(answer.status_code)

    run()
    assert statuses, "nothing was asked"
    if mode is GenerationMode.POSITIVE and name in ("accounts", "runs", "held", "widgets", "sync"):
        assert set(statuses) & {200, 422}, statuses


def operation_of(document: Any, name: str) -> Any:
    """The operation of this name."""
    for found in schemathesis.openapi.from_dict(document).get_all_operations():
        operation: Any = found.ok()  # type: ignore[union-attr]
        if operation.definition.raw["operationId"] == name:
            return operation
    raise LookupError(name)
