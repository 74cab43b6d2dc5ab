"""Settings: the configuration as it is in force, read-only, with secrets as stars; and who may use the desk."""

from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, SecretStr

from adapter.bootstrap import App
from adapter.core.staff import StaffRole
from adapter.jobs.people import listing
from adapter.web.caller import caller
from adapter.web.pages import Pages

STARS = "••••••••"
_SECRET = ("secret", "password", "token", "key")
_NAMES = ("_env", "_file", "_id")
"""A key that ends so names where a secret is, not the secret."""


def make_router(app: App, pages: Pages) -> APIRouter:
    """The route."""
    router = APIRouter()

    @router.get("/p/{practice}/settings")
    def settings(request: Request, practice: str) -> Response:
        mine = next(one for one in app.settings.practice if one.id == practice)
        sections = [("store", app.settings.store), ("mail", app.settings.mail), ("web", app.settings.web)]
        shown = [(name, _lines(section)) for name, section in sections]
        shown.append(("practice", _lines(mine)))
        staff = listing(app.engine) if caller(request).may(StaffRole.ADMIN, practice) else None
        here = [one for one in staff if practice in one["roles"]] if staff is not None else None
        return pages.show(request, "settings.html", sections=shown, staff=here)

    return router


def _lines(section: BaseModel, before: str = "") -> list[tuple[str, str]]:
    """Every key with its value, the tables below it by their path."""
    lines: list[tuple[str, str]] = []
    for name, field in type(section).model_fields.items():
        value, key = getattr(section, name), f"{before}{field.alias or name}"
        if isinstance(value, BaseModel):
            lines += _lines(value, f"{key}.")
        elif value is not None:
            lines.append((key, _shown(name, value)))
    return lines


def _shown(name: str, value: Any) -> str:
    if isinstance(value, SecretStr) or (any(word in name for word in _SECRET) and not name.endswith(_NAMES)):
        return STARS
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple | list | frozenset):
        return ", ".join(sorted(_shown("", one) for one in value)) or "–"
    if isinstance(value, BaseModel):
        return ", ".join(f"{key} {shown}" for key, shown in _lines(value))
    if isinstance(value, dict):
        return ", ".join(f"{key} = {one}" for key, one in value.items()) or "–"
    return str(value)
