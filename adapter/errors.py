"""The errors this package raises, classed by what the caller must do.

AdapterError
├── ConfigError      a file the practice wrote is wrong: list every fault, exit 2
├── FatalError       the job cannot go on and trying again will not help: exit 1
├── RetriableError   the other side is not well: back off and try again
│   └── SourceError      the EHR's answer cannot be relied on: the run is incomplete
└── DeliveryError    one effect was refused; `permanent` says whether to try again

Expected outcomes are values, not exceptions: a contact that may not open a chart is an
``Outcome``, a record that cannot be used is a ``Quarantined``.

No message of these errors may carry a name, an address, a birth date or a token.
"""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One thing wrong in one place of one file, and the way out."""

    file: str
    key: str
    problem: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.file}: {self.key}: {self.problem} {self.remedy}".rstrip()


class AdapterError(Exception):
    """Base of everything this package raises on purpose."""


class ConfigError(AdapterError):
    """One or more files are wrong; ``faults`` lists all of them at once."""

    def __init__(self, faults: list[Fault]) -> None:
        self.faults = faults
        super().__init__("\n".join(str(fault) for fault in faults))


class FatalError(AdapterError):
    """The job cannot go on; the message says what to do."""


class RetriableError(AdapterError):
    """The other side is not well; trying again later may help, after ``retry_after`` seconds where it says so."""

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        self.retry_after = retry_after
        super().__init__(message)


class SourceError(RetriableError):
    """The EHR's answer cannot be relied on, so whatever was being read is incomplete."""


class DeliveryError(AdapterError):
    """A portal or mail server refused an effect.

    ``permanent`` is True when sending the same thing again cannot succeed; ``code`` is the reason code of the finding
    that it then makes, where it is a special one; ``retry_after`` is in seconds, where the other side says so.
    """

    def __init__(self, message: str, *, permanent: bool, code: str = "", retry_after: float | None = None) -> None:
        self.permanent = permanent
        self.code = code
        self.retry_after = retry_after
        super().__init__(message)
