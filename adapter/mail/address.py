"""Who a mail is from and to: exactly one valid address each, and names that are safe to show."""

import re
import unicodedata
from email.headerregistry import Address
from email.message import EmailMessage

from adapter.core.email import normalise
from adapter.errors import DeliveryError, FatalError

NAME_LENGTH = 80
_JOINERS = "\u200c\u200d"  # letters of several scripts need them to join
_MARKS = " '’‘ʼ.,()-‐·"
_LIKE_A_SITE = re.compile(r"[^\W\d_]{2,}\.[^\W\d_]{2,}")


def mailbox(address: str, name: str = "") -> Address:
    """A From or To header of one address, with a name where there is a safe one.

    Raises DeliveryError (permanent) when the address is not exactly one valid e-mail address.
    """
    usable, problem = normalise(address)
    if problem is not None:
        raise DeliveryError("The address is not a valid e-mail address. Correct it in Family Contacts.", permanent=True)
    local, _, domain = usable.rpartition("@")
    return Address(display_name=one_line(name), username=local, domain=domain)


def sender(address: str, name: str) -> Address:
    """The From header. Raises FatalError when the practice's own address is wrong: no mail of it can leave."""
    try:
        return mailbox(address, name)
    except DeliveryError:
        raise FatalError("The practice's mail_from in config.toml is not a valid e-mail address.") from None


def one_line(text: str, length: int = NAME_LENGTH) -> str:
    """Text for a header or a sentence: NFC, no control or invisible characters, single spaces, bounded.

    ``=?`` is broken up: it begins an encoded word (RFC 2047), which may decode to a line break.
    """
    kept = (
        " " if char.isspace() else char
        for char in unicodedata.normalize("NFC", text)
        if char.isspace() or char in _JOINERS or not unicodedata.category(char).startswith("C")
    )
    return " ".join("".join(kept).replace("=?", "= ?").split())[:length].rstrip()


def person_name(name: str) -> str:
    """A person's name fit for a greeting; empty when it holds anything that is not part of a name.

    A chart is typed by hand. Mail programs turn ``evil.example`` in a name into a link, so such a name is left out.
    """
    clean = one_line(name)
    fits = all(
        char.isalnum() or unicodedata.category(char).startswith("M") or char in _MARKS + _JOINERS for char in clean
    )
    return clean if fits and any(char.isalpha() for char in clean) and not _LIKE_A_SITE.search(clean) else ""


def sender_of(message: EmailMessage) -> str:
    """The one address in From."""
    return _only(message, "From")


def recipient_of(message: EmailMessage) -> str:
    """The one address in To. Raises DeliveryError (permanent) when there are more, or a Cc or Bcc."""
    if message["Cc"] is not None or message["Bcc"] is not None:
        raise DeliveryError("A mail goes to exactly one recipient.", permanent=True)
    return _only(message, "To")


def _only(message: EmailMessage, header: str) -> str:
    fields = message.get_all(header, [])
    addresses = [address for field in fields for address in field.addresses]
    if len(fields) != 1 or len(addresses) != 1:
        raise DeliveryError(f"A mail has exactly one address in {header}.", permanent=True)
    return str(addresses[0].addr_spec)
