"""``make_app(app)``: the one place that puts the service's routes together, behind the same guards."""

from collections.abc import Iterable
from urllib.parse import urlsplit

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware.trustedhost import TrustedHostMiddleware

from adapter.bootstrap import App
from adapter.errors import AdapterError
from adapter.settings import Settings
from adapter.web import bounces, desk, health, metrics, notify, registration, sign_in
from adapter.web.api import routes as api
from adapter.web.api.problems import Problem
from adapter.web.api.problems import told as problem
from adapter.web.api.tokens import by_token
from adapter.web.asking import Service
from adapter.web.fhir import routes as fhir
from adapter.web.guard import Guard, doors
from adapter.web.headers import SECURITY_HEADERS, SecurityHeaders
from adapter.web.pages import Pages
from adapter.web.permissions import ROUTES
from adapter.web.refusals import Refusals

LOCAL_NAMES = ("localhost", "127.0.0.1", "::1", "[::1]")


def make_app(app: App, service: Service | None = None) -> FastAPI:
    """The web application of an assembled adapter: every route, and no documentation pages.

    A request with a Host that is not ours is refused (a page elsewhere cannot reach this machine through a name of its
    own, "DNS rebinding"); every answer carries the security headers. ``service`` is what pages may ask for.

    Raises ConfigError for a secret that is missing, LookupError for a route without a row in the table of permissions.
    """
    web = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False)
    refusals = Refusals(pages := Pages(app))
    routers = make_routers(app, pages, service or Service())
    for router in routers:
        web.include_router(router)
    web.add_middleware(
        Guard,
        doors=doors((route for router in routers for route in router.routes), ROUTES),
        authenticate=(sign_in.by_session(app), by_token(app)),
        settings=app.settings,
        refusals=refusals,
    )
    web.add_middleware(TrustedHostMiddleware, allowed_hosts=list(hosts(app.settings)), www_redirect=False)
    web.add_middleware(SecurityHeaders)  # added last: it stands around everything above
    _tell_errors(web, refusals)
    return web


def make_routers(app: App, pages: Pages, service: Service) -> list[APIRouter]:
    """Every route that the service has."""
    return [
        health.make_router(app),
        metrics.make_router(app),
        notify.make_router(app),
        registration.make_router(app),
        bounces.make_router(app),
        fhir.make_router(app),
        *api.make_routers(app),
        *desk.make_routers(app, pages, service),
    ]


def hosts(settings: Settings) -> Iterable[str]:
    """The names in a Host header that mean this service."""
    addresses = [practice.push.public_url for practice in settings.practice if practice.push]
    addresses += [one.portal.registration_url for one in settings.practice if registration.is_ours(one)]
    public = [urlsplit(address).hostname or "" for address in (settings.web.public_url, *addresses) if address]
    return dict.fromkeys([*LOCAL_NAMES, settings.web.host, *settings.web.allowed_hosts, *filter(None, public)])


def _tell_errors(web: FastAPI, refusals: Refusals) -> None:
    async def told(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        return refusals.told(request, error.status_code, str(error.detail), **(error.headers or {}))

    async def invalid(request: Request, _: Exception) -> Response:
        return refusals.told(request, 422, "The address or the form holds something that cannot be.")

    async def ours(request: Request, _: Exception) -> Response:
        return refusals.busy(request)

    async def broken(request: Request, _: Exception) -> Response:
        """Starlette answers this one outside of every middleware, so the headers are put here."""
        answer = refusals.broken(request)
        for name, value in SECURITY_HEADERS.items():
            answer.headers.setdefault(name, value)
        return answer

    async def of_the_api(_: Request, error: Exception) -> Response:
        assert isinstance(error, Problem)
        return problem(error.status, error.detail, error.headers)

    web.add_exception_handler(Problem, of_the_api)
    web.add_exception_handler(HTTPException, told)
    web.add_exception_handler(RequestValidationError, invalid)
    web.add_exception_handler(AdapterError, ours)
    web.add_exception_handler(Exception, broken)
