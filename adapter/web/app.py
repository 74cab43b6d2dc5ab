"""``make_app(app)``: the one place that puts the service's pages together, behind the same guards."""

from collections.abc import Iterable
from urllib.parse import urlsplit

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.middleware.trustedhost import TrustedHostMiddleware

from adapter.bootstrap import App
from adapter.settings import Settings
from adapter.web import health, notify
from adapter.web.headers import SECURITY_HEADERS, SecurityHeaders

LOCAL_NAMES = ("localhost", "127.0.0.1", "::1", "[::1]")


def make_app(app: App) -> FastAPI:
    """The web application of an assembled adapter: every route, no documentation pages, errors as one line of JSON.

    A request with a Host that is not ours is refused (a page elsewhere cannot reach this machine through a name of its
    own, "DNS rebinding"); every answer carries the security headers. Raises ConfigError for a secret that is missing.
    """
    web = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False)
    web.include_router(health.make_router(app))
    web.include_router(notify.make_router(app))
    web.add_middleware(TrustedHostMiddleware, allowed_hosts=list(hosts(app.settings)), www_redirect=False)
    web.add_middleware(SecurityHeaders)  # added last: it stands around everything above
    web.add_exception_handler(HTTPException, _told)
    web.add_exception_handler(Exception, _broken)
    return web


def hosts(settings: Settings) -> Iterable[str]:
    """The names in a Host header that mean this service."""
    addresses = [practice.push.public_url for practice in settings.practice if practice.push]
    public = [urlsplit(address).hostname or "" for address in addresses if address]
    return dict.fromkeys([*LOCAL_NAMES, settings.web.host, *settings.web.allowed_hosts, *filter(None, public)])


async def _told(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return JSONResponse({"error": error.detail}, error.status_code, headers=error.headers)


async def _broken(_: Request, __: Exception) -> Response:
    """Starlette answers this one outside of every middleware, so the headers are put here."""
    return JSONResponse({"error": "Something went wrong here."}, 500, headers=SECURITY_HEADERS)
