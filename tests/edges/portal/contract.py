"""Holds what goes over the line against openapi.json: a request or an answer that it does not describe is an error."""

import re
from importlib.resources import files
from typing import Any

import orjson
from jsonschema import Draft202012Validator

from adapter.portal.wire import Answer, Wire

DOCUMENT: dict[str, Any] = orjson.loads((files("adapter.portal.http") / "openapi.json").read_bytes())


def _plain(value: dict[str, Any]) -> dict[str, Any]:
    """What a reference stands for."""
    while "$ref" in value:
        found: Any = DOCUMENT
        for step in value["$ref"].removeprefix("#/").split("/"):
            found = found[step]
        value = found
    return value


def _valid(value: Any, schema: dict[str, Any]) -> None:
    whole = {**schema, "components": DOCUMENT["components"]}
    problems = sorted(Draft202012Validator(whole).iter_errors(value), key=str)
    assert not problems, f"{list(problems[0].path)}: {problems[0].message}"


def operation(method: str, path: str) -> dict[str, Any]:
    """The operation and its parameters. Fails when the document has none there."""
    for template, item in DOCUMENT["paths"].items():
        if method.lower() in item and re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", template), f"/{path}"):
            found: dict[str, Any] = item[method.lower()]
            return found | {"parameters": [*item.get("parameters", ()), *found.get("parameters", ())]}
    raise AssertionError(f"{method} /{path} is not in the contract")


class ContractWire(Wire):
    """A wire that reads the contract along. ``seen`` are the operations and answers that occurred."""

    def ask(self, method: str, path: str, value: Any = None, *, params: Any = None, headers: Any = None) -> Answer:
        asked = operation(method, path)
        known = {(one["in"], one["name"]) for one in map(_plain, asked["parameters"])}
        assert {("query", name) for name in params or {}} <= known
        assert {("header", name) for name in headers or {}} <= known
        if "requestBody" in asked:
            _valid(value, asked["requestBody"]["content"]["application/json"]["schema"])
        else:
            assert value is None
        answer = super().ask(method, path, value, params=params, headers=headers)
        described = _plain(asked["responses"][str(answer.status)])
        media = answer.headers.get("Content-Type", "").partition(";")[0]
        if "content" in described:
            _valid(answer.value, described["content"][media]["schema"])
        for name, header in described.get("headers", {}).items():
            assert name in answer.headers or not _plain(header).get("required"), name
        SEEN.add((asked["operationId"], answer.status))
        return answer


SEEN: set[tuple[str, int]] = set()
