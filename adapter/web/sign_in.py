"""Signing in and out, and the language of the pages."""

from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from adapter.bootstrap import App
from adapter.jobs import sign_in as job
from adapter.store import people
from adapter.store.engine import read
from adapter.web.caller import Authenticate, Caller, caller
from adapter.web.cookies import LANGUAGE, csrf_token, drop_session, is_https, session_cookie, set_session
from adapter.web.guard import form
from adapter.web.languages import LANGUAGES
from adapter.web.pages import Pages
from adapter.web.paths import HOME, own_path


def by_session(app: App) -> Authenticate:
    """Knows a caller by the cookie that signing in has set."""

    def authenticate(request: Request) -> Caller | None:
        token = request.cookies.get(session_cookie(app.settings), "")
        found = job.who(app.engine, token, now=app.clock()) if token else None
        if found is None:
            return None
        known = {practice.id for practice in app.settings.practice}
        roles = {practice: role for practice, role in found.roles.items() if practice in known}
        return Caller(name=found.name, actor=found.actor, roles=roles, csrf=csrf_token(token), session=found)

    return authenticate


def make_router(app: App, pages: Pages) -> APIRouter:
    """The routes."""
    router = APIRouter()
    oidc: dict[str, Any] = {"oidc": app.settings.web.oidc.name if app.settings.web.oidc else ""}

    @router.get("/sign-in")
    def ask(request: Request, next: str = HOME) -> Response:
        with read(app.engine) as connection:
            anybody = bool(people.everybody(connection))
        return pages.show(request, "sign_in.html", next=own_path(next), refused=False, name="", anybody=anybody, **oidc)

    @router.post("/sign-in")
    def sign_in(request: Request) -> Response:
        given = form(request)
        to, name = own_path(given.get("next", HOME)), given.get("name", "")[:200]
        token = job.sign_in(
            app.engine,
            app.key,
            name=name,
            password=given.get("password", "")[:200],
            code=given.get("code", "")[:20],
            now=app.clock(),
        )
        if token is None:
            return pages.show(request, "sign_in.html", 401, next=to, refused=True, name=name, anybody=True, **oidc)
        answer = RedirectResponse(to, 303)
        set_session(answer, token, app.settings)
        return answer

    @router.post("/sign-out")
    def sign_out(request: Request) -> Response:
        session = caller(request).session
        if session is not None:
            job.sign_out(app.engine, session, now=app.clock())
        answer = RedirectResponse("/sign-in", 303)
        drop_session(answer, app.settings)
        answer.headers["Clear-Site-Data"] = '"cache", "storage"'
        return answer

    @router.post("/language")
    def language(request: Request) -> Response:
        given = form(request)
        answer = RedirectResponse(own_path(given.get("next", HOME)), 303)
        if given.get("language") in LANGUAGES:
            answer.set_cookie(
                LANGUAGE,
                given["language"],
                max_age=31536000,
                secure=is_https(app.settings),
                httponly=True,
                samesite="lax",
            )
        return answer

    return router
