"""The key that the links in Welcome emails are derived from: 32 random bytes in a file of the owner's alone."""

import os
import secrets
import stat
from pathlib import Path

from adapter.core.welcome import KEY_BYTES
from adapter.errors import ConfigError, Fault


def read_or_create_key(path: Path) -> bytes:
    """The key in ``path``; made (mode 0600) when there is none. Two processes that start at once get the same one.

    Raises ConfigError when the file has another size, is open to others, or cannot be read or written.
    """
    try:
        if not path.exists():
            _create(path)
        mode = path.stat().st_mode
        key = path.read_bytes()
    except OSError as error:
        raise _fault(path, f"cannot be used ({error.strerror}).", "Check the folder and its permissions.") from None
    if stat.S_IMODE(mode) & 0o077:
        raise _fault(path, "can be read by others.", "Run chmod 600 on it; replace it if somebody may have read it.")
    if len(key) != KEY_BYTES:
        raise _fault(
            path,
            f"has {len(key)} bytes instead of {KEY_BYTES}.",
            "Restore it from the backup, or delete it: a new one is made, and links already sent stop working.",
        )
    return key


def _create(path: Path) -> None:
    """Writes the whole file under another name, then links it into place: nobody ever sees half a key."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(secrets.token_bytes(KEY_BYTES))
            file.flush()
            os.fsync(file.fileno())
        path.hardlink_to(draft)
    except FileExistsError:
        pass  # Another process was first; its key counts.
    finally:
        draft.unlink()


def _fault(path: Path, problem: str, remedy: str) -> ConfigError:
    return ConfigError([Fault(file=str(path), key="link key", problem=problem, remedy=remedy)])
