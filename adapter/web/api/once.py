"""Doing a write once: with an ``Idempotency-Key``, the same request again gets the answer of the first.

Kept for a day, for each caller. The same key with another request is refused (422); while the first is still being
done, the second is told to wait (409). What could not be done yet may be tried again with the same key.
Source: draft-ietf-httpapi-idempotency-key-header.
"""

import hashlib
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import orjson
from fastapi import Request, Response

from adapter.bootstrap import App
from adapter.errors import AdapterError, FatalError, RetriableError
from adapter.store import answered
from adapter.store.engine import begin
from adapter.web.api import problems
from adapter.web.api.problems import Problem
from adapter.web.caller import caller

HEADER = "Idempotency-Key"
_LONGEST = 255


def once(app: App, request: Request, body: Any, do: Callable[[], Any]) -> Response:
    """Does it, or repeats what was answered before."""
    key = request.headers.get(HEADER)
    if key is None:
        return _done(do)
    if not 0 < len(key) <= _LONGEST:
        return problems.told(422, f"{HEADER} must have 1 to {_LONGEST} characters.")
    actor = caller(request).actor
    asked = hashlib.sha256(orjson.dumps([request.method, request.url.path, body], option=orjson.OPT_SORT_KEYS))
    with begin(app.engine) as connection:
        before = answered.claim(connection, actor, key, asked.hexdigest(), app.clock())
    if before is not None:
        return _again(before, asked.hexdigest())
    answer: Response | None = None
    try:
        answer = _done(do)
    finally:
        with suppress(AdapterError), begin(app.engine) as connection:
            if answer is None or answer.status_code in (409, 503):
                answered.forget(connection, actor, key)
            else:
                answered.keep(connection, actor, key, answer.status_code, bytes(answer.body).decode())
    return answer


def _again(before: answered.Before, asked: str) -> Response:
    if before.request_hash != asked:
        return problems.told(422, f"This {HEADER} was used for another request.")
    if before.status is None or before.answer is None:
        return problems.told(409, "The same request is still being done.", {"Retry-After": "5"})
    media_type = "application/json" if before.status < 400 else problems.MEDIA_TYPE
    return Response(before.answer, before.status, {"Idempotent-Replayed": "true"}, media_type)


def _done(do: Callable[[], Any]) -> Response:
    try:
        return Response(orjson.dumps(do(), option=orjson.OPT_NON_STR_KEYS), media_type="application/json")
    except Problem as error:
        return problems.told(error.status, error.detail, error.headers)
    except RetriableError as error:
        return problems.told(503, str(error), {"Retry-After": "5"})
    except FatalError as error:
        return problems.told(409, str(error))
