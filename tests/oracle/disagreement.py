"""What is raised when the product and the oracle do not agree."""


class Disagreement(AssertionError):
    """The product did what the oracle does not accept. ``kind`` names what, in a word."""

    def __init__(self, kind: str, what: str) -> None:
        self.kind = kind
        super().__init__(f"{kind}: {what}")
