"""Writing the payment widget and the Billing warning on the desk, with a preview of what parents will see."""

from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Query, Request, Response
from fastapi.responses import RedirectResponse

from adapter.bootstrap import App
from adapter.core.merchant import TEXT_LENGTH, TITLE_LENGTH, Merchant
from adapter.core.preview import drawn
from adapter.core.widget_edit import FIELDS, NOTHING, fields_of, hosts_for, read_fields
from adapter.errors import FatalError
from adapter.jobs import pages as home
from adapter.jobs.edit_widget import look_at_edit, publish_edit, shown_now
from adapter.schedule_files import JobName
from adapter.web.asking import Ask
from adapter.web.caller import caller
from adapter.web.guard import form
from adapter.web.pages import Pages

PageOf = Annotated[str, Query(max_length=300)]


def make_router(app: App, pages: Pages, ask: Ask) -> APIRouter:
    """The routes."""
    router = APIRouter()

    def merchant_with(practice: str, organization: str) -> Merchant:
        merchant = app.merchants[practice]
        if organization not in merchant.pages:
            raise HTTPException(404, "The configuration has no page of this Organization.")
        return merchant

    def given(request: Request) -> tuple[str, dict[str, str]]:
        sent = form(request)
        return sent.get("of", ""), {key: sent.get(key, "") for key in FIELDS}

    def show(
        request: Request,
        merchant: Merchant,
        organization: str,
        fields: dict[str, str],
        status: int = 200,
        *,
        template: str = "widget_edit.html",
        problem: str = "",
    ) -> Response:
        read = read_fields(merchant, organization, fields)
        faults = read if isinstance(read, list) else []
        seen: dict[str, Any] = {"previews": {}, "plan": None}
        if not isinstance(read, list):
            plan = look_at_edit(app.engine, merchant, organization, read)
            seen = {
                "previews": {code: [drawn(merchant, organization, read, code)] for code in ("en", "es")},
                "plan": home.changes(merchant, plan),
            }
        return pages.show(
            request,
            template,
            status,
            fields=fields,
            of=organization,
            page_name=merchant.name_of(organization),
            several=sorted(merchant.pages),
            names={one: merchant.name_of(one) for one in merchant.pages},
            vendors=merchant.vendors,
            hosts=hosts_for(merchant, organization, fields["vendor"]),
            faults=faults,
            problem=problem,
            title_length=TITLE_LENGTH,
            text_length=TEXT_LENGTH,
            nothing=NOTHING,
            **seen,
        )

    @router.get("/p/{practice}/widgets/edit")
    def edit(request: Request, practice: str, of: PageOf = "") -> Response:
        merchant = merchant_with(practice, of)
        return show(request, merchant, of, fields_of(shown_now(app.engine, merchant, of)))

    @router.post("/p/{practice}/widgets/edit/preview")
    def draw(request: Request, practice: str) -> Response:
        organization, fields = given(request)
        template = "widget_preview.html" if "hx-request" in request.headers else "widget_edit.html"
        return show(request, merchant_with(practice, organization), organization, fields, template=template)

    @router.post("/p/{practice}/widgets/edit")
    def make(request: Request, practice: str) -> Response:
        organization, fields = given(request)
        merchant = merchant_with(practice, organization)
        read = read_fields(merchant, organization, fields)
        if isinstance(read, list):
            return show(request, merchant, organization, fields, 422)
        try:
            made = publish_edit(
                app.engine,
                merchant,
                organization,
                read,
                now=app.clock(),
                actor=caller(request).actor,
                expected=form(request).get("hash", ""),
            )
        except FatalError as error:
            return show(request, merchant, organization, fields, 409, problem=str(error))
        ask(practice, JobName.DELIVER)
        return RedirectResponse(f"/p/{practice}/widgets?done={'published' if made else 'nothing'}", 303)

    return router
