"""Why a Welcome email is worth a human's look: part of the table in ``core.reasons``."""

from adapter.core.reason import Reason, Severity

LINK_LOCKED = "welcome-link-locked"
"""Why the link of a Welcome email works no more although nobody used it."""

ABOUT_MAIL = (
    Reason(
        "welcome-bounced",
        "the address does not take mail",
        "Correct the e-mail address in Family Contacts; a new Welcome email then goes out by itself.",
        finding=Severity.ERROR,
    ),
    Reason(
        "welcome-unwanted",
        "its reader called it unwanted",
        "Ask the parent. If the address is somebody else's, correct it in Family Contacts; if it is theirs, send the "
        "Welcome email again with Register.",
        finding=Severity.ERROR,
    ),
    Reason(
        "email-typo",
        "the domain of the address looks mistyped",
        "Ask the parent, and correct the e-mail address in Family Contacts if it is wrong.",
        finding=Severity.WARNING,
    ),
    Reason(
        "email-role",
        "the address looks like that of an office, not of a person",
        "Ask for the parent's own e-mail address and enter it in Family Contacts.",
        finding=Severity.INFO,
    ),
    Reason(
        "email-disposable",
        "the address is of a kind that stops working soon",
        "Ask for a lasting e-mail address and enter it in Family Contacts.",
        finding=Severity.WARNING,
    ),
    Reason(
        "welcome-given-up",
        "the mail server did not take the Welcome email for a day",
        "Run `adapter check`. If mail is in order, correct the e-mail address in Family Contacts, or send the Welcome "
        "email again with Register.",
        finding=Severity.ERROR,
    ),
    Reason(
        "welcome-unknown",
        "nobody knows whether it left, since the mail server or the adapter stopped at that moment",
        "Ask the parent whether it arrived; if not, send it again with Register. The link inside stays the same.",
        finding=Severity.WARNING,
    ),
    Reason(
        LINK_LOCKED,
        "somebody opened the link in the Welcome email and gave a wrong answer five times, so it works no more",
        "Ask the parent. If it was them, check the birth date in the child's chart, then send the Welcome email again "
        "with Register. If not, correct the e-mail address in Family Contacts: somebody else reads it.",
        finding=Severity.WARNING,
    ),
)
