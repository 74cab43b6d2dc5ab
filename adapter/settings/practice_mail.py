"""The table of config.toml about one practice's mail: its pace, and what is done about mail of which nobody knows."""

from pathlib import Path

from pydantic import Field

from adapter.settings.sections import Section


class DkimSettings(Section):
    """The key that signs the practice's mail; left out where the mail server signs it."""

    selector: str = Field(pattern=r"^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$")
    private_key_file: Path
    domain: str | None = Field(default=None, min_length=3, max_length=253)
    """The domain of ``mail_from`` when left out."""


class PracticeMailSettings(Section):
    """How a practice's mail leaves."""

    per_minute: int = Field(default=0, ge=0)
    """Mails in a minute, at most; 0: as many as go."""
    resend_unknown_hours: int = Field(default=0, ge=0, le=24 * 30)
    """After so long a Welcome of which nobody knows is sent again, twice at most; 0: never."""
    texts: Path | None = None
    """The practice's own words in its Welcome emails: docs/custom-texts.md."""
    dkim: DkimSettings | None = None
