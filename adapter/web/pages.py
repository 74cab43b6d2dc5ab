"""Pages for people: templates, always escaped, in their language, with the practice's clock."""

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_datetime, format_time
from babel.numbers import format_decimal
from fastapi import Request, Response
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from adapter.bootstrap import App
from adapter.core.staff import StaffRole
from adapter.web import wording
from adapter.web.caller import Caller
from adapter.web.cookies import is_https
from adapter.web.languages import LANGUAGES, language_of, translations
from adapter.web.retelling import retelling
from adapter.web.static import address_of

PEOPLE = frozenset({"accounts", "contacts", "charts"})
"""Pages that one comes to from Find."""
TEMPLATES = Path(__file__).with_name("templates")
CSP = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "font-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
"""Everything from this service and nothing inline: text that the EHR fills in can never run."""


class Pages:
    """Renders templates for one request at a time."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._zones = {practice.id: ZoneInfo(practice.time_zone) for practice in app.settings.practice}
        self._names = {practice.id: practice.name for practice in app.settings.practice}
        # "same-origin", not "no-referrer": with that a browser hides from us that a form is our own (Origin: null).
        self._headers = {"Content-Security-Policy": CSP, "Referrer-Policy": "same-origin"}
        if is_https(app.settings):
            self._headers["Strict-Transport-Security"] = "max-age=31536000"

    def show(
        self,
        request: Request,
        template: str,
        status: int = 200,
        *,
        headers: Mapping[str, str] | None = None,
        **more: Any,
    ) -> Response:
        """One page, or a part of one."""
        language = language_of(request)
        tell = retelling(language)
        if more.get("problem"):
            more["problem"] = tell(more["problem"])
        context = self._context(request, language) | more
        text = _environment(language).get_template(template).render(context)
        return HTMLResponse(
            text, status, headers={**self._headers, **(headers or {}), "Vary": "Accept-Language, Cookie"}
        )

    def _context(self, request: Request, language: str) -> dict[str, Any]:
        caller: Caller | None = getattr(request.state, "caller", None)
        practice = request.path_params.get("practice")
        if caller is None or practice not in caller.roles:
            practice = None
        words = translations(language).gettext
        zone = self._zones.get(practice or "", next(iter(self._zones.values())))
        return {
            "caller": caller,
            "practice": practice,
            "practice_names": self._names,
            "role": caller.roles[practice] if caller and practice else None,
            "may": lambda role: bool(caller and practice and caller.may(StaffRole(role), practice)),
            "role_words": self._role_words(language),
            "menu": self._menu(request, practice, language),
            "states": wording.states(words),
            "widget_pending": wording.widget_pending(words),
            "kinds": wording.kinds(words),
            "changes": wording.changes(words),
            "done": wording.done(words).get(request.query_params.get("done", ""), ""),
            "roles": wording.roles(words),
            "mrn": wording.mrn,
            "tell": retelling(language),
            "for_desk": lambda remedy: wording.for_desk(retelling(language)(remedy)),
            "age": lambda born: wording.age(born, self._app.clock().astimezone(zone).date()),
            "day": lambda at, form="EEEE, d MMMM": format_date(at, form, locale=language),
            "number": lambda count: format_decimal(count, locale="en_US" if language == "en" else "es_US"),
            "csrf": caller.csrf if caller else "",
            "language": language,
            "languages": LANGUAGES,
            "path": request.url.path,
            "now": self._app.clock(),
            "zone": zone,
            "moment": lambda at: moment(at, self._app.clock(), zone, language),
        }

    def _menu(self, request: Request, practice: str | None, language: str) -> list[dict[str, Any]]:
        """The pages of a practice, in their order, as far as somebody may see them."""
        caller: Caller | None = getattr(request.state, "caller", None)
        if caller is None or practice is None:
            return []
        here = request.url.path.removeprefix(f"/p/{practice}/").split("/")[0]
        return [
            {"path": path, "label": label, "current": here == path or (path == "find" and here in PEOPLE)}
            for path, label in wording.pages(translations(language).gettext)
        ]

    @staticmethod
    def _role_words(language: str) -> dict[StaffRole, str]:
        words = translations(language).gettext
        return {
            StaffRole.VIEWER: words("viewer"),
            StaffRole.RECONCILER: words("reconciler"),
            StaffRole.ADMIN: words("administrator"),
        }


def moment(at: datetime | str | None, now: datetime, zone: ZoneInfo, language: str) -> Markup:
    """A time on the practice's clock, as a ``time`` element; only the time of day when it is today's."""
    if at is None:
        return Markup("")
    if isinstance(at, str):
        try:
            at = datetime.fromisoformat(at)
        except ValueError:
            return Markup("{}").format(at)
    local = at.astimezone(zone)
    locale = "en_US" if language == "en" else "es_US"
    if local.date() == now.astimezone(zone).date():
        shown = format_time(local, "short", locale=locale)
    else:
        shown = format_datetime(local, "MMM d, y, h:mm a" if language == "en" else "d MMM y, h:mm a", locale=locale)
    full = format_datetime(local, "full", tzinfo=zone, locale=locale)
    stamp = at.astimezone(UTC).isoformat(timespec="seconds")
    return Markup('<time datetime="{}" title="{}">{}</time>').format(stamp, full, shown.replace("\u202f", "\u00a0"))


@lru_cache(maxsize=len(LANGUAGES))
def _environment(language: str) -> Environment:
    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=select_autoescape(default=True, default_for_string=True),
        undefined=StrictUndefined,
        extensions=["jinja2.ext.i18n"],
        trim_blocks=True,
        lstrip_blocks=True,
    )
    words = translations(language)
    made.install_gettext_callables(words.gettext, words.ngettext, newstyle=True)  # type: ignore[attr-defined]
    made.globals["static"] = address_of
    return made
