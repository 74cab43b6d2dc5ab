"""What the rules say in English, said again in the reader's language: a sentence is recognised by its fixed words.

Sentences are kept as they were said (in findings, runs and the audit trail), so they are recognised, not made anew.
"""

import calendar
import re
from collections.abc import Callable
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from babel.dates import format_date
from babel.messages.pofile import read_po

FOLDER = Path(__file__).with_name("translations") / "core"
LONGEST = 2_000
"""Characters of a text that is looked at; a longer one stays as it is."""
_DEEPEST = 4
_A_SENTENCE = 6
"""Fixed characters; with fewer it is a piece of a sentence, such as a state and since when."""
_AND = " and "
_PLACE = re.compile(r"{\d}")
_BETWEEN = re.compile(r"(?<=[.!?]) (?=[A-Z0-9\"])")
_MONTHS = calendar.month_name[1:]
_DATE = re.compile(rf"(\d{{1,2}}) ({'|'.join(_MONTHS)}) (\d{{4}})(?: at (\d\d:\d\d))?")


class _Sentence(NamedTuple):
    """One sentence: the fixed words around its places, the order of the places, and what it is in the language."""

    fixed: list[str]
    places: list[str]
    said: str


@lru_cache(maxsize=4)
def retelling(language: str) -> Callable[[str], str]:
    """What says a text again in this language; what is not recognised stays as it is."""
    file = FOLDER / f"{language}.po"
    if not file.exists():  # English is what everything is said in
        return lambda text: text
    teller = _Teller(file, language)
    return lru_cache(maxsize=4_096)(teller.tell)


class _Teller:
    def __init__(self, file: Path, language: str) -> None:
        with file.open("rb") as opened:
            catalog = read_po(opened, locale=language)
        known = {str(one.id): str(one.string) for one in catalog if one.id and one.string}
        self.language = language
        self.whole = {text: said for text, said in known.items() if not _PLACE.search(text)}
        made = [_Sentence(_PLACE.split(text), _PLACE.findall(text), said) for text, said in known.items()]
        # The one with the most fixed words first: it is the most particular.
        self.sentences = sorted(
            (one for one in made if one.places), key=lambda one: (-len("".join(one.fixed)), one.fixed)
        )

    def tell(self, text: str) -> str:
        return self._tell(text, 0) if len(text) <= LONGEST else text

    def _tell(self, text: str, depth: int) -> str:
        if not text.strip() or depth > _DEEPEST:
            return text
        parts = _BETWEEN.split(text)
        if text not in self.whole and len(parts) > 1:
            told = [self._known(part, depth) for part in parts]
            if None not in told:
                return " ".join(filter(None, told))
        known = self._known(text, depth)
        if known is not None:
            return known
        for size in range(len(parts) - 1, 0, -1):
            first = self._known(" ".join(parts[:size]), depth)
            if first is not None:
                return f"{first} {self._tell(' '.join(parts[size:]), depth + 1)}"
        return text

    def _known(self, text: str, depth: int) -> str | None:
        """A text that is one sentence, with or without its capital and its full stop; None for any other."""
        bare = text.rstrip(".")
        for form in dict.fromkeys((text, bare, f"{bare}.", _upper(text), f"{_upper(bare)}.", _lower(bare))):
            said = self._exactly(form, depth)
            if said is not None:
                said = said.rstrip(".") + ("." if text.endswith(".") else "")
                if form[:1] != text[:1]:
                    return _upper(said) if text[:1].isupper() else _lower(said)
                return _upper(said) if depth == 0 and text[:1].isupper() else said
        return None

    def _exactly(self, text: str, depth: int) -> str | None:
        if text in self.whole:
            return self.whole[text]
        if when := _DATE.fullmatch(text):
            return self._date(when)
        for sentence in self.sentences:
            if depth == 0 and sum(map(len, sentence.fixed)) < _A_SENTENCE:
                break  # a part of one only
            if depth and _AND in text and sum(map(len, sentence.fixed)) < 2 * _A_SENTENCE:
                both = f" {self.whole[_AND.strip()]} "
                return both.join(self._tell(one, depth + 1) for one in text.split(_AND))
            values = _values(text, sentence.fixed)
            if values is not None:
                told = {
                    place: self._tell(value, depth + 1) for place, value in zip(sentence.places, values, strict=True)
                }
                return _PLACE.sub(lambda place: told[place[0]], sentence.said)  # noqa: B023 - used at once
        return None

    def _date(self, when: re.Match[str]) -> str:
        day = date(int(when[3]), _MONTHS.index(when[2]) + 1, int(when[1]))
        shown = format_date(day, "long", locale=self.language)
        return f"{shown}, {when[4]}" if when[4] else shown


def _values(text: str, fixed: list[str]) -> list[str] | None:
    """What stands in the places of a sentence, each as short as can be; None when the text is another sentence.

    Looked for from left to right without going back, so that no text takes long.
    """
    if not text.startswith(fixed[0]) or not text.endswith(fixed[-1]):
        return None
    end = len(text) - len(fixed[-1])
    at, values = len(fixed[0]), []
    for words in fixed[1:-1]:
        found = text.find(words, at + 1, end)
        if found < 0:
            return None
        values.append(text[at:found])
        at = found + len(words)
    if at >= end:
        return None
    return [*values, text[at:end]]


def _upper(text: str) -> str:
    return text[:1].upper() + text[1:]


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]
