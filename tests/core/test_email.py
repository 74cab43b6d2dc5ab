"""E-mail addresses: what is accepted, what is one mailbox, and the short cut against the library."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from adapter.core import email
from adapter.core.email import email_key, normalise
from adapter.core.facts import EmailProblem


@pytest.mark.parametrize(
    ("written", "usable"),
    [
        ("jane@family.example", "jane@family.example"),
        ("  Jane.Doe@Family.EXAMPLE\n", "Jane.Doe@family.example"),
        ("jane+portal@family.example", "jane+portal@family.example"),
        ("o'brien@family.example", "o'brien@family.example"),
        ("parent@clinic.test", "parent@clinic.test"),
        ("ana@correo.españa.example", "ana@correo.xn--espaa-rta.example"),
        ("ana@XN--espaa-rta.example", "ana@xn--espaa-rta.example"),
        ("pen\u0303a@family.example", "peña@family.example"),
    ],
)
def test_a_good_address_is_trimmed_and_its_domain_normalised(written: str, usable: str) -> None:
    assert normalise(written) == (usable, None)


@pytest.mark.parametrize("blank", ["", " ", "\t\r\n"])
def test_a_blank_address_is_missing(blank: str) -> None:
    assert normalise(blank) == ("", EmailProblem.MISSING)
    assert email_key(blank) == ""


@pytest.mark.parametrize(
    "bad",
    [
        "jane",
        "jane@",
        "@family.example",
        "jane@family",
        "jane@localhost",
        "jane@clinic.invalid",
        "jane@family..example",
        "jane..doe@family.example",
        ".jane@family.example",
        "jane@-family.example",
        "jane@family-.example",
        "jane@family.example.",
        "jane@[192.0.2.1]",
        "jane@192.0.2.1",
        "mailto:jane@family.example",
        "Jane Doe <jane@family.example>",
        '"jane doe"@family.example',
        "jane@family.example,john@family.example",
        "jane@family.example; john@family.example",
        "jane@family.example john@family.example",
        "jane@family.example\r\nBcc: x@family.example",
        "jane\x00@family.example",
        "jane\u202e@family.example",
        "jane@fam\u200bily.example\x7f",
        "jane\ud800@family.example",
        "jane@\ud800.example",
        "j" * 65 + "@family.example",
        "jane@" + "f" * 64 + ".example",
        "jane@" + ".".join(["family"] * 40) + ".example",
    ],
)
def test_a_bad_address_is_invalid(bad: str) -> None:
    assert normalise(bad) == ("", EmailProblem.INVALID)
    assert email_key(bad) == ""


def test_one_mailbox_has_one_key_however_it_is_written() -> None:
    spellings = ["jane.doe@family.example", "JANE.DOE@FAMILY.EXAMPLE", " Jane.Doe@family.Example "]
    assert {email_key(spelling) for spelling in spellings} == {"jane.doe@family.example"}
    assert email_key("PEN\u0303A@family.example") == email_key("peña@family.example")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("jane.doe@family.example", "janedoe@family.example"),
        ("jane+kids@family.example", "jane@family.example"),
        ("straße@family.example", "strasse@family.example"),
        ("\u017fmith@family.example", "smith@family.example"),
    ],
)
def test_addresses_that_may_be_different_mailboxes_stay_different(one: str, other: str) -> None:
    assert email_key(one)
    assert email_key(one) != email_key(other)


_LABELS = st.text("abzAZ09-", min_size=1, max_size=8) | st.sampled_from(
    ["test", "invalid", "local", "arpa", "onion", "xn--a", "f" * 63, "f" * 64]
)
_ADDRESSES = st.builds(
    lambda local, labels: f"{local}@{'.'.join(labels)}",
    st.text("aZ0_!#$%&'*+-/=?^`{|}~.@\"( é\u0303", max_size=10) | st.sampled_from(["j" * 64, "j" * 65]),
    st.lists(_LABELS, max_size=5),
)


@given(_ADDRESSES | st.text(max_size=20))
@example("a@b.c")
@example("a@b.co")
@example("jane@a.x--y.example")
@example("jane@ab--c.example")
@example("j@" + ".".join(["f" * 63] * 3 + ["f" * 58, "e"]))
@example("j@" + ".".join(["f" * 63] * 3 + ["f" * 57, "ee"]))
def test_the_short_cut_says_what_the_library_says(address: str) -> None:
    trimmed = address.strip(" \t\r\n")
    assert normalise(address) == (email._validated(trimmed) if trimmed else ("", EmailProblem.MISSING))


@given(_ADDRESSES | st.text(max_size=20))
def test_a_key_is_its_own_key(address: str) -> None:
    key = email_key(address)
    assert not key or email_key(key) == key
