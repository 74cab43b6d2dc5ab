"""A practice's own words: filled in, escaped, refused where they could do harm; and HTML that mail programs take."""

from html.parser import HTMLParser
from pathlib import Path

import pytest

from adapter.errors import ConfigError
from adapter.mail.render import Letterhead, Reader
from adapter.mail.texts import load_texts
from tests.edges.mail.letters import LINK, notice, part, received, welcome

OWN = """
[en]
subject = "Welcome to {{ practice }}"
heading = "Fast & <b>bold</b>"
intro = "Dear {{ name }}, we move to a new portal."
button = "Start"
closing = "{% if phone %}Call {{ phone }}.{% endif %}"
"""
VOID = {"meta", "br", "hr", "img"}


def practice(tmp_path: Path, source: str = OWN) -> Letterhead:
    (tmp_path / "texts.toml").write_text(source)
    texts = load_texts(tmp_path / "texts.toml")
    return Letterhead(name="Main Street", mail_from="no-reply@portal.example", phone="555 0100", texts=texts)


def test_own_words_stand_in_both_parts_and_the_link_stays(tmp_path: Path) -> None:
    message = received(welcome(practice=practice(tmp_path)))
    assert message["Subject"] == "Welcome to Main Street"
    for kind in ("plain", "html"):
        text = " ".join(part(message, kind).split())
        for words in (
            "Dear Ana María Rivera, we move to a new portal.",
            "Call 555 0100.",
            LINK,
            "ana.rivera@mail.example",
        ):
            assert words in text
        assert "has set up a patient portal account" not in text
    assert "Fast &amp; &lt;b&gt;bold&lt;/b&gt;" in part(message, "html")
    assert ">Start</a>" in part(message, "html")


def test_what_is_left_out_stays_as_it_is(tmp_path: Path) -> None:
    own = practice(tmp_path)
    spanish = received(welcome(Reader(email="a@b.example", language="es"), own))
    assert "Su cuenta del portal de Main Street está lista" in spanish["Subject"]
    assert "Welcome to" not in str(received(notice(practice=own))["Subject"])


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("intro = 'See {{ child }}'", "names child"),
        ("intro = '{{ practice.__class__ }}'", "may only hold"),
        ("intro = '{{ ().__class__.__bases__ }}'", "may only hold"),
        ("intro = '{% for x in name %}x{% endfor %}'", "may only hold"),
        ("intro = '{% include \"x\" %}'", "may only hold"),
        ("intro = '{{ name|upper }}'", "may only hold"),
        ("intro = '{{ name'", "cannot be understood"),
        ("intro = 'https://evil.example'", "holds a link"),
        ("intro = 'www.evil.example'", "holds a link"),
        ("button = 'A button that has much too much to say for one button'", "longer than 40"),
        ('subject = "a', "syntax"),
        ('subject = "a\\u200bb"', "cannot be seen"),
        ("intro = 7", "must be text"),
        ("footer = 'x'", "is not one of"),
    ],
)
def test_a_text_that_could_do_harm_is_refused_by_name(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "texts.toml").write_text(f"[en]\n{text}\n")
    with pytest.raises(ConfigError) as refused:
        load_texts(tmp_path / "texts.toml")
    assert says in str(refused.value) or says in refused.value.faults[0].key


def test_every_fault_is_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "texts.toml").write_text("[en]\nintro = 7\n[fr]\nintro = 'x'\n[es]\nsubject = '{{ x }}'\n")
    with pytest.raises(ConfigError) as refused:
        load_texts(tmp_path / "texts.toml")
    assert [fault.key for fault in refused.value.faults] == ["en.intro", "fr", "es.subject"]


class _Sane(HTMLParser):
    """Collects what mail programs refuse, and tags that are not closed."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.links: set[str] = set()
        self.problems: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.links |= {value or "" for name, value in attrs if name == "href"}
        self.problems += [name for name, _ in attrs if name.startswith("on") or name in ("src", "background")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.problems.append(f"</{tag}>")


@pytest.mark.parametrize("language", ["en", "es"])
def test_the_html_is_one_that_mail_programs_take(tmp_path: Path, language: str) -> None:
    for message in (
        welcome(Reader(email="a@b.example", name="Ana", language=language)),
        welcome(Reader(email="a@b.example", name="Ana", language=language), practice(tmp_path)),
        notice(Reader(email="a@b.example", language=language)),
    ):
        html = part(received(message), "html")
        page = _Sane()
        page.feed(html)
        assert (page.problems, page.open) == ([], [])
        assert not page.tags & {"script", "img", "form", "input", "iframe", "object", "svg", "link", "video"}
        assert page.links <= {LINK}
        assert len(html) < 90_000  # Gmail cuts at 102 kB
        assert max(len(line) for line in message.as_bytes().splitlines()) <= 998  # RFC 5322 §2.1.1
        assert f'<html lang="{language}">' in html and '<meta charset="utf-8">' in html
