"""The table of config.toml about mail that comes back: a mailbox of reports, or a mail service that calls."""

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, SecretStr, model_validator

from adapter.settings.sections import LOOPBACK
from adapter.settings.shared_secret import SharedSecret


class BounceSettings(SharedSecret):
    """``secret_*`` opens ``/bounces`` for a mail service that tells of bounces: docs/bounces.md."""

    maildir: Path | None = None
    imap_host: str | None = Field(default=None, min_length=1)
    imap_port: int = Field(default=993, ge=1, le=65535)
    imap_security: Literal["tls", "none"] = "tls"
    imap_username: str | None = None
    imap_password_env: str | None = None
    imap_password_file: Path | None = None
    imap_folder: str = Field(default="INBOX", pattern=r'^[^"\\\r\n]{1,200}$')

    @model_validator(mode="after")
    def _one_mailbox(self) -> Self:
        if self.maildir is not None and self.imap_host is not None:
            raise ValueError("needs either maildir or imap_host, not both")
        if self.imap_host is not None and self.imap_username is None:
            raise ValueError("imap_host needs imap_username")
        if self.imap_security == "none" and self.imap_host not in (None, *LOOPBACK):
            raise ValueError('imap_security = "none" is allowed on this machine only')
        return self

    @property
    def imap_password(self) -> SecretStr | None:
        return self.read_secret(env=self.imap_password_env, file=self.imap_password_file)
