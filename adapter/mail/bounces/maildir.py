"""Delivery reports in a maildir: a folder with ``new`` and ``cur``, which a mail server on this machine fills."""

from pathlib import Path

from adapter.errors import FatalError
from adapter.mail.bounces import Take
from adapter.mail.bounces.report import MOST_BYTES, read_report


class MaildirBox:
    """Reads what is in ``new`` and moves it to ``cur``, as seen."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def collect(self, take: Take) -> int:
        """See ``BounceBox.collect``."""
        count = 0
        try:
            for file in sorted((self._folder / "new").iterdir()):
                if file.name.startswith("."):
                    continue
                with file.open("rb") as stream:
                    content = stream.read(MOST_BYTES + 1)
                take(read_report(content))
                file.rename(self._folder / "cur" / f"{file.name.partition(':')[0]}:2,S")
                count += 1
        except OSError as error:
            raise self._unusable(error) from None
        return count

    def check(self) -> str:
        """See ``BounceBox.check``."""
        try:
            waiting = len(list((self._folder / "new").iterdir()))
            if not (self._folder / "cur").is_dir():
                raise NotADirectoryError(20, "There is no folder cur")
        except OSError as error:
            raise self._unusable(error) from None
        return f"Delivery reports are read from {self._folder}; {waiting} wait."

    def _unusable(self, error: OSError) -> FatalError:
        return FatalError(
            f"The maildir {self._folder} cannot be used ({error.strerror}). Check bounces.maildir in config.toml."
        )
