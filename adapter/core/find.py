"""What people type to find a family, and the keys under which a family is found: pure."""

import re
import unicodedata
from collections.abc import Iterable, Sequence

import msgspec

SHORTEST = 2
"""Letters of the first word, before anything is looked up."""
MOST_WORDS = 5
_WORD = re.compile(r"[^\W_]+")
_NAMES = 3
_EMAIL, _MRN = "@", "#"
LAST = "\U0010ffff"
"""Greater than every letter: the end of a range of keys that begin alike."""


class Sought(msgspec.Struct, frozen=True):
    """One way to look: keys that begin so and hold the beginning of every one of these words further on."""

    begin: str
    words: tuple[str, ...] = ()


def read_sought(text: str) -> tuple[Sought, ...]:
    """What a name, an e-mail address or a number, or the beginning of one, looks for; nothing while it is too short.

    Of several words the longest, which finds least, leads; all are compared without case and accents.
    """
    text = text.strip()
    if "@" in text:
        return (Sought(_EMAIL + _fold(text.split()[0])),)
    words = sorted(_WORD.findall(_fold(text))[:MOST_WORDS], key=len, reverse=True)
    if not words or len(words[0]) < SHORTEST:
        return ()
    ways = [Sought(words[0], tuple(words[1:]))]
    if any(character.isdecimal() for character in text):
        ways.insert(0, Sought(_MRN + _plain(text)))
    if " " not in text:
        ways.append(Sought(_EMAIL + _fold(text)))
    return tuple(ways)


def find_keys(names: Sequence[str], email_keys: Iterable[str] = (), mrn: str = "") -> set[str]:
    """Under which somebody is found: each word of each name before its other words; e-mail addresses; the number."""
    keys = {_EMAIL + _fold(email) for email in email_keys if email}
    if mrn:
        keys.add(_MRN + _plain(mrn))
    for name in names[:_NAMES]:
        words = _WORD.findall(_fold(name))
        for number, word in enumerate(words[:MOST_WORDS]):
            keys.add(" ".join([word, *words[:number], *words[number + 1 : MOST_WORDS]]))
    return keys


def _fold(text: str) -> str:
    text = text.casefold()
    if text.isascii():
        return text
    return "".join(one for one in unicodedata.normalize("NFKD", text) if not unicodedata.combining(one))


def _plain(number: str) -> str:
    return "".join(_WORD.findall(_fold(number)))
