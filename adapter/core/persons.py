"""Are two names the same person? Tolerant of nicknames, order, accents and typing errors; cautious where it matters."""

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache

from nicknames import NickNamer
from rapidfuzz.distance import OSA

_WORD = re.compile(r"[^\W\d_]+")
_PLAIN_NAME = re.compile(r"[A-Za-z]{2,}(?: +[A-Za-z]{2,})*\Z")
_TITLES = frozenset({"mr", "mrs", "ms", "miss", "mx", "dr", "prof", "sr", "sra", "srta", "don", "dona", "master"})
_GENERATIONS = {"jr": "jr", "junior": "jr", "sr": "sr", "senior": "sr", "ii": "ii", "iii": "iii", "iv": "iv"}
_PLAIN = _TITLES | _GENERATIONS.keys()
_TYPO_LENGTH = 5
_GENDER_VOWELS = frozenset("aoe")
"""Maria and Mario differ by one letter and are two people."""


@lru_cache(maxsize=1)
def _namer() -> NickNamer:
    return NickNamer()


@lru_cache(maxsize=65536)
def name_words(name: str) -> tuple[frozenset[str], frozenset[str]]:
    """A display name as its words, folded, without titles and initials; and its generation suffixes."""
    folded = unicodedata.normalize("NFKD", name).casefold()
    words = _WORD.findall("".join(char for char in folded if not unicodedata.combining(char)))
    suffixes = frozenset(_GENERATIONS[word] for word in words[2:] if word in _GENERATIONS)
    named = [word for i, word in enumerate(words) if not (i >= 2 and word in _GENERATIONS)]
    plain = [word for word in named if word not in _TITLES]
    if len(plain) < 2:
        plain = named  # Mr Smith and Mrs Smith are two people
    full = [word for word in plain if len(word) > 1]
    return frozenset(full if len(full) > 1 else plain), suffixes


def name_key(names: Sequence[str]) -> str:
    """The first name in a form that is equal for the same words in any order, case or accent; empty for no name."""
    if not names:
        return ""
    name = names[0]
    if _PLAIN_NAME.match(name):  # the same as below, for the names that most people have
        words = set(name.lower().split())
        if _PLAIN.isdisjoint(words):
            return " ".join(sorted(words))
    return " ".join(sorted(name_words(name)[0]))


def same_name(a: str, b: str) -> bool:
    """Whether two display names can be one person's.

    Every word of the shorter name must be found in the longer one: the same, a nickname of it, or one typing error
    away. One word alone must be equal. Jr. and Sr. are two people, and so is one with and one without.
    """
    if a == b:
        return bool(a.strip())
    (words_a, suffix_a), (words_b, suffix_b) = name_words(a), name_words(b)
    if suffix_a != suffix_b or not words_a or not words_b:
        return False
    if words_a == words_b:
        return True
    short, long = sorted((words_a, words_b), key=lambda words: (len(words), sorted(words)))
    if len(short) < 2:
        return False
    rest = set(long)
    for word in sorted(short):
        match = min((other for other in rest if _same_word(word, other)), key=lambda o: (o != word, o), default=None)
        if match is None:
            return False
        rest.remove(match)
    return True


def same_person(names_a: Sequence[str], born_a: str, names_b: Sequence[str], born_b: str) -> bool:
    """Whether any of their names match and their birth dates, where both have one, do not disagree.

    Nobody without a name is ever the same person as somebody else.
    """
    if not births_agree(born_a, born_b):
        return False
    return any(same_name(a, b) for a in names_a for b in names_b)


def births_agree(a: str, b: str) -> bool:
    """Whether two FHIR birth dates can be the same day; a missing one disagrees with none, a partial one is a range."""
    return not a or not b or a.startswith(b) or b.startswith(a)


@lru_cache(maxsize=65536)
def _same_word(a: str, b: str) -> bool:
    if a == b:
        return True
    namer = _namer()
    nicknames_a, nicknames_b = namer.nicknames_of(a), namer.nicknames_of(b)
    canonicals_a, canonicals_b = namer.canonicals_of(a), namer.canonicals_of(b)
    if b in nicknames_a or a in nicknames_b or canonicals_a & canonicals_b:
        return True
    both_known = bool(nicknames_a or canonicals_a) and bool(nicknames_b or canonicals_b)
    if both_known or min(len(a), len(b)) < _TYPO_LENGTH or OSA.distance(a, b, score_cutoff=1) > 1:
        return False
    return (
        not (a[:-1] == b[:-1] and a[-1] in _GENDER_VOWELS and b[-1] in _GENDER_VOWELS) and a[:-1] != b and b[:-1] != a
    )
