"""The routes of the FHIR face: one for each practice's whole subtree, so that every answer below it is FHIR."""

from urllib.parse import parse_qsl

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from adapter.bootstrap import App
from adapter.errors import AdapterError
from adapter.logs import Event, get_logger
from adapter.web.body import BadBody, read_bytes
from adapter.web.fhir import token
from adapter.web.fhir.answers import Refused, outcome
from adapter.web.fhir.interactions import Asked, Params, answer
from adapter.web.fhir.trail import ReadTrail
from adapter.web.knocks import Knocks

METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]
_ISSUES = {400: "invalid", 408: "timeout", 413: "too-long", 415: "not-supported"}


def make_router(app: App) -> APIRouter:
    """The routes; none where no vendor is registered."""
    router = APIRouter()
    if not app.settings.vendor:
        return router
    token.add_route(router, app)
    trail, knocks = ReadTrail(app), Knocks(Event.VENDOR_REFUSED)

    async def below(practice: str, request: Request, rest: str = "") -> Response:
        """A resource, a Bundle, or an OperationOutcome."""
        try:
            steps = tuple(step for step in rest.split("/") if step)
            asked = Asked(request, practice, steps, await _form(request))
            return await run_in_threadpool(answer, app, trail, asked)
        except Refused as error:
            refused = error
        except AdapterError:
            refused = Refused(503, "transient", "The database is busy; try again.", {"Retry-After": "5"})
        except Exception as error:  # whatever it was, its words stay here
            get_logger().error(Event.WEB_FAILED, error=error)
            refused = Refused(500, "exception", "Something went wrong here.")
        if refused.status in (401, 403):
            knocks.note(None, refused.status)
        return outcome(refused)

    router.add_api_route("/fhir/{practice}", below, methods=METHODS)
    router.add_api_route("/fhir/{practice}/{rest:path}", below, methods=METHODS)
    return router


async def _form(request: Request) -> Params:
    """The parameters of a POST search; of any other request no body is read."""
    if request.method != "POST" or not request.url.path.rstrip("/").endswith("/_search"):
        return []
    try:
        body = await read_bytes(request)
    except BadBody as error:
        raise Refused(error.status, _ISSUES.get(error.status, "invalid"), str(error)) from None
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if body and kind != "application/x-www-form-urlencoded":
        raise Refused(415, "not-supported", "The body must be application/x-www-form-urlencoded.")
    try:
        return parse_qsl(body.decode("utf-8"), keep_blank_values=True, max_num_fields=200)
    except ValueError:
        raise Refused(400, "invalid", "The body is not a form.") from None
