"""What people type, and the keys under which a family is found."""

import pytest

from adapter.core.find import LAST, find_keys, read_sought


def found(text: str, *names: str, email: str = "", mrn: str = "") -> bool:
    """Whether this text finds somebody of these names, as the store compares them."""
    keys = find_keys(names, [email], mrn)
    return any(
        way.begin <= key < way.begin + LAST and all(f" {word}" in key for word in way.words)
        for way in read_sought(text)
        for key in keys
    )


@pytest.mark.parametrize("text", ["Imani", "osei", "IM", "imani osei", "Osei, Imani", "os im", "ose", " imani  "])
def test_any_beginning_of_any_name_finds(text: str) -> None:
    assert found(text, "Imani Osei")


@pytest.mark.parametrize("text", ["mani", "osi", "imani okafor", "imani imani"])
def test_other_letters_do_not(text: str) -> None:
    assert not found(text, "Imani Osei")


@pytest.mark.parametrize("text", ["José", "jose", "JOSÉ nuñez", "nunez"])
def test_accents_and_case_do_not_matter(text: str) -> None:
    assert found(text, "José Núñez")


@pytest.mark.parametrize("text", ["imani.osei@mail.example", "imani.osei@", "Imani.O", "imani.osei"])
def test_an_address_or_its_beginning_finds(text: str) -> None:
    assert found(text, "Somebody Else", email="imani.osei@mail.example")


@pytest.mark.parametrize("text", ["MRN-0042", "mrn0042", "mrn-00"])
def test_a_chart_number_finds(text: str) -> None:
    assert found(text, "Kofi Osei", mrn="MRN-0042")


def test_a_name_from_before_a_marriage_finds_too() -> None:
    assert found("castellano", "Dana Price", "Dana Castellano")


@pytest.mark.parametrize("text", ["", " ", "a", ".", "- -", "a b"])
def test_one_letter_finds_nobody(text: str) -> None:
    assert not read_sought(text)
