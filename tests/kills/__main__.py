"""``python -m tests.kills --kills 10000``: kills workers that deliver mail, and prints what came of every mail."""

import argparse
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import sqlalchemy as sa

from adapter.store.engine import make_engine
from adapter.store.migrations import migrate
from tests import postgres
from tests.kills.trial import Outcome, trial

ROUND = 500
"""Kills on one database, so that its mails do not run out."""


def main() -> int:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--kills", type=int, default=1000)
    asked.add_argument("--store", choices=["sqlite", "postgresql"], default="sqlite")
    given = asked.parse_args()
    found: list[Outcome] = []
    print("kills  mails   sent  unknown  (arrived)  twice  lost  unsettled")
    with tempfile.TemporaryDirectory() as folder:
        if given.store == "sqlite":
            _rounds(given.kills, found, lambda number: f"sqlite:///{folder}/{number}.db")
        else:
            programs = postgres.find_programs()
            if programs is None:
                print("PostgreSQL is not installed.")
                return 2
            with postgres.server(programs) as socket:
                _rounds(given.kills, found, lambda number: _database(socket, number))
    for name in Outcome.__slots__:
        print(f"{name}: {sum(getattr(one, name) for one in found):,}")
    return int(any(one.twice or one.lost or one.unsettled for one in found))


def _rounds(kills: int, found: list[Outcome], url_of: Callable[[int], str]) -> None:
    number = 0
    while (left := kills - sum(one.kills for one in found)) > 0:
        url = url_of(number)
        migrate(make_engine(url))
        number += 1
        one = trial(url, kills=min(left, ROUND), mails=20 * min(left, ROUND), seed=number)
        found.append(one)
        row = f"{one.kills:5} {one.mails:6} {one.sent:6} {one.unknown:8} {one.unknown_arrived:10} {one.twice:6}"
        print(f"{row} {one.lost:5} {one.unsettled:10}", flush=True)


def _database(socket: Path, number: int) -> str:
    engine = sa.create_engine(postgres.url(socket, "postgres"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE kills{number}")
    engine.dispose()
    return postgres.url(socket, f"kills{number}")


if __name__ == "__main__":
    sys.exit(main())
