"""The admin's desk: its pages, put together."""

from fastapi import APIRouter

from adapter.bootstrap import App
from adapter.web import (
    audit,
    findings,
    glass,
    outbox,
    person,
    plans,
    practices,
    runs,
    settings,
    sign_in,
    static,
    today,
    widget_edit,
    widgets,
)
from adapter.web import demo as demo_door
from adapter.web import find as finding
from adapter.web.asking import Service
from adapter.web.oidc import routes as oidc
from adapter.web.pages import Pages


def make_routers(app: App, pages: Pages, service: Service) -> list[APIRouter]:
    """Every route of the desk."""
    more = [demo_door.make_router(app, service.demo)] if service.demo else []
    return [
        *more,
        static.make_router(),
        sign_in.make_router(app, pages),
        oidc.make_router(app, pages),
        practices.make_router(app, pages),
        glass.make_router(app, pages),
        today.make_router(app, pages, service.progress),
        finding.make_router(app, pages),
        person.make_router(app, pages, service.ask),
        findings.make_router(app, pages, service.ask),
        plans.make_router(app, pages, service.ask),
        runs.make_router(app, pages, service.progress),
        outbox.make_router(app, pages, service.ask),
        widgets.make_router(app, pages, service.ask),
        widget_edit.make_router(app, pages, service.ask),
        audit.make_router(app, pages),
        settings.make_router(app, pages),
    ]
