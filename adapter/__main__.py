"""``adapter`` and ``python -m adapter``."""

import sys

from adapter.cli import run


def main() -> None:
    """The console script."""
    code = run(sys.argv[1:])
    # CPython remembers an interrupt that fell into the exec of a text, as making a dataclass is, although it was
    # caught, and ends `python -m` by SIGINT instead of with the exit code. The next exec of a text lets it forget.
    exec("")  # noqa: S102
    sys.exit(code)


if __name__ == "__main__":
    main()
