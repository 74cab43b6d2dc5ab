"""A mail server that takes everything (aiosmtpd), as a process of its own."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from adapter.sandbox.mailbox import Mailbox


@contextmanager
def sink() -> Iterator[int]:
    """Runs it; gives its port."""
    command = [sys.executable, "-m", "benchmarks.mail_sink"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stdin is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.stdin.close()


def main() -> None:
    with Mailbox() as mailbox:
        print(mailbox.port, flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
