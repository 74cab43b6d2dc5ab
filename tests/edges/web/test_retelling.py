"""What the rules say, in Spanish: every reason and remedy has its words, and no text can make it slow or odd."""

import re
import time
from pathlib import Path

import pytest
from babel.messages.pofile import read_po

from adapter.core.reasons import REASONS
from adapter.web.retelling import FOLDER, LONGEST, retelling

IN_SPANISH = retelling("es")


@pytest.mark.parametrize("code", REASONS)
def test_every_reason_and_its_remedy_has_spanish_words(code: str) -> None:
    for text in filter(None, (REASONS[code].summary, REASONS[code].remedy)):
        assert IN_SPANISH(text) != text
    if REASONS[code].finding:
        assert IN_SPANISH(code.replace("-", " ")) != code.replace("-", " ")


def test_english_is_left_as_it_is() -> None:
    assert retelling("en")("The Authority is None.") == "The Authority is None."


@pytest.mark.parametrize(
    ("english", "spanish"),
    [
        (
            'rita suspended the account a@b.example on 4 May 2026 at 09:30: "An order. See the file".',
            "rita suspendió la cuenta a@b.example el 4 de mayo de 2026, 09:30: «An order. See the file».",
        ),
        (
            "Grace Okafor did not get the Welcome email because the Authority is None.",
            "Grace Okafor no recibió el correo de bienvenida porque la autoridad es None (ninguna).",
        ),
        ("The Authority is None. Look again in a minute.", "La autoridad es None. Mire otra vez en un minuto."),
        ("Somebody wrote this by hand.", "Somebody wrote this by hand."),
        ("", ""),
    ],
)
def test_sentences_are_recognised_with_what_changes_in_them(english: str, spanish: str) -> None:
    assert IN_SPANISH(english) == spanish


def test_a_name_that_reads_like_a_sentence_stays_what_it_is() -> None:
    told = IN_SPANISH("The <b>chart</b> on {1} did not get the Welcome email because the Authority is None.")
    assert told.startswith("The <b>chart</b>") and "{1}" in told


@pytest.mark.parametrize("piece", ["a on b: c. ", "is because on the of a ", "{1} {2} ", ". A", '"', "x: y (z). "])
def test_no_text_takes_long(piece: str) -> None:
    before = time.process_time()
    IN_SPANISH((piece * LONGEST)[:LONGEST])
    assert time.process_time() - before < 2


def test_every_translation_has_the_places_of_its_sentence() -> None:
    with Path(FOLDER / "es.po").open("rb") as file:
        for one in read_po(file, locale="es"):
            assert sorted(re.findall(r"{\d}", str(one.id))) == sorted(re.findall(r"{\d}", str(one.string))), one.id
