"""Writing the mails that are due, from what is true at that moment; or saying why one must not be sent any more."""

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
from adapter.errors import DeliveryError, FatalError
from adapter.mail.render import Letterhead, Reader, notice_message, welcome_message
from adapter.store import outgoing
from adapter.store.outbox import Claimed

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

    @property
    def letterhead(self) -> Letterhead:
        return Letterhead(name=self.name, mail_from=self.mail_from, phone=self.phone, language=self.language)


@dataclass(frozen=True, kw_only=True)
class Mail:
    """One mail under way: the claim, and whom it is about."""

    practice: PracticeMail
    kind: EffectKind
    claimed: Claimed
    account: str | None
    email: str
    reason: str


Written = EmailMessage | DeliveryError | FatalError | str
"""A message; or why there is none: the address or the configuration is wrong, or (a code) it is not wanted any more."""


def write_welcome(
    connection: sa.Connection, practice: PracticeMail, claimed: Claimed, *, key: bytes, now: datetime
) -> tuple[Mail, Written]:
    """The Welcome email, with its link already open: should nobody learn whether it left, its reader can use it."""
    row = outgoing.find_welcome(connection, claimed.subject)
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
    token = link_token(key, practice=practice.id, welcome_id=row.id)
    identity = message_id("welcome", row.id, practice.mail_from)
    try:
        message = welcome_message(
            practice.letterhead,
            Reader(email=row.email, name=row.name, language=row.language),
            username=row.account_email,
            link=registration_link(practice.registration_url, token),
            link_hours=practice.link_hours,
            message_id=identity,
            now=now,
        )
    except (DeliveryError, FatalError) as error:
        return mail, error
    expires = link_expiry(now, practice.link_hours)
    outgoing.open_link(connection, row.id, message_id=identity, token_hash=token_hash(token), expires_at=expires)
    return mail, message


def write_notice(
    connection: sa.Connection, practice: PracticeMail, claimed: Claimed, *, now: datetime
) -> tuple[Mail, Written]:
    """Tells the old address (``claimed.to``) that the account has moved."""
    row = outgoing.find_account(connection, claimed.subject)
    account = row.id if row else None
    mail = Mail(
        practice=practice,
        kind=EffectKind.NOTICE,
        claimed=claimed,
        account=account,
        email=email_key(claimed.to),
        reason="email-changed",
    )
    if row is None:
        return mail, GONE
    try:
        return mail, notice_message(
            practice.letterhead,
            Reader(email=claimed.to, name=row.name, language=row.language),
            message_id=message_id("notice", claimed.id, practice.mail_from),
            now=now,
        )
    except (DeliveryError, FatalError) as error:
        return mail, error
