"""The mails that are due, from what is true at that moment; or why one must not be sent any more."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from adapter.core.email import email_key
from adapter.core.state import AccountStatus, EffectKind
from adapter.core.welcome import (
    Recipient,
    link_expiry,
    link_token,
    may_send,
    message_id,
    registration_link,
    token_hash,
)
from adapter.mail.render import Letterhead, Reader, notice_message, welcome_message
from adapter.mail.texts import Texts
from adapter.store import outgoing, suppressed
from adapter.store.outbox import Claimed
from adapter.store.outgoing import WelcomeRow

GONE = "account-gone"


@dataclass(frozen=True, kw_only=True)
class PracticeMail:
    """What a practice's mails need. ``link_hours`` is the life of the link in a Welcome email."""

    id: str
    name: str
    language: str
    zone: ZoneInfo
    mail_from: str
    phone: str
    registration_url: str
    link_hours: int
    per_minute: int = 0
    """Mails in a minute, at most; 0: as many as go."""
    per_domain: int = 0
    """Mails under way to one domain at the same time, at most; 0: as many as there are connections."""
    texts: Texts | None = None
    """The practice's own words."""
    resend_unknown_hours: int = 0
    """After so long a Welcome of which nobody knows is sent again; 0: never, a human decides."""

    @property
    def letterhead(self) -> Letterhead:
        return Letterhead(
            name=self.name, mail_from=self.mail_from, phone=self.phone, language=self.language, texts=self.texts
        )


@dataclass(frozen=True, kw_only=True)
class Mail:
    """One mail under way: the claim, and whom it is about."""

    practice: PracticeMail
    kind: EffectKind
    claimed: Claimed
    account: str | None
    email: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Letter:
    """A mail that may leave. ``link`` is empty for a notice."""

    mail: Mail
    reader: Reader
    message_id: str
    username: str = ""
    link: str = ""

    def write(self, now: datetime) -> EmailMessage:
        """The message. Raises DeliveryError or FatalError for an address that is none: the reader's, the practice's."""
        practice = self.mail.practice
        if not self.link:
            return notice_message(practice.letterhead, self.reader, message_id=self.message_id, now=now)
        return welcome_message(
            practice.letterhead,
            self.reader,
            username=self.username,
            link=self.link,
            link_hours=practice.link_hours,
            message_id=self.message_id,
            now=now,
        )


@dataclass(frozen=True, slots=True)
class Suppressed:
    """Mail to this address came back before; the reason code says why."""

    reason: str


Decided = tuple[Mail, Letter | Suppressed | str]
"""A mail, and the letter; or why there is none: the address takes no mail, or (a code) it is not wanted any more."""


def welcomes(
    connection: sa.Connection, practice: PracticeMail, claimed: Sequence[Claimed], *, key: bytes, now: datetime
) -> list[Decided]:
    """Welcome emails, decided again, their links already open: should nobody learn whether one left, it can be used."""
    rows = outgoing.find_welcomes(connection, [one.subject for one in claimed])
    shut = suppressed.among(connection, practice.id, [row.account_key for row in rows.values()])
    decided = [_welcome(practice, one, rows.get(one.subject), shut, key, now) for one in claimed]
    expires = link_expiry(now, practice.link_hours)
    links = [
        (mail.claimed.subject, letter.message_id, token_hash(_token(key, practice, mail.claimed.subject)), expires)
        for mail, letter in decided
        if isinstance(letter, Letter)
    ]
    outgoing.open_links(connection, links)
    return decided


def _welcome(
    practice: PracticeMail, claimed: Claimed, row: WelcomeRow | None, shut: Mapping[str, str], key: bytes, now: datetime
) -> Decided:
    if row is None:
        return Mail(
            practice=practice, kind=EffectKind.WELCOME, claimed=claimed, account=None, email="", reason=""
        ), GONE
    mail = Mail(
        practice=practice,
        kind=EffectKind.WELCOME,
        claimed=claimed,
        account=row.account_id,
        email=row.account_key,
        reason=row.reason,
    )
    recipient = Recipient(
        status=AccountStatus(row.status),
        active_grants=row.active_grants,
        address_current=email_key(row.email) in ("", row.account_key),
        link_closed_at=row.link_closed_at,
    )
    stop = may_send(recipient, now)
    if stop is not None:
        return mail, str(stop)
    if row.account_key in shut:
        return mail, Suppressed(shut[row.account_key])
    return mail, Letter(
        mail=mail,
        reader=Reader(email=row.email, name=row.name, language=row.language),
        message_id=message_id("welcome", row.id, practice.mail_from),
        username=row.account_email,
        link=registration_link(practice.registration_url, _token(key, practice, row.id)),
    )


def _token(key: bytes, practice: PracticeMail, welcome_id: str) -> str:
    return link_token(key, practice=practice.id, welcome_id=welcome_id)


def notices(connection: sa.Connection, practice: PracticeMail, claimed: Sequence[Claimed]) -> list[Decided]:
    """Notices to old addresses (``claimed.to``) that the account has moved."""
    people, _ = outgoing.accounts(connection, [one.subject for one in claimed])
    known = {one.id: one for one in people}
    decided: list[Decided] = []
    for one in claimed:
        row = known.get(one.subject)
        mail = Mail(
            practice=practice,
            kind=EffectKind.NOTICE,
            claimed=one,
            account=row.id if row else None,
            email=email_key(one.to),
            reason="email-changed",
        )
        if row is None:
            decided.append((mail, GONE))
            continue
        reader = Reader(email=one.to, name=row.name, language=row.language)
        identity = message_id("notice", one.id, practice.mail_from)
        decided.append((mail, Letter(mail=mail, reader=reader, message_id=identity)))
    return decided
