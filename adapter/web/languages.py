"""English and Spanish: which of them somebody reads, and the words of the pages in it."""

from functools import lru_cache
from io import BytesIO
from pathlib import Path

from babel.core import negotiate_locale
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import NullTranslations, Translations
from fastapi import Request

from adapter.web.cookies import LANGUAGE

LANGUAGES = {"en": "English", "es": "Español"}
FOLDER = Path(__file__).with_name("translations")


def language_of(request: Request) -> str:
    """What they chose on a page, else what their browser prefers, else English."""
    chosen = request.cookies.get(LANGUAGE)
    if chosen in LANGUAGES:
        return chosen
    accepted = request.headers.get("accept-language", "")[:200].split(",")
    wanted = [part.split(";")[0].strip().replace("-", "_") for part in accepted]
    return negotiate_locale([part.split("_")[0].lower() for part in wanted], list(LANGUAGES)) or "en"


@lru_cache(maxsize=len(LANGUAGES))
def translations(language: str) -> NullTranslations:
    """The catalogue of a language, compiled as it is read: the project keeps no compiled file."""
    file = FOLDER / f"{language}.po"
    if not file.exists():  # English is what the pages are written in
        return NullTranslations()
    compiled = BytesIO()
    with file.open("rb") as text:
        write_mo(compiled, read_po(text, locale=language))
    compiled.seek(0)
    return Translations(compiled)


def say(sentence: str) -> str:
    """Marks a sentence that a page translates when it is shown."""
    return sentence
