"""E-mail addresses: what can be used, and when two of them are the same mailbox.

Syntax is judged by the email-validator library; plain ASCII addresses, nearly all of them, take a short cut that a
property test proves equal to it. Dots and ``+tags`` stay distinct: what a provider ignores is not ours to guess.
"""

import re
import unicodedata

from email_validator import SPECIAL_USE_DOMAIN_NAMES, EmailNotValidError, validate_email

from adapter.core.facts import EmailProblem

MAX_LENGTH = 254
"""RFC 5321 §4.5.3.1.3: a path of 256 octets less its angle brackets."""

_ATEXT = r"[A-Za-z0-9_!#$%&'*+\-/=?^`{|}~]"
_PLAIN = re.compile(rf"({_ATEXT}+(?:\.{_ATEXT}+)*)@([A-Za-z0-9]+(?:[.-][A-Za-z0-9]+)*\.([A-Za-z]+))\Z")
"""No label here starts or ends with a hyphen or has two in a row, so none is an IDNA label."""
_PLAIN_LOCAL, _PLAIN_DOMAIN = 64, 63
_RESERVED = frozenset(SPECIAL_USE_DOMAIN_NAMES) - {"test"}
_EDGE_SPACE = " \t\r\n"


def normalise(address: str) -> tuple[str, EmailProblem | None]:
    """The address to write to: trimmed, NFC, its domain lower case and in IDNA's ASCII form; the local part as written.

    Returns ``("", problem)`` for an address that cannot be used: ``missing`` when it is blank, else ``invalid`` (bad
    syntax, control characters, several addresses, a display name, a quoted local part, more than 254 characters).
    """
    trimmed = address.strip(_EDGE_SPACE)
    if not trimmed:
        return "", EmailProblem.MISSING
    plain = _PLAIN.match(trimmed)
    if plain is None:
        return _validated(trimmed)
    local, domain, top = plain.groups()
    if len(local) > _PLAIN_LOCAL or len(domain) > _PLAIN_DOMAIN or top.lower() in _RESERVED:
        return _validated(trimmed)
    return f"{local}@{domain.lower()}", None


def email_key(address: str) -> str:
    """The key under which two spellings are one mailbox, empty when the address cannot be used."""
    usable, problem = normalise(address)
    return key_of(usable) if problem is None else ""


def key_of(usable: str) -> str:
    """The key of an address that ``normalise`` has passed.

    The local part is lower-cased but not case-folded: folding would make one mailbox out of ``straße`` and ``strasse``.
    """
    return usable.lower() if usable.isascii() else unicodedata.normalize("NFC", usable.lower())


def _validated(trimmed: str) -> tuple[str, EmailProblem | None]:
    if len(trimmed) > MAX_LENGTH:
        return "", EmailProblem.INVALID
    try:
        found = validate_email(trimmed, check_deliverability=False, test_environment=True, strict=True)
    except (EmailNotValidError, ValueError):  # ValueError: UnicodeError from the IDNA tables on odd input
        return "", EmailProblem.INVALID
    usable = f"{found.local_part}@{found.ascii_domain}"
    if len(usable) > MAX_LENGTH:
        return "", EmailProblem.INVALID
    return usable, None
