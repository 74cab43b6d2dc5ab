"""Signing in by OpenID Connect: to the provider, and back with what it says."""

import hashlib
import hmac
import json
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import datetime, timedelta

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from adapter.bootstrap import App
from adapter.errors import AdapterError
from adapter.jobs.sign_in import sign_in_as
from adapter.web.cookies import is_https, set_session
from adapter.web.oidc.provider import NotVouchedFor, Provider, fresh
from adapter.web.pages import Pages
from adapter.web.paths import own_path

BACK = "/sign-in/oidc/back"
_LASTS = timedelta(minutes=10)


def make_router(app: App, pages: Pages) -> APIRouter:
    """The routes; none where no provider is configured."""
    router = APIRouter()
    settings = app.settings.web.oidc
    if settings is None or app.settings.web.public_url is None:
        return router
    provider = Provider(settings, app.settings.web.public_url.rstrip("/") + BACK)
    cookie = "__Host-adapter_oidc" if is_https(app.settings) else "adapter_oidc"

    def refused(request: Request, sentence: str, subject: str = "") -> Response:
        answer = pages.show(request, "not_vouched.html", 403, sentence=sentence, subject=subject)
        answer.delete_cookie(cookie, path="/", secure=is_https(app.settings), httponly=True, samesite="lax")
        return answer

    @router.get("/sign-in/oidc")
    def go(request: Request, next: str = "/") -> Response:
        given = {"state": fresh(), "nonce": fresh(), "verifier": fresh()}
        try:
            answer = RedirectResponse(provider.ask(**given), 303)
        except (NotVouchedFor, AdapterError) as error:
            return refused(request, str(error))
        sealed = _seal(app.key, given | {"next": own_path(next)}, app.clock())
        # Lax: the browser brings it along when the provider, another site, sends it back here.
        answer.set_cookie(
            cookie, sealed, path="/", max_age=600, secure=is_https(app.settings), httponly=True, samesite="lax"
        )
        return answer

    @router.get(BACK)
    def back(request: Request, code: str = "", state: str = "", iss: str | None = None) -> Response:
        begun = _open(app.key, request.cookies.get(cookie, ""), app.clock())
        if begun is None or not secrets.compare_digest(begun["state"].encode(), state.encode()):
            return refused(request, "This sign-in was not begun here, or took too long. Begin again.")
        if not code:
            return refused(request, "The provider did not let you in.")
        try:
            subject = provider.subject(
                code, nonce=begun["nonce"], verifier=begun["verifier"], issuer=iss, now=app.clock()
            )
        except (NotVouchedFor, AdapterError) as error:
            return refused(request, str(error))
        token = sign_in_as(app.engine, subject, now=app.clock())
        if token is None:
            return refused(request, "The provider knows you, but nobody here has given you a role.", subject)
        # A page instead of a redirect: from here on the browser comes from our own site, and brings the strict cookie.
        answer = pages.show(request, "vouched.html", next=begun["next"])
        set_session(answer, token, app.settings)
        answer.delete_cookie(cookie, path="/", secure=is_https(app.settings), httponly=True, samesite="lax")
        return answer

    return router


def _seal(key: bytes, what: dict[str, str], now: datetime) -> str:
    text = urlsafe_b64encode(json.dumps(what | {"until": (now + _LASTS).isoformat()}).encode()).decode()
    return f"{text}.{_mac(key, text)}"


def _open(key: bytes, sealed: str, now: datetime) -> dict[str, str] | None:
    text, _, mac = sealed.partition(".")
    if not hmac.compare_digest(mac.encode(), _mac(key, text).encode()):
        return None
    what: dict[str, str] = json.loads(urlsafe_b64decode(text))
    return what if datetime.fromisoformat(what["until"]) >= now else None


def _mac(key: bytes, text: str) -> str:
    return hmac.new(key, f"oidc:{text}".encode(), hashlib.sha256).hexdigest()
