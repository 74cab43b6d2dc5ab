"""A migration that is killed at any statement leaves nothing behind, and the next one completes it."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from adapter.store.engine import make_engine, read
from adapter.store.migrations import migrate, pending

ROOT = Path(__file__).parents[2]
KILLED = -signal.SIGKILL

# Imports once, then forks: the n-th child finds no table, migrates, and is killed just before its n-th statement; the
# commit counts as one. It goes on until a child has fewer statements than that. Prints how each child ended.
DRIVER = """
import os, signal, sys, traceback
import sqlalchemy as sa
from adapter.store.engine import make_engine
from adapter.store.migrations import migrate

def child(deadly):
    engine = make_engine(sys.argv[1])
    assert sa.inspect(engine).get_table_names() == []
    done = [0]
    def step(*_):
        done[0] += 1
        if done[0] == deadly:
            os.kill(os.getpid(), signal.SIGKILL)
    sa.event.listen(engine, "before_cursor_execute", step)
    sa.event.listen(engine, "commit", step)
    migrate(engine)

number = ended = 1
while ended and number < 500:
    pid = os.fork()
    if pid == 0:
        try:
            child(number)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    ended = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    print(ended, flush=True)
    number += 1
"""


def kill_at_each_statement(url: str) -> list[int]:
    """Migrates the database again and again, killed a statement later each time; how each attempt ended."""
    done = subprocess.run(
        [sys.executable, "-c", DRIVER, url],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    assert done.stderr == ""
    return [int(line) for line in done.stdout.split()]


def schema(engine: sa.Engine) -> Any:
    """Everything that a migration makes, and where it says it stands."""
    if engine.dialect.name == "sqlite":
        query = "SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY type, name"
    else:
        query = """
            SELECT 'column', table_name, column_name, data_type || is_nullable || coalesce(column_default, '')
              FROM information_schema.columns WHERE table_schema = 'public'
            UNION ALL SELECT 'index', tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'
            UNION ALL SELECT 'constraint', conrelid::regclass::text, conname, pg_get_constraintdef(oid)
              FROM pg_constraint WHERE connamespace = 'public'::regnamespace
            UNION ALL SELECT 'trigger', tgrelid::regclass::text, tgname, pg_get_triggerdef(oid)
              FROM pg_trigger WHERE NOT tgisinternal
            ORDER BY 1, 2, 3, 4"""
    with read(engine) as connection:
        made = [tuple(row) for row in connection.exec_driver_sql(query)]
        version = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar_one()
    assert len(made) > 20
    return made, version


def test_a_migration_killed_at_each_statement_is_completed_by_the_next_one(
    blank_engine: sa.Engine, request: pytest.FixtureRequest
) -> None:
    kind = "sqlite" if blank_engine.dialect.name == "sqlite" else "postgres"
    whole = make_engine(request.getfixturevalue(f"{kind}_url"))
    ended = kill_at_each_statement(blank_engine.url.render_as_string(hide_password=False))
    assert len(ended) > 20
    assert ended == [KILLED] * (len(ended) - 1) + [0]
    assert not pending(blank_engine)
    migrate(blank_engine)
    assert schema(blank_engine) == schema(whole)
    whole.dispose()
