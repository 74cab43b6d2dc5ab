"""What the OpenAPI description says of each route: its answer's shape, its problems, what a write takes."""

from collections.abc import Callable
from typing import Any

from adapter.web.api import schemas
from adapter.web.api.once import HEADER
from adapter.web.api.problems import MEDIA_TYPE
from adapter.web.api.schemas import Schema

Describe = Callable[..., dict[str, Any]]
_PROBLEMS = {
    401: "Nobody is signed in, or the token is not known.",
    403: "The role does not allow it.",
    404: "There is no such practice, or nothing of that name.",
    422: "Something that was given cannot be.",
    503: "Busy; try again in a moment.",
}
_OF_WRITES = {409: "It makes no sense now; the detail says why.", 413: "The body is too large."}
_KEY = {
    "name": HEADER,
    "in": "header",
    "required": False,
    "description": "The same request with the same key is done once and answered alike for a day.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
}


def describe(name: str, shape: Schema, *, body: Schema | None = None) -> dict[str, Any]:
    """The arguments of a route. ``body`` is what a write takes."""
    writes = body is not None
    problems = _PROBLEMS | (_OF_WRITES if writes else {})
    more: dict[str, Any] = {}
    if body is not None:
        more["requestBody"] = {"required": False, "content": {"application/json": {"schema": body}}}
        more["parameters"] = [_KEY]
    return {
        "operation_id": name,
        "response_model": None,
        "openapi_extra": more or None,
        "responses": {
            200: {"description": "As it is.", "content": {"application/json": {"schema": shape}}},
            **{
                status: {"description": text, "content": {MEDIA_TYPE: {"schema": schemas.PROBLEM}}}
                for status, text in sorted(problems.items())
            },
        },
    }
