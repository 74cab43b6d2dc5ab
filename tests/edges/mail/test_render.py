"""What a mail says, in both languages, and what no mail ever says."""

import re
from html.parser import HTMLParser

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from adapter.errors import DeliveryError, FatalError
from adapter.mail.render import Letterhead, Reader, language_for
from tests.edges.mail.letters import ANA, LINK, PRACTICE, notice, part, received, welcome

HOSTILE_NAMES = st.one_of(
    st.text(max_size=120),
    st.from_regex(r"[A-Za-z ]{0,20}[\r\n]+(Bcc|To|Cc|Subject): [a-z]{1,8}@evil\.example[\r\n]*", fullmatch=True),
    st.sampled_from(
        [
            '"Ana" <x@evil.example>, y',
            "=?utf-8?q?Ana=0ABcc:x@evil.example?=",
            "Ana\u2028Bcc: x@evil.example",
            "Ana\x00\x0b\x0cRivera",
            "{{ 7*7 }}",
            "<script>alert(1)</script>",
            "Ana, Luis; Eva",
            '()<>[]:;@\\,."',
        ]
    ),
)
HOSTILE_ADDRESSES = st.one_of(
    st.emails(),
    st.text(max_size=60),
    st.from_regex(r"[a-z]{1,9}@[a-z]{1,9}\.example[ ,;\r\n]+[a-z]{1,9}@evil\.example", fullmatch=True),
    st.from_regex(r"[a-z.+'*/=?^_`{|}~!#$%&-]{1,20}@(bücher|[a-z]{1,9})\.example", fullmatch=True),
    st.sampled_from(
        [
            "a@b.example\r\nBcc: x@evil.example",
            "Ana <a@b.example>",
            '"a b"@c.example',
            '"a@b"@c.example',
            "a@[127.0.0.1]",
            "a@b.example,c@d.example",
            "jörg@bücher.example",
            "a(comment)@b.example",
            "a@b.example\n",
            "a\u0000@b.example",
        ]
    ),
)
HEADERS = {
    "From",
    "To",
    "Subject",
    "Date",
    "Message-ID",
    "Auto-Submitted",
    "X-Auto-Response-Suppress",
    "MIME-Version",
    "Content-Type",
    "Content-Language",
}


@given(name=HOSTILE_NAMES, address=HOSTILE_ADDRESSES, practice=HOSTILE_NAMES)
@settings(max_examples=1500, deadline=None)
@example(name="x", address="o'neil+a/b@mail.example", practice="P")
@example(name="x" * 400, address="a" * 64 + "@" + "b" * 60 + ".example", practice="y" * 400)
def test_no_name_and_no_address_can_add_a_header_or_a_recipient(name: str, address: str, practice: str) -> None:
    letterhead = Letterhead(name=practice, mail_from="no-reply@portal.example")
    try:
        message = received(welcome(Reader(email=address, name=name), letterhead, username="ana@mail.example"))
    except DeliveryError as error:
        assert error.permanent
        assert address not in str(error) or not address.strip() or len(address) < 4
        return
    assert {str(header) for header in message} == HEADERS
    assert len(message.keys()) == len(HEADERS)
    to, sender = message["To"].addresses, message["From"].addresses
    assert len(to) == len(sender) == 1
    assert sender[0].addr_spec == "no-reply@portal.example"
    assert to[0].username == address.strip().rpartition("@")[0]
    assert not message.defects


def test_the_welcome_email_says_everything_the_parent_needs() -> None:
    message = received(welcome())
    assert message["Subject"] == "Your Main Street Pediatrics portal account is ready"
    assert str(message["From"]) == "Main Street Pediatrics <no-reply@portal.example>"
    assert str(message["To"]) == "Ana María Rivera <ana.rivera@mail.example>"
    for text in (part(message, "plain"), part(message, "html")):
        for needed in (
            "Ana María Rivera",
            "ana.rivera@mail.example",
            LINK,
            "2 days",
            "Main Street Pediatrics",
            "(555) 010-0100",
        ):
            assert needed in text


def test_the_welcome_email_in_spanish() -> None:
    message = received(welcome(Reader(email="ana@mail.example", name="Ana", language="es-MX"), link_hours=24))
    assert message["Subject"] == "Su cuenta del portal de Main Street Pediatrics está lista"
    assert message["Content-Language"] == "es"
    for text in (part(message, "plain"), part(message, "html")):
        for needed in ("Hola, Ana:", "ana@mail.example", LINK, "24 horas", "(555) 010-0100", "Siga el enlace"):
            assert needed in text


@pytest.mark.parametrize("language", ["en", "es"])
def test_the_welcome_email_promises_no_password_since_not_every_page_asks_for_one(language: str) -> None:
    message = received(welcome(Reader(email="ana@mail.example", name="Ana", language=language)))
    for text in (part(message, "plain"), part(message, "html")):
        assert "password" not in text.lower() and "contraseña" not in text.lower()


def test_the_notice_tells_the_old_address_that_the_account_moved_but_not_where() -> None:
    for language, needed in (("en", "has been changed"), ("es", "ha cambiado")):
        message = received(notice(Reader(email="old@mail.example", name="Ana", language=language)))
        for text in (part(message, "plain"), part(message, "html")):
            assert needed in text
            assert "(555) 010-0100" in text
            assert "mail.example" not in text
            assert "http" not in text


def test_without_a_phone_number_the_mail_still_says_whom_to_ask() -> None:
    quiet = Letterhead(name="Main Street Pediatrics", mail_from="no-reply@portal.example")
    for message in (welcome(practice=quiet), notice(practice=quiet)):
        text = part(received(message), "plain")
        assert "get in touch with Main Street Pediatrics" in text
        assert " at ." not in text


@pytest.mark.parametrize(
    ("reader", "practice", "language"),
    [
        ("es", "en", "es"),
        ("es_US", "en", "es"),
        ("en-GB", "es", "en"),
        ("", "es", "es"),
        ("vi", "es", "es"),
        ("vi", "fr", "en"),
    ],
)
def test_the_readers_language_comes_first_then_the_practices(reader: str, practice: str, language: str) -> None:
    assert language_for(reader, practice) == language


def test_a_mail_asks_machines_not_to_answer_and_carries_its_own_date_and_id() -> None:
    message = received(welcome())
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["X-Auto-Response-Suppress"] == "All"
    assert message["Date"] == "Mon, 02 Mar 2026 09:00:00 +0000"
    assert message["Message-ID"] == "<welcome.1@portal.example>"


def test_the_same_mail_again_is_the_same_to_the_byte() -> None:
    assert welcome().as_bytes() == welcome().as_bytes()


@pytest.mark.parametrize("language", ["en", "es"])
def test_the_plain_text_is_72_columns_wide_and_keeps_the_link_whole(language: str) -> None:
    for message in (
        welcome(Reader(email=ANA.email, language=language)),
        notice(Reader(email=ANA.email, language=language)),
    ):
        lines = part(received(message), "plain").splitlines()
        assert all(len(line) <= 72 for line in lines if "http" not in line)
        assert [line for line in lines if "http" in line] in ([f"  {LINK}"], [])


@pytest.mark.parametrize(
    "name", ["evil.example", "http://evil.example", "Ana <b>", "Ana@evil.example", "{{ x }}", "\x00", "123"]
)
def test_a_name_that_is_not_a_name_is_left_out(name: str) -> None:
    message = received(welcome(Reader(email=ANA.email, name=name)))
    assert str(message["To"]) == ANA.email
    assert part(message, "plain").startswith("Hello,\n")


@pytest.mark.parametrize(
    "name", ["J. R. O’Neil-Smith", "Nguyễn Thị Mai", "محمد علی", "Ana (Anita) Rivera, Jr.", "李小龍"]
)
def test_names_of_all_kinds_are_kept(name: str) -> None:
    assert part(received(welcome(Reader(email=ANA.email, name=name))), "plain").startswith(f"Hello {name},")


def test_markup_in_the_practices_name_stays_text() -> None:
    html = part(received(welcome(practice=Letterhead(name="A <b>& B</b>", mail_from="a@b.example"))), "html")
    assert "A &lt;b&gt;&amp; B&lt;/b&gt;" in html
    assert "<b>" not in html


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.hrefs: list[str] = []
        self.loads: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.hrefs += [value for value in (found.get("href"),) if value]
        self.loads += [value for value in (found.get("src"), found.get("background")) if value]


def test_the_html_links_only_to_the_registration_page_and_loads_nothing() -> None:
    html = part(received(welcome()), "html")
    links = _Links()
    links.feed(html)
    assert set(links.hrefs) == {LINK}
    assert links.loads == []
    assert not re.search(r"url\(|@import|<script|<form|<img", html)
    assert re.search(r'<html lang="en">', html)


def test_a_wrong_mail_from_is_the_practices_to_correct_not_the_readers() -> None:
    with pytest.raises(FatalError, match="mail_from"):
        welcome(practice=Letterhead(name="P", mail_from="not an address"))


def test_only_the_reader_and_the_practice_are_named() -> None:
    """The templates can show nothing else: any other value would be an error."""
    message = received(welcome())
    text = part(message, "plain")
    for value in (PRACTICE.name, PRACTICE.phone, ANA.name, ANA.email, LINK, "2 days"):
        text = text.replace(value, "").replace(value.replace(" ", "\n"), "")
    assert not re.search(r"\d", text)
    assert "child" not in text.lower()
