"""Writes docs/permissions.md: who may use which route, from the table that the service itself goes by."""

from pathlib import Path

from adapter.core.staff import StaffRole
from adapter.web.permissions import ROUTES, Need

TARGET = Path(__file__).with_name("permissions.md")
INTRODUCTION = """# Who may use which route

Written by `make docs` from the table that the service goes by (`adapter/web/permissions.py`). A route that is not in it
does not exist. A role counts at one practice: that of the path, or, where it names none, each one somebody has it at.

| Route | Nobody signed in | viewer | reconciler | admin |
|---|---|---|---|---|
"""


def table() -> str:
    """The whole page."""
    rows = [f"| `{route}` | {' | '.join(_marks(need))} |" for route, need in ROUTES.items()]
    return INTRODUCTION + "\n".join(rows) + "\n"


def _marks(need: Need) -> list[str]:
    if need is Need.SECRET:
        return ["with its own secret"] * 4
    open_to = {Need.NOTHING: 4, Need.SIGNED_IN: 3, Need.VIEWER: 3, Need.RECONCILER: 2, Need.ADMIN: 1}[need]
    columns = len(StaffRole) + 1
    return ["-"] * (columns - open_to) + ["yes"] * open_to


if __name__ == "__main__":
    TARGET.write_text(table(), encoding="utf-8")
