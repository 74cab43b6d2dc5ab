"""``/register/<practice>`` for parents, ``/register/<practice>/verify`` for a portal that has a page of its own."""

import hmac
import time
from collections.abc import Callable
from contextlib import suppress
from urllib.parse import urlsplit

from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool

from adapter.bootstrap import App
from adapter.core.redeem import SecondFact
from adapter.errors import AdapterError, RetriableError
from adapter.jobs.redeem import Attempt, Result, is_open, redeem
from adapter.portal.embedded import EmbeddedPortal
from adapter.settings import PracticeSettings
from adapter.web.body import BadBody, read_json
from adapter.web.registration.form import answer_in, read_form, token_in
from adapter.web.registration.limit import Limit
from adapter.web.registration.pages import Pages, language_of

LOOKS, ANSWERS, FOR_ALL = 120, 30, 600
"""How often one client may open a link, and answer, in a minute; and how many answers a practice takes in all."""
_STATUS = {Result.REGISTERED: 200, Result.WRONG: 403, Result.CLOSED: 410}


def is_ours(practice: PracticeSettings) -> bool:
    """Whether the links in the practice's Welcome emails lead to this page."""
    return urlsplit(practice.portal.registration_url).path.rstrip("/") == f"/register/{practice.id}"


def make_router(app: App, clock: Callable[[], float] = time.monotonic) -> APIRouter:
    """The routes. Raises ConfigError for a secret that is missing. ``clock`` counts seconds, for the limits."""
    router = APIRouter()
    practices = {practice.id: practice for practice in app.settings.practice}
    secrets = {name: secret for name, one in practices.items() if (secret := one.registration.secret)}
    looks, answers, for_all = Limit(LOOKS, 60, clock), Limit(ANSWERS, 60, clock), Limit(FOR_ALL, 60, clock)

    def found(practice: str) -> PracticeSettings:
        one = practices.get(practice)
        if one is None or not is_ours(one):
            raise HTTPException(404)
        return one

    def pages(practice: PracticeSettings, request: Request, wanted: str, token: str) -> Pages:
        language = language_of(wanted, request.headers.get("accept-language", ""), practice.language)
        path = f"/register/{practice.id}"
        return Pages(practice=practice.name, phone=practice.phone, language=language, path=path, token=token)

    def attempt(practice: str, token: str, answer: str) -> Attempt:
        fact = practices[practice].registration.second_fact
        made = redeem(app.engine, app.practices[practice], token, answer, fact=fact, now=app.clock())
        portal = app.portals[practice]
        if made.result is Result.REGISTERED and isinstance(portal, EmbeddedPortal):
            with suppress(RetriableError):  # it is registered all the same: the next delivery tells the portal
                portal.mark_registered(made.account, app.clock())
        return made

    @router.api_route("/register/{practice}", methods=["GET", "HEAD"])
    async def look(practice: str, request: Request, token: str = "", lang: str = "") -> Response:
        """Shows the question. Nothing changes, however often and by whomever the link is opened."""
        one = found(practice)
        token = token_in({"token": token})
        shown = pages(one, request, lang, token)
        if not looks.allows(_client(request)):
            return shown.too_often()
        fact = one.registration.second_fact
        try:
            works = bool(token) and await run_in_threadpool(
                lambda: is_open(app.engine, app.practices[practice], token, fact=fact, now=app.clock())
            )
        except AdapterError:
            return shown.busy()
        return shown.open(fact) if works else shown.closed()

    @router.post("/register/{practice}")
    async def answer(practice: str, request: Request) -> Response:
        """Uses the link if the answer is right."""
        one = found(practice)
        fields = await read_form(request)
        token, fact = token_in(fields), one.registration.second_fact
        shown = pages(one, request, fields.get("lang", ""), token)
        if not answers.allows(_client(request)) or not for_all.allows(practice):
            return shown.too_often()
        given = answer_in(fields, fact)
        try:
            if token and not given:
                works = await run_in_threadpool(
                    lambda: is_open(app.engine, app.practices[practice], token, fact=fact, now=app.clock())
                )
                return shown.unreadable(fact, fields) if works else shown.closed()
            made = await run_in_threadpool(attempt, practice, token, given) if token else Attempt(result=Result.CLOSED)
        except AdapterError:
            return shown.busy()
        if made.result is Result.REGISTERED:
            return shown.done(made.username)
        return shown.wrong(fact, made.tries_left) if made.result is Result.WRONG else shown.closed()

    @router.post("/register/{practice}/verify")
    async def verify(practice: str, request: Request) -> Response:
        """The same for a portal: it asks its reader, and sends link and answer here."""
        secret = secrets.get(practice)
        expected = f"Bearer {secret.get_secret_value()}".encode() if secret else b""
        given = request.headers.get("authorization", "").encode()
        if not hmac.compare_digest(given, expected) or not expected:
            raise HTTPException(401, "The secret is missing or wrong.", headers={"WWW-Authenticate": "Bearer"})
        if not for_all.allows(practice):
            raise HTTPException(429, "Too many at once; send it again.", headers={"Retry-After": "60"})
        try:
            body = await read_json(request)
        except BadBody as error:
            raise HTTPException(error.status, str(error)) from None
        token, said = _asked(body, practices[practice].registration.second_fact)
        try:
            made = await run_in_threadpool(attempt, practice, token, said) if token else Attempt(result=Result.CLOSED)
        except AdapterError:
            raise HTTPException(503, "Busy; send it again.", headers={"Retry-After": "5"}) from None
        return JSONResponse(_shape(made), _STATUS[made.result])

    return router


def _asked(body: object, fact: SecondFact) -> tuple[str, str]:
    """Token and answer of a portal's request. Raises HTTPException 422 when there is no answer that can be read."""
    fields = {key: value for key, value in body.items() if isinstance(value, str)} if isinstance(body, dict) else {}
    name = fact.replace("-", "_")
    if fact is SecondFact.BIRTH_DATE:
        fields |= dict(zip(("year", "month", "day"), f"{fields.get(name, '')}--".split("-"), strict=False))
    answer = answer_in(fields | {"number": fields.get(name, "")}, fact)
    if not answer:
        raise HTTPException(422, f"{name} is missing or cannot be read.")
    return token_in(fields), answer


def _shape(made: Attempt) -> dict[str, object]:
    shown: dict[str, object] = {"result": str(made.result)}
    if made.result is Result.REGISTERED:
        shown |= {"account": made.account, "username": made.username}
    if made.result is Result.WRONG:
        shown |= {"tries_left": made.tries_left}
    return shown


def _client(request: Request) -> str:
    return request.client.host if request.client else ""
