"""``adapter`` and ``python -m adapter``."""

import sys

from adapter.cli import run


def main() -> None:
    """The console script."""
    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
