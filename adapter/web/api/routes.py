"""The JSON API's routes, and their own description (OpenAPI 3.1)."""

from typing import Any

from fastapi import APIRouter, Depends, Request
from fastapi.openapi.utils import get_openapi

from adapter import __version__
from adapter.bootstrap import App
from adapter.web.api import act, look, operate
from adapter.web.api.describing import describe
from adapter.web.api.problems import Problem

BASE = "/api/v1"
_ABOUT = (
    "The same shapes as the command line's --json. A program brings a token (adapter tokens add) as a bearer token; a "
    "page of the desk its session and, with a write, X-CSRF-Token."
)


def make_routers(app: App) -> list[APIRouter]:
    """Every route below /api/v1."""
    router = APIRouter(prefix=f"{BASE}/practices/{{practice}}", dependencies=[Depends(_plain)])
    look.add_routes(router, app, describe)
    act.add_routes(router, app, describe)
    operate.add_routes(router, app, describe)
    document = _document(router)
    described = APIRouter()

    @described.get(f"{BASE}/openapi.json", response_model=None)
    def openapi() -> dict[str, Any]:
        """What there is."""
        return document

    return [router, described]


def _plain(request: Request) -> None:
    """Raises Problem for an address with a NUL in it, which PostgreSQL knows no text with."""
    if "\0" in request.url.path or any("\0" in value for _, value in request.query_params.multi_items()):
        raise Problem(422, "The address holds something that cannot be.")


def _document(router: APIRouter) -> dict[str, Any]:
    document: dict[str, Any] = get_openapi(
        title="fhir-portal-adapter", version=__version__, description=_ABOUT, routes=router.routes
    )
    schemes = {
        "token": {"type": "http", "scheme": "bearer", "description": "adapter tokens add"},
        "session": {"type": "apiKey", "in": "cookie", "name": "adapter"},
    }
    document.setdefault("components", {})["securitySchemes"] = schemes
    document["security"] = [{"token": []}, {"session": []}]
    return document
