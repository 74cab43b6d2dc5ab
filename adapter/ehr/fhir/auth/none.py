"""``auth = "none"``: an EHR that does not ask who is reading."""

from adapter.ehr import Check


class NoAuthorization:
    """Sends no header."""

    def header(self) -> str | None:
        return None

    def renew(self, refused: str | None) -> bool:
        return False

    def check(self) -> list[Check]:
        return [Check("EHR sign-in", True, "none: requests carry no authorization")]
