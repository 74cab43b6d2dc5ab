"""A file that appears whole or not at all, for its owner's eyes only, and never in the place of another one."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from adapter.errors import FatalError
from adapter.store.backup import flush


@contextmanager
def new_file(path: Path) -> Iterator[Path]:
    """Yields an empty file (mode 0600) to fill; at the end of the block it is on the disk and named ``path``.

    Raises FatalError when ``path`` exists, or when the file cannot be written. Of a block that fails nothing is left.
    """
    if path.exists():
        raise _exists(path)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        os.close(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        yield draft
        flush(draft)
        path.hardlink_to(draft)  # unlike a rename, this never replaces a file that was made meanwhile
        flush(path.parent)
    except FileExistsError:
        raise _exists(path) from None
    except OSError as error:
        raise FatalError(
            f"{path} cannot be written ({error.strerror}). Choose another place, or make room; nothing was left there."
        ) from None
    finally:
        draft.unlink(missing_ok=True)


def _exists(path: Path) -> FatalError:
    return FatalError(f"{path} exists already and was left as it is. Choose another name.")
