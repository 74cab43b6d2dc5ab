"""Mail as .eml files in a folder: for trying the adapter out, and for systems that pick mail up from there."""

import hashlib
import os
import re
import secrets
from contextlib import suppress
from email import policy
from email.message import EmailMessage
from pathlib import Path

from adapter.errors import FatalError
from adapter.mail import Handed, Sign, unsigned
from adapter.mail.address import sender_of

_UNSAFE = re.compile(r"[^A-Za-z0-9@._-]")


class FolderMailer:
    """Writes each message as one file, named after its Message-ID: the same message twice is one file."""

    at_once = 4

    def __init__(self, folder: Path, *, sign: Sign | None = None) -> None:
        self.folder = folder
        self._sign = sign or unsigned

    def send(self, message: EmailMessage) -> Handed:
        """Writes the file whole or not at all. Raises FatalError when the folder cannot be written."""
        content = self._sign(message.as_bytes(policy=policy.SMTPUTF8), sender_of(message))
        draft = self.folder / f".{secrets.token_hex(8)}.tmp"
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(self.folder / file_name(message["Message-ID"]))
        except OSError as error:
            with suppress(OSError):
                draft.unlink()
            raise self._unusable(error) from None
        return Handed.SENT

    def check(self) -> str:
        """Raises FatalError when files cannot be made in the folder."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise self._unusable(error) from None
        if not os.access(self.folder, os.W_OK | os.X_OK):
            raise self._unusable(PermissionError(13, "Permission denied"))
        return f"Mail is written to the folder {self.folder} and goes nowhere else."

    def close(self) -> None:
        """Nothing to let go of."""

    def _unusable(self, error: OSError) -> FatalError:
        return FatalError(
            f"The mail folder {self.folder} cannot be written ({error.strerror}). Check mail.path in config.toml."
        )


def file_name(message_id: str) -> str:
    """The file a message of this Message-ID is written to."""
    bare = message_id.strip().strip("<>")
    safe = _UNSAFE.sub("_", bare)
    if safe != bare or len(safe) > 120 or safe.startswith("."):
        safe = f"{safe[:60].lstrip('.')}-{hashlib.sha256(bare.encode()).hexdigest()[:16]}"
    return f"{safe}.eml"
