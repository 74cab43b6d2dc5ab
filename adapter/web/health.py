"""``/healthz`` and ``/readyz``: whether the work gets done, and whether it could be done at all."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse

from adapter.bootstrap import App
from adapter.errors import AdapterError
from adapter.store import health
from adapter.store.engine import read


def make_router(app: App) -> APIRouter:
    """The two routes; their answers name practices and times, nobody else."""
    router = APIRouter()

    @router.get("/healthz")
    def healthz() -> Response:
        """200 when every practice had a complete run within ``healthy_minutes``; proven by work, not by a socket."""
        try:
            found = _practices(app)
        except AdapterError:
            return _unreachable()
        ok = all(practice["ok"] for practice in found)
        return JSONResponse({"status": "ok" if ok else "failing", "practices": found}, 200 if ok else 503)

    @router.get("/readyz")
    def readyz() -> Response:
        """200 when the database answers, so that a notification can be kept."""
        try:
            with read(app.engine) as connection:
                connection.execute(sa.text("SELECT 1"))
        except AdapterError:
            return _unreachable()
        return JSONResponse({"status": "ready"})

    return router


def _practices(app: App) -> list[dict[str, Any]]:
    names = [practice.id for practice in app.settings.practice]
    with read(app.engine) as connection:
        last, waiting = health.last_complete(connection, names), health.nudges_waiting(connection)
    return [_practice(app, name, last.get(name), waiting.get(name, 0)) for name in names]


def _practice(app: App, name: str, last: datetime | None, waiting: int) -> dict[str, Any]:
    minutes = None if last is None else max(0, int((app.clock() - last).total_seconds() // 60))
    return {
        "practice": name,
        "ok": minutes is not None and minutes <= app.settings.web.healthy_minutes,
        "last_complete_run": last.isoformat(timespec="seconds") if last else None,
        "minutes_ago": minutes,
        "notifications_waiting": waiting,
    }


def _unreachable() -> Response:
    return JSONResponse({"status": "failing", "error": "The database does not answer."}, 503)
