"""The Welcome email's rules: its link, its Message-ID, how long the link lives, and whether it may still be sent."""

import hashlib
import hmac
import re
from base64 import urlsafe_b64encode
from datetime import datetime, timedelta
from enum import StrEnum
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import msgspec

from adapter.core.state import AccountStatus

LOOPBACK = ("127.0.0.1", "localhost", "::1")
KEY_BYTES = 32
_SAFE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,63}")


class WelcomeStop(StrEnum):
    """Why a Welcome email that was queued must not leave any more."""

    LINK_CLOSED = "welcome-link-closed"
    ADDRESS_CHANGED = "welcome-address-changed"
    ACCOUNT_SUSPENDED = "account-suspended"
    ACCOUNT_CLOSED = "account-closed"
    NO_ACTIVE_GRANT = "no-active-grant"


class Recipient(msgspec.Struct, frozen=True, kw_only=True):
    """What is true of a Welcome's account at this moment.

    ``address_current`` is False when the account has moved to another address since the Welcome was planned;
    ``link_closed_at`` is when its link was used or killed.
    """

    status: AccountStatus
    active_grants: int
    address_current: bool = True
    link_closed_at: datetime | None = None


def may_send(recipient: Recipient, now: datetime) -> WelcomeStop | None:
    """Decides again, just before sending, whether a Welcome may leave; None means yes.

    A Welcome may wait for days (held, or backing off), and the family may change meanwhile. The first reason that
    applies is returned; every doubt is a reason not to send.
    """
    if recipient.link_closed_at is not None and recipient.link_closed_at <= now:
        return WelcomeStop.LINK_CLOSED
    if recipient.status is AccountStatus.CLOSED:
        return WelcomeStop.ACCOUNT_CLOSED
    if recipient.status is AccountStatus.SUSPENDED:
        return WelcomeStop.ACCOUNT_SUSPENDED
    if not recipient.address_current:
        return WelcomeStop.ADDRESS_CHANGED
    if recipient.active_grants < 1:
        return WelcomeStop.NO_ACTIVE_GRANT
    return None


def link_token(key: bytes, *, practice: str, welcome_id: str) -> str:
    """The token in a Welcome's link: base64url of HMAC-SHA256 over the Welcome's identity (43 characters).

    It is derived, not drawn, so that sending the *same* Welcome again (after a dropped connection nobody knows
    the outcome of) carries the *same* link, although the store keeps only ``token_hash`` of it. Whoever reads the
    database therefore cannot make a link; that also takes ``key``, which lives in a file of its own. A new Welcome
    has a new id and so a new link. Raises ValueError when the key is shorter than 32 bytes.
    """
    if len(key) < KEY_BYTES:
        raise ValueError(f"the key must have at least {KEY_BYTES} bytes")
    digest = hmac.new(key, f"welcome|{practice}|{welcome_id}".encode(), hashlib.sha256).digest()
    return urlsafe_b64encode(digest).rstrip(b"=").decode()


def token_hash(token: str) -> str:
    """What the store keeps of a token, and finds it by: sha-256 in hex. (256 random bits need no salt.)"""
    return hashlib.sha256(token.encode()).hexdigest()


def registration_link(registration_url: str, token: str) -> str:
    """The practice's registration page with ``token`` added to its query; other parameters stay.

    Raises ValueError unless the page is https (http only on this machine): a link that sets a password must not
    travel in the clear.
    """
    parts = urlsplit(registration_url)
    secure = parts.scheme == "https" and parts.hostname
    if not secure and not (parts.scheme == "http" and parts.hostname in LOOPBACK):
        raise ValueError("the registration page must be an https:// address")
    query = [(name, value) for name, value in parse_qsl(parts.query, keep_blank_values=True) if name != "token"]
    return urlunsplit(parts._replace(query=urlencode([*query, ("token", token)])))


def link_expiry(sent_at: datetime, hours: int) -> datetime:
    """When the link stops working: its life counts from sending, not from planning."""
    return sent_at + timedelta(hours=hours)


def link_life(hours: int) -> tuple[int, str]:
    """The link's life as people say it: (24, "hours"), (2, "days"), (36, "hours"), (1, "hour")."""
    if hours > 24 and hours % 24 == 0:
        return hours // 24, "days"
    return hours, "hour" if hours == 1 else "hours"


def message_id(kind: str, identity: str, sender: str) -> str:
    """A Message-ID that stays the same when the same mail is sent again (RFC 5322 §3.6.4).

    ``kind`` is "welcome" or "notice", ``identity`` the id of the row behind the mail, ``sender`` the From address.
    """
    safe = identity if _SAFE_ID.fullmatch(identity) else hashlib.sha256(identity.encode()).hexdigest()[:32]
    domain = sender.rpartition("@")[2]
    return f"<{kind}.{safe}@{domain}>"
