"""The demo EHR's FHIR R4 REST interface (https://hl7.org/fhir/R4/http.html), as a FastAPI application."""

import hmac
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import urlencode

import orjson
from fastapi import FastAPI, Request, Response

from adapter.sandbox import answers
from adapter.sandbox.ehr_store import TYPES, Store, Unacceptable, Version
from adapter.sandbox.search import BadSearch, Cursor, Params, find, parse


@dataclass(frozen=True, kw_only=True)
class Ehr:
    """What the routes need. ``requests`` grows by one ``GET /fhir/Patient`` for each request."""

    store: Store
    base_url: str
    token: str | None
    revinclude: bool
    clock: Callable[[], datetime]
    requests: list[str] = field(default_factory=list)


def build_app(ehr: Ehr) -> FastAPI:
    """The application; every answer, an error too, is FHIR."""
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False)
    started = ehr.clock()

    @app.middleware("http")
    async def guard(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
        ehr.requests.append(f"{request.method} {request.url.path}")
        if request.url.path != "/fhir/metadata" and not _may(request, ehr.token):
            challenge = {"WWW-Authenticate": "Bearer"}
            return answers.outcome(401, "login", "A bearer token is needed.", headers=challenge)
        return await call_next(request)

    @app.exception_handler(404)
    @app.exception_handler(405)
    async def no_such_interaction(_: Request, error: Exception) -> Response:
        status = getattr(error, "status_code", 404)
        return answers.outcome(status, "not-supported", "This server does not do that: see /fhir/metadata.")

    @app.exception_handler(BadSearch)
    async def bad_search(_: Request, error: BadSearch) -> Response:
        return answers.outcome(400, error.code, str(error))

    @app.get("/fhir/metadata")
    async def metadata() -> Response:
        statement = answers.capability_statement(
            base_url=ehr.base_url, since=started, revinclude=ehr.revinclude, token=ehr.token is not None
        )
        return answers.fhir(statement)

    @app.get("/fhir/{kind}")
    async def search(kind: str, request: Request) -> Response:
        if kind not in TYPES:
            return _unknown_type()
        return answers.fhir(_search(ehr, kind, request.query_params.multi_items()))

    @app.get("/fhir/{kind}/{id}")
    async def read(kind: str, id: str) -> Response:
        versions = ehr.store.versions(f"{kind}/{id}")
        return _version(versions[-1]) if versions else _not_found()

    @app.get("/fhir/{kind}/{id}/_history")
    async def history(kind: str, id: str) -> Response:
        versions = ehr.store.versions(f"{kind}/{id}")
        return answers.fhir(answers.history(versions, base_url=ehr.base_url)) if versions else _not_found()

    @app.get("/fhir/{kind}/{id}/_history/{number}")
    async def vread(kind: str, id: str, number: str) -> Response:
        versions = ehr.store.versions(f"{kind}/{id}")
        return next((_version(version) for version in versions if str(version.number) == number), _not_found())

    @app.put("/fhir/{kind}/{id}")
    async def update(kind: str, id: str, request: Request) -> Response:
        return _update(ehr, kind, id, await request.body())

    @app.delete("/fhir/{kind}/{id}")
    async def delete(kind: str, id: str) -> Response:
        if not ehr.store.versions(f"{kind}/{id}"):
            return _not_found()
        ehr.store.delete(f"{kind}/{id}")
        return Response(status_code=204)

    return app


def _search(ehr: Ehr, kind: str, params: Params) -> bytes:
    here = f"{ehr.base_url}/{kind}"
    pages = [value for name, value in params if name == "_page"]
    if pages:
        if len(params) > 1:
            raise BadSearch("_page stands alone: it already carries the whole search")
        cursor = Cursor.decode(pages[0])
        query = parse(kind, cursor.params, base_url=ehr.base_url, revinclude=ehr.revinclude)
        page = find(ehr.store, query, after=cursor.after, total=cursor.total)
        params, links = cursor.params, {"self": f"{here}?_page={pages[0]}"}
    else:
        query = parse(kind, params, base_url=ehr.base_url, revinclude=ehr.revinclude)
        page = find(ehr.store, query)
        understood = [(name, value) for name, value in params if name not in ("_count", "_format")]
        links = {"self": f"{here}?{urlencode([*understood, ('_count', str(query.count))])}"}
    if page.next_after is not None:
        onward = Cursor(params=params, after=page.next_after, total=page.total)
        links["next"] = f"{here}?_page={onward.encode()}"
    return answers.searchset(page, base_url=ehr.base_url, links=links, at=ehr.clock())


def _update(ehr: Ehr, kind: str, id: str, body: bytes) -> Response:
    if kind not in TYPES:
        return _unknown_type()
    try:
        resource = orjson.loads(body)
    except orjson.JSONDecodeError:
        return answers.outcome(400, "structure", "The body is not JSON.")
    if not isinstance(resource, dict) or (resource.get("resourceType"), resource.get("id")) != (kind, id):
        return answers.outcome(400, "invalid", "resourceType and id of the body must be those of the address.")
    try:
        version = ehr.store.put(resource)
    except Unacceptable as error:
        return answers.outcome(400, "invalid", f"{error}.")
    location = f"{ehr.base_url}/{version.ref}/_history/{version.number}"
    return answers.resource(version, status=201 if version.number == 1 else 200, location=location)


def _version(version: Version) -> Response:
    if version.body is None:
        return answers.outcome(410, "deleted", "This resource was deleted.")
    return answers.resource(version)


def _not_found() -> Response:
    return answers.outcome(404, "not-found", "There is no such resource.")


def _unknown_type() -> Response:
    return answers.outcome(404, "not-supported", "This server has only: " + ", ".join(TYPES) + ".")


def _may(request: Request, token: str | None) -> bool:
    if token is None:
        return True
    return hmac.compare_digest(request.headers.get("authorization", "").encode(), f"Bearer {token}".encode())
