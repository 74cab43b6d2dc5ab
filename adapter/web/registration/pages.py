"""The pages a parent sees: the question, the thanks, and one kind page for every link that does not work."""

import hashlib
import tomllib
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files

from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined

from adapter.core.redeem import SecondFact

_HERE = files("adapter.web.registration")
_STYLE = (_HERE / "templates" / "style.css").read_text(encoding="utf-8").strip()
_HASH = b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
HEADERS = {
    # Everything is on the page itself: no script, no picture, no font, nothing from elsewhere.
    "Content-Security-Policy": f"default-src 'none'; style-src 'sha256-{_HASH}'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'",
    "X-Robots-Tag": "noindex, nofollow, noarchive",
}
_TEMPLATES = Environment(
    loader=PackageLoader("adapter.web.registration"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
)
WORDS: Mapping[str, Mapping[str, str]] = {
    language: tomllib.loads((_HERE / "words" / f"{language}.toml").read_text(encoding="utf-8"))
    for language in ("en", "es")
}
_PARTS = {"en": ("month", "day", "year"), "es": ("day", "month", "year")}


@dataclass(frozen=True, kw_only=True)
class Pages:
    """The pages of one practice in one language. ``path`` is where their forms go, ``token`` the link's own."""

    practice: str
    phone: str
    language: str
    path: str
    token: str = ""

    def open(self, fact: SecondFact, *, problem: str = "", given: Mapping[str, str] | None = None) -> HTMLResponse:
        """The question. ``problem`` is what was wrong with the last answer, ``given`` what was typed."""
        typed = {part: (given or {}).get(part, "") for part in ("month", "day", "year")}
        parts = _PARTS[self.language]
        return self._page("open", 422 if problem else 200, fact=str(fact), problem=problem, given=typed, parts=parts)

    def unreadable(self, fact: SecondFact, given: Mapping[str, str]) -> HTMLResponse:
        """The answer is none; it costs no try."""
        return self.open(fact, problem=self._say(f"unreadable_{_name(fact)}"), given=given)

    def wrong(self, fact: SecondFact, left: int) -> HTMLResponse:
        """The answer is not right. What was typed is not shown again: it may be somebody's birth date."""
        more = self._say("left_one") if left == 1 else self._say("left_many").format(left=left)
        return self.open(fact, problem=f"{self._say(f'wrong_{_name(fact)}')} {more}")

    def done(self, username: str) -> HTMLResponse:
        return self._page("done", 200, username=username, languages=())

    def closed(self) -> HTMLResponse:
        """The same for every link that does not work, and for those that never did."""
        return self._page("closed", 410, token="")

    def busy(self) -> HTMLResponse:
        return self._page("busy", 503, text=self._say("busy_text"))

    def too_often(self) -> HTMLResponse:
        answer = self._page("busy", 429, text=self._say("often_text"))
        answer.headers["Retry-After"] = "60"
        return answer

    def _say(self, key: str) -> str:
        words = WORDS[self.language]
        practice = self.practice or words["somebody"]
        return words[key].replace("{practice}", practice).replace("{phone}", self.phone)

    def _page(self, name: str, status: int, **values: object) -> HTMLResponse:
        html = _TEMPLATES.get_template(f"{name}.html").render(
            {
                "say": self._say,
                "language": self.language,
                "languages": [(code, words["language"]) for code, words in WORDS.items() if code != self.language],
                "practice": self.practice,
                "phone": self.phone,
                "path": self.path,
                "token": self.token,
                "title": self._say(f"{name}_title"),
                "help": self._say("help_call" if self.phone else "help_ask"),
                "style": _STYLE,
                "problem": "",
                **values,
            }
        )
        return HTMLResponse(html, status, headers=HEADERS | {"Content-Language": self.language})


def language_of(wanted: str, accepted: str, otherwise: str) -> str:
    """The language asked for, else the first one of the browser's that there is, else the practice's."""
    for tag in (wanted, *(part.partition(";")[0] for part in accepted[:200].split(",")), otherwise):
        primary = tag.strip().lower().partition("-")[0]
        if primary in WORDS:
            return primary
    return "en"


def _name(fact: SecondFact) -> str:
    return fact.replace("-", "_")
