"""The table of config.toml about one practice's mail: its pace, and what is done about mail of which nobody knows."""

from pydantic import Field

from adapter.settings.sections import Section


class PracticeMailSettings(Section):
    """How a practice's mail leaves."""

    per_minute: int = Field(default=0, ge=0)
    """Mails in a minute, at most; 0: as many as go."""
    resend_unknown_hours: int = Field(default=0, ge=0, le=24 * 30)
    """After so long a Welcome of which nobody knows is sent again, twice at most; 0: never."""
