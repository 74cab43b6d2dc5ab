"""What somebody is told who is not let through: a page for people, one line of JSON for programs."""

from fastapi import Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse

from adapter.web.api import problems
from adapter.web.languages import say
from adapter.web.pages import Pages


def wants_page(request: Request) -> bool:
    """Whether a person is looking: their browser asks for a page."""
    return "text/html" in request.headers.get("accept", "")


class Refusals:
    """Every answer that is no answer, each in one sentence."""

    def __init__(self, pages: Pages) -> None:
        self._pages = pages

    def told(self, request: Request, status: int, sentence: str, **headers: str) -> Response:
        """This sentence, as a page or as JSON; below /api as the problem that programs know."""
        if problems.is_api(request):
            return problems.told(status, sentence, headers)
        if "hx-request" in request.headers:
            return self._pages.show(request, "oops.html", status, sentence=sentence, headers=headers)
        if wants_page(request):
            return self._pages.show(request, "refused.html", status, sentence=sentence, headers=headers)
        return JSONResponse({"error": sentence}, status, headers=headers)

    def not_found(self, request: Request) -> Response:
        if wants_page(request):
            return self.told(request, 404, say("There is no such page."))
        return self.told(request, 404, "Not Found")

    def no_such_method(self, request: Request, allowed: list[str]) -> Response:
        return self.told(request, 405, say("Method Not Allowed"), Allow=", ".join(allowed))

    def who_are_you(self, request: Request) -> Response:
        if "hx-request" in request.headers:
            return Response(status_code=401, headers={"HX-Redirect": "/sign-in"})
        return self.told(request, 401, say("Sign in first."))

    def not_allowed(self, request: Request) -> Response:
        return self.told(request, 403, say("Your role does not allow this."))

    def foreign(self, request: Request) -> Response:
        return self.told(
            request, 403, "This did not come from a page of this service. Reload the page, then try again."
        )

    def too_large(self, request: Request) -> Response:
        return self.told(request, 413, say("That is more than a form may hold."))

    def unreadable(self, request: Request) -> Response:
        return self.told(request, 400, say("The form could not be read."))

    def busy(self, request: Request) -> Response:
        return self.told(request, 503, say("The database is busy. Try again in a moment."))

    def broken(self, request: Request) -> Response:
        """Without a template: whatever broke may have been one."""
        if problems.is_api(request):
            return problems.told(500, "Something went wrong here.")
        if wants_page(request):
            return PlainTextResponse("Something went wrong here.", 500)
        return JSONResponse({"error": "Something went wrong here."}, 500)
