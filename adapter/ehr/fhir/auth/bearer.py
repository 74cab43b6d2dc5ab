"""``auth = "bearer"``: a token that somebody handed over (RFC 6750)."""

from pydantic import SecretStr

from adapter.ehr import Check


class Bearer:
    """Always the same token: it cannot be renewed from here."""

    def __init__(self, token: SecretStr) -> None:
        self._token = token

    def __repr__(self) -> str:
        return "Bearer(**********)"

    def header(self) -> str | None:
        return f"Bearer {self._token.get_secret_value()}"

    def renew(self, refused: str | None) -> bool:
        return False

    def check(self) -> list[Check]:
        return [Check("EHR sign-in", True, "a fixed bearer token")]
