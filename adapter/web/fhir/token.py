"""``POST /oauth2/token``: a signed assertion for a token that lives five minutes (RFC 6749 §4.4, RFC 7523).

The token is drawn at random and kept as a hash; each assertion is good for one.
"""

import secrets
from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool

from adapter.bootstrap import App
from adapter.core.fhir_face.scopes import granted
from adapter.errors import AdapterError
from adapter.logs import Event, get_logger
from adapter.settings import VendorSettings
from adapter.store import vendor_tokens
from adapter.store.engine import begin
from adapter.web.body import BadBody, read_bytes
from adapter.web.fhir.assertion import NotTheClient, prove
from adapter.web.fhir.keys import VendorKeys
from adapter.web.knocks import Knocks

PATH = "/oauth2/token"
LIFETIME = timedelta(minutes=5)
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_FIELDS = ("grant_type", "scope", "client_assertion_type", "client_assertion", "client_id")
_NO_STORE = {"Cache-Control": "no-store", "Pragma": "no-cache"}


class BadRequest(Exception):
    """An error of RFC 6749 §5.2."""

    def __init__(self, error: str, why: str, status: int = 400) -> None:
        self.error, self.why, self.status = error, why, status
        super().__init__(why)


def public_base(app: App, request: Request) -> str:
    """The service's address as the client knows it: scheme, host and port."""
    parts = urlsplit(app.settings.web.public_url or str(request.base_url))
    return f"{parts.scheme}://{parts.netloc}"


def add_route(router: APIRouter, app: App) -> None:
    """Adds the one route."""
    vendors = {vendor.client_id: vendor for vendor in app.settings.vendor}
    keys = {name: VendorKeys(vendor) for name, vendor in vendors.items()}
    knocks = Knocks(Event.VENDOR_REFUSED)

    @router.post(PATH)
    async def token(request: Request) -> Response:
        """A bearer token, or an error as OAuth names it."""
        try:
            form = _form(await read_bytes(request), request.headers.get("content-type", ""))
            url = f"{public_base(app, request)}{PATH}"
            return JSONResponse(await run_in_threadpool(_issue, app, vendors, keys, form, url), headers=_NO_STORE)
        except BadBody as error:
            refused = BadRequest("invalid_request", str(error), error.status)
        except BadRequest as error:
            refused = error
        except AdapterError:
            refused = BadRequest("temporarily_unavailable", "The database is busy; try again.", 503)
        knocks.note(None, refused.status)
        return JSONResponse(
            {"error": refused.error, "error_description": refused.why}, refused.status, headers=_NO_STORE
        )


def _form(body: bytes, content_type: str) -> dict[str, str]:
    """The parameters; one that is given twice is an error (RFC 6749 §3.2)."""
    if content_type.partition(";")[0].strip().lower() != "application/x-www-form-urlencoded":
        raise BadRequest("invalid_request", "The body must be application/x-www-form-urlencoded.")
    try:
        pairs = parse_qsl(body.decode("utf-8"), keep_blank_values=True, max_num_fields=50)
    except ValueError:
        raise BadRequest("invalid_request", "The body is not a form.") from None
    form: dict[str, str] = {}
    for name, value in pairs:
        if name in _FIELDS and name in form:
            raise BadRequest("invalid_request", f"{name} is given twice.")
        form[name] = value
    return form


def _issue(
    app: App,
    vendors: Mapping[str, VendorSettings],
    keys: Mapping[str, VendorKeys],
    form: dict[str, str],
    url: str,
) -> dict[str, Any]:
    if not form.get("grant_type"):
        raise BadRequest("invalid_request", "grant_type is missing.")
    if form["grant_type"] != "client_credentials":
        raise BadRequest("unsupported_grant_type", "client_credentials is what there is.")
    if form.get("client_assertion_type") != ASSERTION_TYPE:
        raise BadRequest("invalid_client", f"client_assertion_type must be {ASSERTION_TYPE}.", 401)
    now = app.clock()
    try:
        proven = prove(form.get("client_assertion", ""), keys, url, now)
    except NotTheClient as error:
        raise BadRequest("invalid_client", str(error), 401) from None
    if form.get("client_id", proven.client_id) != proven.client_id:
        raise BadRequest("invalid_client", "client_id is not that of the assertion.", 401)
    if not form.get("scope"):
        raise BadRequest("invalid_request", "scope is missing.")
    scopes = granted(form["scope"].split(), vendors[proven.client_id].scopes)
    drawn, scope = secrets.token_urlsafe(32), " ".join(scopes)
    expires_at = now + LIFETIME
    with begin(app.engine) as connection:
        fresh = vendor_tokens.use_up(connection, proven.client_id, proven.jti, expires_at=proven.expires_at, now=now)
        if fresh and scopes:
            vendor_tokens.keep(
                connection, drawn, client_id=proven.client_id, scope=scope, now=now, expires_at=expires_at
            )
    if not fresh:
        raise BadRequest("invalid_client", "This assertion was used before; make a new one with a new jti.", 401)
    if not scopes:
        raise BadRequest("invalid_scope", "None of these scopes is registered for the client.")
    get_logger().info(Event.VENDOR_ADMITTED, count=len(scopes))
    return {
        "access_token": drawn,
        "token_type": "bearer",
        "expires_in": int(LIFETIME.total_seconds()),
        "scope": scope,
    }
