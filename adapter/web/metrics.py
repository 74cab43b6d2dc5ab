"""``/metrics`` for Prometheus: to whoever brings the secret, or, where there is none, to this machine alone."""

import hmac
from ipaddress import ip_address

from fastapi import APIRouter, HTTPException, Request, Response
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest

from adapter.bootstrap import App
from adapter.web.measures import Measures

_PASSED_ON = ("forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-real-ip")
"""Headers of a request that somebody else's server has passed on: it does not come from this machine."""


def make_router(app: App) -> APIRouter:
    """The route. Raises ConfigError for a secret that is missing."""
    router = APIRouter()
    registry = CollectorRegistry(auto_describe=False)
    registry.register(Measures(app))
    secret = app.settings.web.metrics.secret if app.settings.web.metrics else None
    expected = f"Bearer {secret.get_secret_value()}".encode() if secret else None

    @router.get("/metrics")
    def metrics(request: Request) -> Response:
        """The measures as text."""
        if expected is None and not _from_this_machine(request):
            raise HTTPException(403, "Without a secret in [web.metrics] this machine alone may read this.")
        given = request.headers.get("authorization", "").encode()
        if expected is not None and not hmac.compare_digest(given, expected):
            raise HTTPException(401, "The secret is missing or wrong.", headers={"WWW-Authenticate": "Bearer"})
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_PLAIN_0_0_4)

    return router


def _from_this_machine(request: Request) -> bool:
    if request.client is None or any(name in request.headers for name in _PASSED_ON):
        return False
    try:
        return ip_address(request.client.host).is_loopback
    except ValueError:
        return False
