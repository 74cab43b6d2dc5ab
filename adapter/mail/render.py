"""Making the mails: subject, plain text and HTML from the templates, in English and Spanish.

A mail names the practice and its reader, nobody else: no child, no birth date, no chart number ever comes in here.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from email import policy
from email.message import EmailMessage
from email.utils import format_datetime
from hashlib import sha256
from textwrap import fill
from typing import Any, Literal

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from adapter.core.welcome import link_life
from adapter.mail.address import mailbox, one_line, person_name, sender
from adapter.mail.texts import NO_TEXTS, Texts

WIDTH = 72
_GLUE = "\u00a0"  # keeps a phone number on one line while wrapping
Kind = Literal["welcome", "notice"]
LANGUAGES = ("en", "es")
_LIFE = {
    "en": {"hour": "hour", "hours": "hours", "days": "days"},
    "es": {"hour": "hora", "hours": "horas", "days": "días"},
}


@dataclass(frozen=True, kw_only=True)
class Letterhead:
    """The practice as its mails show it. ``phone`` may be empty; ``language`` is for readers whose own is unknown."""

    name: str
    mail_from: str
    phone: str = ""
    language: str = "en"
    texts: Texts | None = None


@dataclass(frozen=True, kw_only=True)
class Reader:
    """Whom a mail is for: the address it goes to, their own name, and their language (BCP-47, may be empty)."""

    email: str
    name: str = ""
    language: str = ""


def welcome_message(
    practice: Letterhead, reader: Reader, *, username: str, link: str, link_hours: int, message_id: str, now: datetime
) -> EmailMessage:
    """The Welcome email. ``link`` works for ``link_hours`` after ``now``.

    Raises DeliveryError (permanent) when the reader's address is not valid, FatalError when the practice's is not.
    """
    language = language_for(reader.language, practice.language)
    count, unit = link_life(link_hours)
    values = {"username": username, "link": link, "life": f"{count} {_LIFE[language][unit]}"}
    return _message("welcome", language, practice, reader, values, message_id, now)


def notice_message(practice: Letterhead, reader: Reader, *, message_id: str, now: datetime) -> EmailMessage:
    """Tells an old address that its account has moved to another one; which one is not for this reader to know."""
    return _message("notice", language_for(reader.language, practice.language), practice, reader, {}, message_id, now)


def language_for(preferred: str, otherwise: str) -> str:
    """The reader's language when there are templates for it, else the practice's, else English."""
    for tag in (preferred, otherwise):
        primary = tag.lower().replace("_", "-").partition("-")[0]
        if primary in LANGUAGES:
            return primary
    return LANGUAGES[0]


def _message(
    kind: Kind,
    language: str,
    practice: Letterhead,
    reader: Reader,
    values: Mapping[str, Any],
    message_id: str,
    now: datetime,
) -> EmailMessage:
    name = person_name(reader.name)
    practice_name = one_line(practice.name, 120)
    shown = {**values, "practice": practice_name, "phone": one_line(practice.phone, 40), "name": name}
    shown["own"] = practice.texts.fill_in(language, shown) if practice.texts and kind == "welcome" else NO_TEXTS
    message = EmailMessage(policy=policy.SMTP)
    message["From"] = sender(practice.mail_from, practice_name)
    message["To"] = mailbox(reader.email, name)
    message["Subject"] = one_line(_render(kind, language, "subject", shown), 150)
    message["Date"] = format_datetime(now)
    message["Message-ID"] = message_id
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no vacation answers, no loops
    message["X-Auto-Response-Suppress"] = "All"  # the same for Exchange
    text = _wrapped(_render(kind, language, "txt", {**shown, "phone": shown["phone"].replace(" ", _GLUE)}))
    html = _render(kind, language, "html", shown)
    message.set_content(text, cte=_encoding(text))
    message.add_alternative(html, subtype="html", cte=_encoding(html))
    message["Content-Language"] = language
    message.set_boundary(f"=_{sha256(message_id.encode()).hexdigest()[:32]}")  # the same mail again is the same bytes
    return message


def _encoding(text: str) -> Literal["7bit", "quoted-printable"]:
    """As it is where it can be: a link then stays whole even for whoever reads the raw message."""
    return "7bit" if text.isascii() else "quoted-printable"


def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("adapter.mail"),
        autoescape=select_autoescape(enabled_extensions=("html",), default=False),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


_TEMPLATES = _environment()


def _render(kind: Kind, language: str, part: str, values: Mapping[str, Any]) -> str:
    return _TEMPLATES.get_template(f"{kind}/{language}.{part}").render(values)


def _wrapped(text: str) -> str:
    """Plain text at 72 columns; a link stays on one line, however long. Indented lines are kept as they are."""
    paragraphs = text.strip("\n").split("\n\n")
    lines = (
        paragraph
        if paragraph.startswith("  ")
        else fill(
            " ".join(re.split(r"[ \n]+", paragraph.strip())), WIDTH, break_long_words=False, break_on_hyphens=False
        )
        for paragraph in paragraphs
    )
    return "\n\n".join(lines).replace(_GLUE, " ") + "\n"
