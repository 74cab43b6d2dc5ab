"""What can be asked of /fhir/<practice>: the two descriptions, read, and search by GET or POST."""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from fastapi import Request, Response
from fastapi.responses import JSONResponse

from adapter import __version__
from adapter.bootstrap import App
from adapter.core.fhir_face.capability import capability_statement, smart_configuration
from adapter.core.fhir_face.scopes import READ, SEARCH, TYPES
from adapter.core.fhir_face.search import BadSearch, Search, parse
from adapter.store import face
from adapter.store.engine import read
from adapter.web.fhir import bundles
from adapter.web.fhir.answers import Refused, check_format, one, told
from adapter.web.fhir.door import Visitor, admit
from adapter.web.fhir.resources import Maker
from adapter.web.fhir.token import PATH, public_base
from adapter.web.fhir.trail import ReadTrail

RELEASED = "2026-11-25"
"""When what the CapabilityStatement says last changed."""
_ID = re.compile(r"[A-Za-z0-9.-]{1,64}")
_ALLOW = {"Allow": "GET, HEAD"}

Params = list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Asked:
    """One request to one practice; ``form`` is the body of a POST search."""

    request: Request
    practice: str
    steps: tuple[str, ...]
    form: Params

    @property
    def params(self) -> Params:
        return [*self.request.query_params.multi_items(), *self.form]

    @property
    def strict(self) -> bool:
        prefers = self.request.headers.get("prefer", "").lower().replace(" ", "")
        return "handling=strict" in re.split("[,;]", prefers)


def answer(app: App, trail: ReadTrail, asked: Asked) -> Response:
    """The answer to one request. Raises Refused."""
    reading = asked.request.method in ("GET", "HEAD")
    base = f"{public_base(app, asked.request)}/fhir/{asked.practice}"
    token_url = f"{public_base(app, asked.request)}{PATH}"
    match asked.steps:
        case ("metadata",) if reading:
            check_format(asked.request, asked.params)
            return told(capability_statement(base, token_url, version=__version__, date=RELEASED))
        case (".well-known", "smart-configuration") if reading:
            return JSONResponse(smart_configuration(token_url))
    visitor = admit(app, asked.request, asked.practice)
    check_format(asked.request, asked.params)
    if any("\0" in value for _, value in asked.params):
        raise Refused(400, "invalid", "The search holds something that cannot be.")
    match asked.steps:
        case (kind, "_search") if kind in TYPES and asked.request.method == "POST":
            return _search(app, trail, visitor, asked, kind, base)
        case (kind,) if kind in TYPES and reading:
            return _search(app, trail, visitor, asked, kind, base)
        case (kind, id_) if kind in TYPES and reading and id_ != "_search":
            return _read(app, trail, visitor, asked, kind, id_)
    if not reading:
        raise Refused(405, "not-supported", "Nothing can be written here.", _ALLOW)
    raise Refused(404, "not-found", f"There is {', '.join(TYPES)} here: read by id, and search.")


def _read(app: App, trail: ReadTrail, visitor: Visitor, asked: Asked, kind: str, id_: str) -> Response:
    visitor.check(kind, READ)
    now = app.clock()
    maker = _maker(app, asked.practice, visitor, now)
    found: Any = None
    if _ID.fullmatch(id_):
        with read(app.engine) as connection:
            found = face.find(connection, face.SOURCES[kind], asked.practice, id_, now)
    if found is None:
        raise Refused(404, "not-found", f"There is no {kind} with this id.")
    trail.note(asked.practice, visitor.client_id, "read", kind, id_)
    return one(asked.request, maker.make(kind, found))


def _search(app: App, trail: ReadTrail, visitor: Visitor, asked: Asked, kind: str, base: str) -> Response:
    visitor.check(kind, SEARCH)
    now = app.clock()
    maker = _maker(app, asked.practice, visitor, now)
    try:
        search = parse(kind, asked.params, maker.ehr, strict=asked.strict)
        after = None
        if search.page:
            where = bundles.place(search.page, kind)
            search, after = parse(kind, where.search, maker.ehr, strict=False), where.after
            if not face.fits(face.SOURCES[kind], after):
                raise BadSearch("This is not a next link of this search.")
    except BadSearch as error:
        raise Refused(400, "invalid", str(error)) from None
    source = face.SOURCES[kind]
    with read(app.engine) as connection:
        if search.only_total:
            total = face.total(connection, source, asked.practice, search, now)
            found = face.Page([], None)
        else:
            found = face.page(connection, source, asked.practice, search, after, now)
    trail.note(asked.practice, visitor.client_id, "search", kind, _about(search))
    if search.only_total:
        return told(bundles.count_only(base, kind, search, total, now))
    return told(bundles.searchset(base, kind, search, [maker.make(kind, one) for one in found.views], found.after, now))


def _about(search: Search) -> str:
    """Whom a search names: the one chart or contact, else nobody."""
    refs = {value for name, values in search.words if name != "_id" for value in values if "/" in value}
    return refs.pop() if len(refs) == 1 else ""


def _maker(app: App, practice: str, visitor: Visitor, now: datetime) -> Maker:
    settings = next(one for one in app.settings.practice if one.id == practice)
    return Maker(settings, now, with_address=visitor.sees_addresses)
