"""``auth = "basic"``: a user name and a password with every request (RFC 7617)."""

from base64 import b64encode

from pydantic import SecretStr

from adapter.ehr import Check


class Basic:
    """Always the same header."""

    def __init__(self, username: str, password: SecretStr) -> None:
        pair = f"{username}:{password.get_secret_value()}"
        self._header = SecretStr(f"Basic {b64encode(pair.encode()).decode()}")

    def __repr__(self) -> str:
        return "Basic(**********)"

    def header(self) -> str | None:
        return self._header.get_secret_value()

    def renew(self, refused: str | None) -> bool:
        return False

    def check(self) -> list[Check]:
        return [Check("EHR sign-in", True, "user name and password")]
