"""E-mail addresses that are valid and still look wrong: a mistyped domain, an office's mailbox, one thrown away soon.

They become findings. An address is never corrected here: what looks like a typing error may be somebody's own domain.
"""

from rapidfuzz.distance import OSA

# Where most families have their mail. A domain one typing error away from one of these is asked about.
_FREQUENT = (
    *("gmail.com", "yahoo.com", "hotmail.com", "outlook.com", "icloud.com", "aol.com", "msn.com", "live.com"),
    *("comcast.net", "verizon.net", "att.net", "sbcglobal.net", "bellsouth.net", "cox.net", "charter.net", "me.com"),
    *("mac.com", "ymail.com", "protonmail.com", "proton.me", "gmx.com", "mail.com", "yahoo.es", "hotmail.es"),
)
_REAL = frozenset(_FREQUENT) | {
    "gmx.net",
    "gmx.de",
    "mail.ru",
    "email.com",
    "ymail.es",
    "mac.net",
    "live.co",
    "cos.net",
}
_SHORTEST = 7
"""Shorter domains have too many real neighbours: ``me.com`` is one error away from ``he.com``."""
_ROLES = frozenset(
    (
        *("abuse", "accounts", "admin", "billing", "clinic", "contact", "frontdesk", "help", "hello"),
        *("hr", "info", "inquiries", "mail", "marketing", "no-reply", "noreply", "office", "postmaster"),
        *("reception", "root", "sales", "school", "secretary", "security", "staff", "support", "team"),
        *("webmaster"),
    )
)
_DISPOSABLE = frozenset(
    (
        *("10minutemail.com", "33mail.com", "dispostable.com", "fakeinbox.com", "getnada.com"),
        *("guerrillamail.com", "guerrillamail.net", "maildrop.cc", "mailinator.com", "mailnesia.com"),
        *("mintemail.com", "mohmal.com", "moakt.com", "sharklasers.com", "spamgourmet.com"),
        *("temp-mail.org", "tempmail.com", "tempmailo.com", "throwawaymail.com", "trashmail.com"),
        *("yopmail.com"),
    )
)


def address_doubt(email_key: str) -> str:
    """The reason code of what looks wrong with an address (as ``email_key`` gives it); empty when nothing does."""
    local, _, domain = email_key.rpartition("@")
    if domain in _DISPOSABLE:
        return "email-disposable"
    if domain not in _REAL and len(domain) >= _SHORTEST and any(_one_slip(domain, known) for known in _FREQUENT):
        return "email-typo"
    return "email-role" if local in _ROLES else ""


def _one_slip(domain: str, known: str) -> bool:
    """One letter too many, missing, wrong, or two swapped (optimal string alignment)."""
    return len(known) >= _SHORTEST and OSA.distance(domain, known, score_cutoff=1) == 1
