"""The guard in front of every route: who is it, may they, and does a change really come from a page of ours?

Nothing of a request's body is read before that is known, and what is not in the table of permissions is not reached.
"""

import hmac
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import parse_qsl, quote

from fastapi import Request, Response
from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool
from starlette.responses import RedirectResponse
from starlette.routing import Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from adapter.errors import AdapterError
from adapter.settings import Settings
from adapter.web.caller import Authenticate, Caller
from adapter.web.cookies import is_same_origin
from adapter.web.permissions import Need
from adapter.web.refusals import Refusals, wants_page

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
FORM = "application/x-www-form-urlencoded"
MOST_FORM_BYTES = 64 * 1024
CSRF_FIELD, CSRF_HEADER = "csrf", "x-csrf-token"


@dataclass(frozen=True, slots=True)
class Door:
    """One method of one route, and what it takes."""

    route: APIRoute
    method: str
    need: Need


def doors(routes: Iterable[object], table: Mapping[str, Need]) -> list[Door]:
    """Every route with its row of the table.

    Raises LookupError for a route without a row, a row without a route, or a kind of route that we cannot look into.
    """
    found = []
    for route in routes:
        if not isinstance(route, APIRoute):
            raise LookupError(f"{route!r} is no plain route, so nobody can say who may use it.")
        for method in sorted(route.methods or ()):
            row = f"{method} {route.path}"
            if row not in table:
                raise LookupError(f"{row} has no row in the table of permissions.")
            found.append(Door(route, method, table[row]))
    return found


class Guard:
    """Lets a request through to the application, or answers it itself."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        doors: Sequence[Door],
        authenticate: Sequence[Authenticate],
        settings: Settings,
        refusals: Refusals,
    ) -> None:
        self._app, self._doors, self._authenticate = app, doors, authenticate
        self._settings, self._refusals = settings, refusals

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return  # the server speaks nothing else
        request = Request(scope, receive)
        answer = await self._examine(request)
        if answer is None:
            await self._app(scope, request.state.receive if hasattr(request.state, "receive") else receive, send)
        else:
            await answer(scope, receive, send)

    async def _examine(self, request: Request) -> Response | None:
        """The answer to a request that goes no further; None for one that does."""
        door, practice, allowed = self._door(request)
        if door is None:
            return self._refusals.no_such_method(request, allowed) if allowed else self._refusals.not_found(request)
        if door.need is Need.SECRET:
            return None
        changes = door.method not in SAFE
        if door.need is Need.NOTHING:
            if changes and not is_same_origin(request, self._settings):
                return self._refusals.foreign(request)
            return await self._read_form(request) if changes else None
        try:
            caller = await run_in_threadpool(self._caller, request)
        except AdapterError:
            return self._refusals.busy(request)
        if caller is None:
            return self._who_are_you(request)
        request.state.caller = caller
        if practice is not None and practice not in caller.roles:
            return self._refusals.not_found(request)
        if not _may(caller, door.need, practice):
            return self._refusals.not_allowed(request)
        return await self._check_change(request, caller) if changes and caller.csrf else None

    def _door(self, request: Request) -> tuple[Door | None, str | None, list[str]]:
        """The door that the request is at, the practice its path names, and the methods other doors there take."""
        others = []
        for door in self._doors:
            match, child = door.route.matches(request.scope)
            if match is Match.NONE:
                continue
            if match is Match.FULL and door.method == request.method:
                return door, child["path_params"].get("practice"), []
            others.append(door.method)
        return None, None, sorted(set(others))

    def _caller(self, request: Request) -> Caller | None:
        return next((found for way in self._authenticate if (found := way(request)) is not None), None)

    def _who_are_you(self, request: Request) -> Response:
        if request.method in SAFE and wants_page(request):
            path = request.url.path + (f"?{request.url.query}" if request.url.query else "")
            return RedirectResponse(f"/sign-in?next={quote(path, safe='')}" if path != "/" else "/sign-in", 303)
        return self._refusals.who_are_you(request)

    async def _check_change(self, request: Request, caller: Caller) -> Response | None:
        """A change that comes with a cookie: from our own origin, and with the session's token in header or form."""
        if not is_same_origin(request, self._settings):
            return self._refusals.foreign(request)
        refusal = await self._read_form(request)
        if refusal is not None:
            return refusal
        given = request.headers.get(CSRF_HEADER) or form(request).get(CSRF_FIELD, "")
        if not hmac.compare_digest(given.encode(), caller.csrf.encode()):
            return self._refusals.foreign(request)
        return None

    async def _read_form(self, request: Request) -> Response | None:
        """Reads a form, within bounds, into ``form(request)``; other bodies are left to the route."""
        if request.headers.get("content-type", "").split(";")[0].strip().lower() != FORM:
            return None
        body = b""
        async for chunk in request.stream():
            body += chunk
            if len(body) > MOST_FORM_BYTES:
                return self._refusals.too_large(request)
        try:
            pairs = parse_qsl(body.decode("utf-8"), keep_blank_values=True, max_num_fields=2000)
        except ValueError:
            return self._refusals.unreadable(request)
        request.state.form = pairs
        request.state.receive = _again(body, request.receive)
        return None


def form(request: Request) -> dict[str, str]:
    """The fields of the form that was sent; the last one of a name counts."""
    return dict(getattr(request.state, "form", ()))


def form_list(request: Request, name: str) -> list[str]:
    """Every value of a field that may be there several times."""
    return [value for key, value in getattr(request.state, "form", ()) if key == name]


def _may(caller: Caller, need: Need, practice: str | None) -> bool:
    role = need.role
    if role is None:
        return bool(caller.roles)
    return caller.may(role, practice) if practice is not None else bool(caller.practices(role))


def _again(body: bytes, rest: Receive) -> Receive:
    """A body that was read already, for whoever reads it next; then whatever else comes: that the browser is gone."""
    messages = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Message:
        return messages.pop() if messages else await rest()

    return receive
