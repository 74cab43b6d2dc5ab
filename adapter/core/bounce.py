"""What comes back of a mail: the address does not take it, not now, or its reader calls it unwanted."""

from enum import StrEnum

import msgspec


class BounceKind(StrEnum):
    """``soft`` changes nothing: whoever sent it tries again, or says ``hard`` in the end."""

    HARD = "hard"
    SOFT = "soft"
    COMPLAINT = "complaint"


class Bounce(msgspec.Struct, frozen=True, kw_only=True):
    """One report about one address. ``message_id`` is the mail's own, empty when the report does not say it.

    ``status`` is the enhanced status code (RFC 3463), such as ``5.1.1``; nothing else of the report's words is kept.
    """

    kind: BounceKind
    email_key: str
    message_id: str = ""
    status: str = ""


WHY = {BounceKind.HARD: "welcome-bounced", BounceKind.COMPLAINT: "welcome-unwanted"}
"""The reason code of what suppresses an address."""
