"""Addresses that look wrong, and those that only look odd."""

import pytest

from adapter.core.hygiene import address_doubt


@pytest.mark.parametrize(
    ("email", "code"),
    [
        ("ana@gmial.com", "email-typo"),
        ("ana@gmai.com", "email-typo"),
        ("ana@gmaill.com", "email-typo"),
        ("ana@hotmial.com", "email-typo"),
        ("ana@yaho.com", "email-typo"),
        ("ana@outlok.com", "email-typo"),
        ("info@gmial.com", "email-typo"),
        ("office@school.example", "email-role"),
        ("no-reply@school.example", "email-role"),
        ("ana@mailinator.com", "email-disposable"),
        ("ana@gmail.com", ""),
        ("ana@ymail.com", ""),
        ("ana@gmx.net", ""),
        ("ana@he.com", ""),
        ("ana@rivera.example", ""),
        ("officer@mail.example", ""),
    ],
)
def test_what_looks_wrong(email: str, code: str) -> None:
    assert address_doubt(email) == code
