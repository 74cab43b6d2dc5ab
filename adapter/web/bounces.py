"""``/bounces``: where a mail service says that a mail came back, or that its reader called it unwanted."""

import hmac
import re
from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool

from adapter.bootstrap import App
from adapter.core.bounce import Bounce, BounceKind
from adapter.core.email import email_key
from adapter.errors import AdapterError
from adapter.jobs.bounces import receive
from adapter.web.body import BadBody, read_json

MOST = 1000
_MESSAGE_ID = re.compile(r"<?([^<>\s]{1,250})>?")
_STATUS = re.compile(r"[245]\.\d{1,3}\.\d{1,3}")


def make_router(app: App) -> APIRouter:
    """The route. Raises ConfigError for a secret that is missing."""
    router = APIRouter()
    secret = app.settings.bounces.secret
    expected = f"Bearer {secret.get_secret_value()}".encode() if secret else b""

    @router.post("/bounces")
    async def told(request: Request) -> Response:
        """200 once everything is kept. A body that cannot be read is refused as a whole."""
        given = request.headers.get("authorization", "").encode()
        if not hmac.compare_digest(given, expected) or not expected:
            raise HTTPException(401, "The secret is missing or wrong.", headers={"WWW-Authenticate": "Bearer"})
        try:
            body = await read_json(request)
        except BadBody as error:
            raise HTTPException(error.status, str(error)) from None
        events = body if isinstance(body, list) else [body]
        if len(events) > MOST:
            raise HTTPException(413, f"More than {MOST} events at once.")
        bounces = [_bounce(event) for event in events]
        try:
            done = await run_in_threadpool(lambda: receive(app.engine, bounces, now=app.clock()))
        except AdapterError:
            raise HTTPException(503, "Busy; send it again.", headers={"Retry-After": "5"}) from None
        return JSONResponse(dict(done))

    return router


def _bounce(event: Any) -> Bounce:
    """One event. Raises HTTPException 422 when it is none."""
    fields: Mapping[str, Any] = event if isinstance(event, dict) else {}
    kind = next((one for one in BounceKind if one == fields.get("type")), None)
    message_id = _MESSAGE_ID.fullmatch(str(fields.get("message_id", "")).strip())
    key = email_key(str(fields.get("email", "")))
    if kind is None or not (message_id or key):
        raise HTTPException(422, "An event has a type (hard, soft, complaint), and a message_id or an email.")
    status = str(fields.get("status", ""))
    return Bounce(
        kind=kind,
        email_key=key,
        message_id=f"<{message_id[1]}>" if message_id else "",
        status=status if _STATUS.fullmatch(status) else "",
    )
