"""``/notify/<practice>``: where an EHR says that something changed. What it says is only a hint where to look."""

import hmac
import secrets
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.responses import JSONResponse

from adapter.bootstrap import App
from adapter.core.notice import SOMETHING, Notice, read_notice
from adapter.errors import AdapterError
from adapter.logs import Event
from adapter.settings import FhirEhr
from adapter.web.body import BadBody, read_json
from adapter.web.inbox import Full, Inbox
from adapter.web.knocks import Knocks

DELETED_HEADERS = ("X-Medplum-Deleted-Resource",)
"""Headers that name what was deleted, as ``Type/id`` (medplum.com/docs/subscriptions/subscription-extensions, 2026)."""
FHIR_JSON = "application/fhir+json"
THANKS = {"resourceType": "OperationOutcome", "issue": [{"severity": "information", "code": "informational"}]}
"""HAPI parses the answer to a notification as FHIR and calls an empty JSON object a failure (its issue 677, 2024)."""
_GOODBYE = {"Connection": "close"}
"""What is still to come of a refused body is not read."""
_WHO_ARE_YOU = {"WWW-Authenticate": "Bearer"} | _GOODBYE


@dataclass(frozen=True, slots=True)
class _Door:
    """How one practice's EHR is known."""

    header: str
    value: bytes
    base_url: str

    def opens(self, request: Request) -> bool:
        given = request.headers.getlist(self.header)
        return len(given) == 1 and hmac.compare_digest(given[0].encode(), self.value)


def make_router(app: App) -> APIRouter:
    """The routes; none where no practice has ``[practice.push]``. Raises ConfigError for a secret that is missing."""
    router = APIRouter()
    doors = {practice.id: _door(practice) for practice in app.settings.practice if practice.push}
    nobody = _Door("Authorization", secrets.token_bytes(32), "")
    inbox = Inbox(lambda: app.engine, app.clock)
    knocks = Knocks(Event.PUSH_REFUSED)

    async def keep(practice: str, notice: Notice) -> None:
        try:
            await inbox.put(practice, notice)
        except (Full, AdapterError):
            raise HTTPException(503, "Busy; send it again.", headers={"Retry-After": "5"}) from None

    async def notified(practice: str, request: Request, rest: str) -> Response:
        """200 once it is kept. Nothing is read of a request that does not bring the secret."""
        door = doors.get(practice, nobody)
        if not door.opens(request):
            knocks.note(practice if practice in doors else None, 401)
            raise HTTPException(401, "The secret is missing or wrong.", headers=_WHO_ARE_YOU)
        try:
            body = await read_json(request)
        except BadBody as error:
            knocks.note(practice, error.status)
            await keep(practice, SOMETHING)  # who knows the secret has something to tell, even if we cannot read it
            raise HTTPException(error.status, str(error), headers=_GOODBYE) from None
        await keep(practice, _notice(request, rest, body, door.base_url))
        return JSONResponse(THANKS, media_type=FHIR_JSON)

    async def at_the_endpoint(practice: str, request: Request) -> Response:
        return await notified(practice, request, "")

    if doors:
        router.add_api_route("/notify/{practice}", at_the_endpoint, methods=["POST", "PUT"])
        router.add_api_route("/notify/{practice}/{rest:path}", notified, methods=["POST", "PUT", "DELETE"])
    return router


def _door(practice: Any) -> _Door:
    assert isinstance(practice.ehr, FhirEhr)
    return _Door(practice.push.header, practice.push.header_value.get_secret_value().encode(), practice.ehr.base_url)


def _notice(request: Request, rest: str, body: Any, base_url: str) -> Notice:
    gone = next((request.headers[name] for name in DELETED_HEADERS if name in request.headers), "")
    if gone:
        return read_notice(body, base_url=base_url, named=gone, deleted=True)
    return read_notice(body, base_url=base_url, named=rest, deleted=request.method == "DELETE")
