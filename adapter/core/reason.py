"""One coded cause: what it does to a grant, how soon a human should look, and the step that fixes it."""

from enum import StrEnum

import msgspec

from adapter.core.state import GrantState


class Severity(StrEnum):
    """How soon a human should look at a finding."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


class Reason(msgspec.Struct, frozen=True):
    """One coded cause.

    ``fresh`` is the state a grant starts in that has this reason (None: there is no grant), ``standing`` the state
    that an existing grant goes to. ``finding`` is the severity of the finding it raises, None when it is normal.
    """

    code: str
    summary: str
    """Completes "... because": the practice's words, no names."""
    remedy: str
    """What the practice does about it, in the words of the portal's FAQ; empty when nothing is wrong."""
    fresh: GrantState | None = None
    standing: GrantState = GrantState.ENDED
    finding: Severity | None = None
