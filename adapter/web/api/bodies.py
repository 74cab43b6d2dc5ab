"""What a write takes: bodies as the description has them, checked field by field, and done once."""

import re
from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import Request, Response
from starlette.concurrency import run_in_threadpool

from adapter.bootstrap import App
from adapter.web.api import problems, schemas
from adapter.web.api.once import once
from adapter.web.api.problems import Problem
from adapter.web.body import BadBody, read_json

Body = dict[str, Any]
Do = Callable[[Body], Any]
Doing = Callable[[Request, Body, Do], Awaitable[Response]]

REASON: Body = {"type": "string", "pattern": "^[^\\u0000]+$", "maxLength": 500}
PLAN_BODY: Body = {"type": "object", "properties": {"full": schemas.YES_OR_NO}, "additionalProperties": False}
NO_BODY: Body = PLAN_BODY | {"properties": {}}
HASH_BODY: Body = PLAN_BODY | {"properties": {"plan": {"type": ["string", "null"], "pattern": "^[0-9a-f]{8,64}$"}}}
REASON_BODY: Body = PLAN_BODY | {"required": ["reason"], "properties": {"reason": REASON}}


def make_doing(app: App) -> Doing:
    """What reads a body and does it once, in a thread."""

    async def doing(request: Request, form: Body, do: Do) -> Response:
        try:
            given = _checked(await read_json(request), form, request)
        except BadBody as error:
            return problems.told(error.status if error.status != 400 else 422, str(error))
        except Problem as error:
            return problems.told(error.status, error.detail)
        return await run_in_threadpool(once, app, request, given, lambda: do(given))

    return doing


def need(given: Body, *names: str) -> None:
    """Raises Problem unless the body has all of these."""
    if not all(given.get(name) for name in names):
        raise Problem(422, f"The body must have {', '.join(names)}.")


def _checked(body: Any, form: dict[str, Any], request: Request) -> dict[str, Any]:
    """The body's fields, each as the form says. Raises Problem; no value is quoted."""
    kind = request.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise Problem(422, "The body must be JSON (application/json).")
    given = {} if body is None else body
    if not isinstance(given, dict):
        raise Problem(422, "The body must be a JSON object.")
    for name, value in given.items():
        wanted = form["properties"].get(name)
        if wanted is None:
            raise Problem(422, f"The body may have: {', '.join(form['properties']) or 'nothing'}.")
        if not _fits(value, wanted):
            raise Problem(422, f'"{name}" is not as it must be: {wanted.get("pattern", wanted["type"])}.')
    return given


def _fits(value: Any, wanted: dict[str, Any]) -> bool:
    if wanted["type"] == "boolean":
        return isinstance(value, bool)
    if value is None:
        return "null" in wanted["type"]
    fits = isinstance(value, str) and re.fullmatch(wanted["pattern"], value) is not None
    return fits and len(value) <= wanted.get("maxLength", len(value))
