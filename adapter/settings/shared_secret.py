"""A secret that two systems share: from the environment, or from a file that is made on first use."""

import os
import re
import secrets
from contextlib import suppress
from pathlib import Path
from typing import Self

from pydantic import SecretStr, model_validator

from adapter.errors import ConfigError, Fault
from adapter.settings.sections import SecretSection

_STRONG = re.compile(r"[A-Za-z0-9._~+/=-]{24,200}")


class SharedSecret(SecretSection):
    """A table that names such a secret, once at most."""

    secret_env: str | None = None
    secret_file: Path | None = None
    """Made on first use when it does not exist."""

    @model_validator(mode="after")
    def _at_most_one_secret(self) -> Self:
        if self.secret_env is not None and self.secret_file is not None:
            raise ValueError("needs either secret_env or secret_file, not both")
        return self

    @property
    def secret(self) -> SecretStr | None:
        """The secret; None when the table names none. Makes ``secret_file`` (mode 0600) when there is no such file.

        Raises ConfigError when the secret cannot be had or is too weak.
        """
        if self.secret_env is None and self.secret_file is None:
            return None
        if self.secret_file is not None and not self.secret_file.exists():
            _make(self.secret_file)
        found = self.read_secret(env=self.secret_env, file=self.secret_file)
        if found is None or not _STRONG.fullmatch(found.get_secret_value()):
            where = {"file": "environment", "key": self.secret_env or ""}
            if self.secret_file is not None:
                where = {"file": str(self.secret_file), "key": "secret"}
            problem = "must have 24 to 200 letters, digits, or any of . _ ~ + / = -"
            raise ConfigError([Fault(**where, problem=f"{problem}.", remedy="Take a random one; do not make one up.")])
        return found


def _make(path: Path) -> None:
    """Writes the whole file under another name, then links it into place: nobody ever sees half a secret."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(secrets.token_urlsafe(32) + "\n")
        with suppress(FileExistsError):  # another process was first; its secret counts
            path.hardlink_to(draft)
        draft.unlink()
    except OSError as error:
        problem = f"cannot be written ({error.strerror})."
        fault = Fault(file=str(path), key="secret", problem=problem, remedy="Check the folder and its permissions.")
        raise ConfigError([fault]) from None
