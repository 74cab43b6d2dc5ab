"""Knows a program by the token it brings, below /api alone: a token opens no page."""

import re

from fastapi import Request

from adapter.bootstrap import App
from adapter.jobs.tokens import PREFIX
from adapter.store import api_tokens
from adapter.store.engine import read
from adapter.web.api.problems import is_api
from adapter.web.caller import Authenticate, Caller

_BEARER = re.compile(rf"Bearer +({PREFIX}[A-Za-z0-9_-]{{43}})", re.IGNORECASE)


def by_token(app: App) -> Authenticate:
    """Knows a caller by ``Authorization: Bearer adp_…``."""
    known = {practice.id for practice in app.settings.practice}

    def authenticate(request: Request) -> Caller | None:
        given = request.headers.getlist("authorization")
        match = _BEARER.fullmatch(given[0]) if len(given) == 1 and is_api(request) else None
        if match is None:
            return None
        with read(app.engine) as connection:
            found = api_tokens.find(connection, match[1], app.clock())
        if found is None:
            return None
        roles = {practice: role for practice, role in found.roles.items() if practice in known}
        return Caller(name=found.name, actor=f"token:{found.name}", roles=roles)

    return authenticate
